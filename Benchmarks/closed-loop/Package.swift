// swift-tools-version: 6.2
import PackageDescription

// Apart from the main package, so that simulator and runtime alone are built; the sources are
// linked, not copied.
let package = Package(
  name: "closed-loop",
  targets: [
    .target(name: "CoefficientFile", exclude: ["Format.md"], swiftSettings: swiftSettings),
    .target(
      name: "RoutingRuntime", dependencies: ["CoefficientFile"], swiftSettings: swiftSettings),
    .target(
      name: "FleetSimulation", dependencies: ["RoutingRuntime", "CoefficientFile"],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "ClosedLoop", dependencies: ["FleetSimulation", "RoutingRuntime", "CoefficientFile"],
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
