// swift-tools-version: 6.2
import PackageDescription

// The modules are the pipeline; Sources/README.md draws it and says who may import whom.
// Serving (CoefficientFile, RoutingRuntime) links neither LAPACK nor SQLite nor Foundation.

let swiftSettings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .strictMemorySafety(),
]

let package = Package(
  name: "glidepath",
  products: [
    .executable(name: "glidepath", targets: ["glidepath"]),
    .executable(name: "glidepath-gateway", targets: ["glidepath-gateway"]),
    .library(name: "CoefficientFile", targets: ["CoefficientFile"]),
    .library(name: "RoutingRuntime", targets: ["RoutingRuntime"]),
    .library(name: "glidepath_runtime", type: .dynamic, targets: ["RoutingRuntimeC"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    // Of the gateway alone: the toolkit builds without them.
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0", traits: []),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    // Serving: what a gateway embeds.
    .target(name: "CoefficientFile", exclude: ["Format.md"], swiftSettings: swiftSettings),
    .target(
      name: "RoutingRuntime", dependencies: ["CoefficientFile"], swiftSettings: swiftSettings),
    .target(
      name: "RoutingRuntimeC", dependencies: ["RoutingRuntime", "CoefficientFile"],
      exclude: ["include"], swiftSettings: swiftSettings,
      linkerSettings: [.unsafeFlags(["-Xlinker", "-soname=libglidepath_runtime.so.1"])]),

    // Learning: log → store → replay → fit → report.
    .target(
      name: "RequestLog",
      dependencies: ["CSimdJSON", "CCompression", .product(name: "Yams", package: "Yams")],
      exclude: ["Mappings/README.md"], swiftSettings: swiftSettings),
    .target(
      name: "LogStore",
      dependencies: ["RequestLog", .product(name: "GRDB", package: "GRDB.swift")],
      exclude: ["Schema.md"],
      swiftSettings: swiftSettings),
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
    .target(name: "AccuracyReport", exclude: ["README.md"], swiftSettings: swiftSettings),
    .target(
      name: "Retraining",
      dependencies: [
        "AccuracyReport", "CoefficientFile", "LatencyRegression", "LogReplay", "LogStore",
        "PredictorEntries", "RequestLog", "RoutingRuntime",
      ],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "glidepath",
      dependencies: [
        "Retraining", "RequestLog", "LogStore", "LogReplay", "LinearAlgebra", "LatencyRegression",
        "AccuracyReport", "RoutingRuntime", "CoefficientFile", "FleetSimulation", "PolicyTuning",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      swiftSettings: swiftSettings),

    // Tuning: a fleet in virtual time, calibrated from the log, and the search over policies.
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

    // The gateway's side: the endpoint picker, and what its demo and tests route to.
    .target(
      name: "EndpointPicker",
      dependencies: [
        "RoutingRuntime", "CoefficientFile", "RequestLog", "CCompression",
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "Yams", package: "Yams"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "ExternalProcessor",
      dependencies: [
        "EndpointPicker",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHPACK", package: "swift-nio-http2"),
        .product(name: "NIOHTTP2", package: "swift-nio-http2"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ],
      exclude: [
        "Generated/external_processing.proto", "Generated/generate.sh", "Generated/health.proto",
      ],
      swiftSettings: swiftSettings),
    // What llm-d's router posts, read by the server and by the fit.
    .target(
      name: "PredictorEntries", dependencies: ["RoutingRuntime", "CoefficientFile"],
      swiftSettings: swiftSettings),
    .target(
      name: "PredictorAPI",
      dependencies: [
        "RoutingRuntime", "CoefficientFile", "PredictorEntries",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "SimulatedEndpoint",
      dependencies: [
        "FleetSimulation", "RoutingRuntime", "CoefficientFile",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "glidepath-gateway",
      dependencies: [
        "EndpointPicker", "ExternalProcessor", "PredictorAPI", "SimulatedEndpoint",
        "FleetSimulation", "RoutingRuntime", "CoefficientFile",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ],
      swiftSettings: swiftSettings),

    // C parts, each behind one Swift module.
    .target(
      name: "COpenBLAS", publicHeadersPath: "include", linkerSettings: [.linkedLibrary("openblas")]),
    .target(
      name: "CSimdJSON", publicHeadersPath: "include", cxxSettings: [.unsafeFlags(["-O3"])],
      linkerSettings: [.linkedLibrary("simdjson")]),
    .systemLibrary(name: "CCompression", providers: [.apt(["libzstd-dev", "zlib1g-dev"])]),

    // Tests mirror the targets.
    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: swiftSettings),
    .target(
      name: "RuntimeTestSupport",
      dependencies: ["RoutingRuntime", "CoefficientFile", "TestSupport"],
      path: "Tests/RuntimeTestSupport", swiftSettings: swiftSettings),
    .target(name: "AllocationCounter", path: "Tests/AllocationCounter"),
    .testTarget(name: "CoefficientFileTests", dependencies: ["CoefficientFile", "TestSupport"]),
    .testTarget(
      name: "RoutingRuntimeTests",
      dependencies: [
        "RoutingRuntime", "CoefficientFile", "TestSupport", "RuntimeTestSupport",
        "AllocationCounter",
      ]),
    .testTarget(
      name: "RoutingRuntimeCTests",
      dependencies: ["RoutingRuntimeC", "RoutingRuntime", "CoefficientFile", "RuntimeTestSupport"],
      exclude: ["Examples"]),
    .testTarget(name: "RequestLogTests", dependencies: ["RequestLog", "TestSupport"]),
    .executableTarget(
      name: "LogStoreCrashHelper", dependencies: ["LogStore", "RequestLog"],
      path: "Tests/LogStoreCrashHelper", swiftSettings: swiftSettings),
    .testTarget(
      name: "LogStoreTests",
      dependencies: [
        "LogStore", "RequestLog", "LogStoreCrashHelper", "TestSupport",
        .product(name: "GRDB", package: "GRDB.swift"),
      ]),
    .testTarget(
      name: "LogReplayTests",
      dependencies: [
        "LogReplay", "RequestLog", "RoutingRuntime", "CoefficientFile", "TestSupport",
        "RuntimeTestSupport",
      ]),
    .testTarget(name: "LinearAlgebraTests", dependencies: ["LinearAlgebra", "TestSupport"]),
    .testTarget(
      name: "LatencyRegressionTests",
      dependencies: [
        "CoefficientFile", "LatencyRegression", "LinearAlgebra", "LogReplay", "RequestLog",
        "RoutingRuntime", "TestSupport", "RuntimeTestSupport",
      ],
      exclude: ["Solvers/Fixtures"]),
    .testTarget(
      name: "RetrainingTests",
      dependencies: [
        "AccuracyReport", "LogReplay", "LogStore", "RequestLog", "Retraining", "TestSupport",
        "CoefficientFile", "PredictorEntries", "RoutingRuntime",
      ]),
    .testTarget(name: "AccuracyReportTests", dependencies: ["AccuracyReport"]),
    .testTarget(
      name: "FleetSimulationTests",
      dependencies: [
        "FleetSimulation", "RoutingRuntime", "CoefficientFile", "TestSupport",
        "RuntimeTestSupport",
      ]),
    .testTarget(
      name: "PolicyTuningTests",
      dependencies: [
        "PolicyTuning", "FleetSimulation", "LogReplay", "RequestLog", "RoutingRuntime",
        "CoefficientFile", "TestSupport", "RuntimeTestSupport",
      ]),
    .testTarget(
      name: "EndpointPickerTests",
      dependencies: [
        "EndpointPicker", "RoutingRuntime", "CoefficientFile", "RequestLog", "TestSupport",
        "RuntimeTestSupport",
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
      ]),
    .testTarget(
      name: "ExternalProcessorTests",
      dependencies: [
        "ExternalProcessor", "EndpointPicker", "TestSupport",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHPACK", package: "swift-nio-http2"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOHTTP2", package: "swift-nio-http2"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ]),
    .testTarget(
      name: "PredictorEntriesTests",
      dependencies: ["PredictorEntries", "RoutingRuntime", "CoefficientFile", "TestSupport"]),
    .testTarget(
      name: "PredictorAPITests",
      dependencies: [
        "PredictorAPI", "PredictorEntries", "RoutingRuntime", "CoefficientFile", "TestSupport",
        "RuntimeTestSupport", .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "Logging", package: "swift-log"),
      ]),
    .testTarget(
      name: "SimulatedEndpointTests",
      dependencies: [
        "SimulatedEndpoint", "FleetSimulation", "TestSupport",
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ]),
    .testTarget(name: "GlidepathTests", dependencies: ["glidepath", "CoefficientFile"]),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx17
)
