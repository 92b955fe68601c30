// swift-tools-version: 6.2
import PackageDescription

// Apart from the main package, so that only tuning is built; the sources are linked, not copied.
let package = Package(
  name: "policy-tuning",
  dependencies: [.package(url: "https://github.com/jpsim/Yams", from: "6.2.2")],
  targets: [
    .target(name: "CoefficientFile", exclude: ["Format.md"], swiftSettings: swiftSettings),
    .target(
      name: "RoutingRuntime", dependencies: ["CoefficientFile"], swiftSettings: swiftSettings),
    .target(
      name: "RequestLog",
      dependencies: ["CSimdJSON", "CCompression", .product(name: "Yams", package: "Yams")],
      exclude: ["Mappings/README.md"], swiftSettings: swiftSettings),
    .target(
      name: "LogReplay", dependencies: ["RequestLog", "RoutingRuntime", "CoefficientFile"],
      swiftSettings: swiftSettings),
    .target(name: "LinearAlgebra", dependencies: ["COpenBLAS"], swiftSettings: swiftSettings),
    .target(
      name: "LatencyRegression",
      dependencies: [
        "LinearAlgebra", "LogReplay", "RequestLog", "RoutingRuntime", "CoefficientFile",
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "FleetSimulation", dependencies: ["RoutingRuntime", "CoefficientFile"],
      swiftSettings: swiftSettings),
    .target(
      name: "PolicyTuning",
      dependencies: [
        "FleetSimulation", "LatencyRegression", "LinearAlgebra", "LogReplay", "RequestLog",
        "RoutingRuntime", "CoefficientFile",
      ],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "PolicyBench",
      dependencies: [
        "PolicyTuning", "FleetSimulation", "LogReplay", "RequestLog", "RoutingRuntime",
        "CoefficientFile",
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "COpenBLAS", publicHeadersPath: "include",
      linkerSettings: [.linkedLibrary("openblas")]),
    .target(
      name: "CSimdJSON", publicHeadersPath: "include",
      cxxSettings: [.unsafeFlags(["-O3"])], linkerSettings: [.linkedLibrary("simdjson")]),
    .systemLibrary(name: "CCompression", providers: [.apt(["libzstd-dev", "zlib1g-dev"])]),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx17
)

var swiftSettings: [SwiftSetting] {
  [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .strictMemorySafety(),
  ]
}
