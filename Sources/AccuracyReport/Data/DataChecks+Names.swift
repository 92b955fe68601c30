import Foundation

extension DataChecks {
  /// Labels that contradict each other within the new log.
  func labelFindings(_ new: DatasetSummary) -> [DataFinding] {
    var findings: [DataFinding] = []
    for name in new.endpoints.keys.sorted() {
      guard let group = new.endpoints[name] else { continue }
      let classes = group.accelerators.filter {
        !$0.key.isEmpty && Double($0.value) > 0.01 * Double(group.count)
      }.keys.sorted()
      guard classes.count > 1 else { continue }
      findings.append(
        finding(
          "endpoint-relabelled", .block, Double(classes.count), 1,
          "Endpoint \(name) claims to be \(classes.joined(separator: " and ")) at once: rows of "
            + "another endpoint carry its name."))
    }
    return findings + gaugeFindings(new)
  }

  /// Engines know how much they run; rows under a wrong name disagree with the replayed count.
  private func gaugeFindings(_ new: DatasetSummary) -> [DataFinding] {
    let known = new.endpoints.filter { $0.value.engineOverReplay.isFinite && $0.value.count >= 200 }
    guard known.count > 1 else { return [] }
    return known.keys.sorted().compactMap { name in
      guard let own = known[name]?.engineOverReplay else { return nil }
      let others = median(known.filter { $0.key != name }.map(\.value.engineOverReplay))
      guard others > 0, own / others < 0.6 else { return nil }
      return finding(
        "endpoint-relabelled", .block, own / others, 0.6,
        "Endpoint \(name) seems to hold \(Text.fixed(others / max(own, 1e-9), 1)) times the "
          + "requests that its own engine reports: rows of another endpoint carry its name.")
    }
  }

  /// Names that changed against the champion's training log.
  func nameFindings(_ new: DatasetSummary, _ trained: DatasetSummary) -> [DataFinding] {
    modelFindings(new, trained) + acceleratorFindings(new, trained)
      + endpointFindings(new, trained)
  }

  private func modelFindings(_ new: DatasetSummary, _ trained: DatasetSummary) -> [DataFinding] {
    let known = Set(trained.modelCounts.filter { !$0.key.isEmpty }.keys)
    let strangers = new.modelCounts.filter { !$0.key.isEmpty && !known.contains($0.key) }
    let share = Double(strangers.values.reduce(0, +)) / Double(new.rowCount)
    guard !known.isEmpty, share > 0 else { return [] }
    let names = strangers.keys.sorted().joined(separator: ", ")
    let expected = known.sorted().joined(separator: ", ")
    return [
      finding(
        "wrong-model", share > 0.2 ? .block : .warn, share, 0.2,
        "\(Text.percent(share)) of the requests are for \(names); the champion was fitted for "
          + "\(expected). Use a workspace of its own for another model, or confirm the change.")
    ]
  }

  private func acceleratorFindings(
    _ new: DatasetSummary, _ trained: DatasetSummary
  ) -> [DataFinding] {
    func main(_ group: GroupSummary?) -> String? {
      group?.accelerators.max { ($0.value, $0.key) < ($1.value, $1.key) }?.key
    }
    return new.endpoints.keys.sorted().compactMap { name in
      guard let now = main(new.endpoints[name]), let before = main(trained.endpoints[name]),
        !now.isEmpty, !before.isEmpty, now != before
      else { return nil }
      return finding(
        "endpoint-relabelled", .block, 1, 0,
        "Endpoint \(name) was \(before) when the champion learned and is \(now) here: endpoints "
          + "were relabelled. If the machine was replaced, give the endpoint a new name.")
    }
  }

  private func endpointFindings(
    _ new: DatasetSummary, _ trained: DatasetSummary
  ) -> [DataFinding] {
    func share(_ summary: DatasetSummary, _ name: String) -> Double {
      Double(summary.endpoints[name]?.count ?? 0) / Double(summary.rowCount)
    }
    let gone = trained.endpoints.keys.sorted().filter {
      share(trained, $0) >= 0.03 && share(new, $0) < 0.1 * share(trained, $0)
    }
    let fresh = new.endpoints.keys.sorted().filter {
      share(new, $0) >= 0.03 && trained.endpoints[$0] == nil
    }
    var findings: [DataFinding] = []
    for name in gone {
      let lost = share(trained, name)
      let heirs = new.endpoints.keys.sorted().filter { heir in
        let gain = share(new, heir) - share(trained, heir)
        return trained.endpoints[heir] != nil && gain > 0.75 * lost && trained.endpoints.count > 2
      }
      if let heir = heirs.first {
        findings.append(
          finding(
            "endpoint-relabelled", .block, lost, 0.03,
            "Endpoint \(name) is gone and \(heir) alone took over its share "
              + "(\(Text.percent(lost, digits: 0))): rows of \(name) carry the name \(heir)."))
      } else if let twin = fresh.first(where: { abs(share(new, $0) - lost) < 0.25 * lost }) {
        findings.append(
          finding(
            "endpoint-renamed", .warn, lost, 0.03,
            "Endpoint \(name) is gone and \(twin) appeared with about its share: if it is the "
              + "same machine, keep its name; otherwise it starts from its accelerator class."))
      } else {
        findings.append(
          finding(
            "endpoint-gone", .warn, lost, 0.03,
            "Endpoint \(name), \(Text.percent(lost, digits: 0)) of the champion's training "
              + "requests, is gone."))
      }
    }
    return findings
  }
}
