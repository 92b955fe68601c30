// swift-tools-version: 6.2
import PackageDescription

// Apart from the main package, so that the runtime alone is built; the sources are linked, not
// copied.
let package = Package(
  name: "runtime-benchmark",
  targets: [
    .target(name: "CoefficientFile", exclude: ["Format.md"], swiftSettings: swiftSettings),
    .target(
      name: "RoutingRuntime", dependencies: ["CoefficientFile"], swiftSettings: swiftSettings),
    .target(name: "AllocationCounter"),
    .executableTarget(
      name: "RuntimeBenchmark", dependencies: ["RoutingRuntime", "CoefficientFile", "AllocationCounter"],
      swiftSettings: swiftSettings),
  ],
  swiftLanguageModes: [.v6]
)

var swiftSettings: [SwiftSetting] {
  [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .strictMemorySafety(),
  ]
}
