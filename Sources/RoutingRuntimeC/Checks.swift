/// A count of tokens or requests that some machine could hold.
func areTokens(_ count: Double) -> Bool { count >= 0 && count <= 1e9 }

/// Milliseconds within 30,000 years of zero.
func isTime(_ time: Double) -> Bool { abs(time) <= 1e15 }

func noModel() -> Int32 { ErrorText.note(.noModel, "no model is in force yet") }

func noEndpoint(_ endpoint: Int32) -> Int32 {
  ErrorText.note(.notFound, "the pool has no endpoint \(endpoint)")
}

func noRequest() -> Int32 {
  ErrorText.note(.notFound, "no such request is in flight: it is unknown or has ended")
}
