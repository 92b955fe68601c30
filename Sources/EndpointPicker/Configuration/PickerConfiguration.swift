/// All that an operator decides about a picker; one YAML file, see ``parse(_:name:)``.
///
/// Every part has defaults that do for most fleets; only where the endpoints are must be said.
public struct PickerConfiguration: Sendable, Hashable {
  /// This replica's name in logs; empty for the machine's.
  public var gateway = ""
  /// The name of the pool in logs; may be empty.
  public var pool = ""
  /// The least important messages to log: trace, debug, info, notice, warning, error, critical.
  public var logLevel = "info"
  /// Where requests are asked about.
  public var data = DataPort()
  /// Where operators look.
  public var admin = AdminPort()
  /// The coefficient file.
  public var model = Model()
  /// How endpoints are chosen.
  public var policy = Policy()
  /// Where the endpoints are listed.
  public var endpoints = Endpoints()
  /// How endpoints' metrics are read.
  public var scrape = Scrape()
  /// When an endpoint that fails requests gets none for a while.
  public var outliers = Outliers()
  /// The log that models are fitted on.
  public var requestLog = RequestLogging()
  /// What is refused or bounded.
  public var limits = Limits()
  /// How it ends.
  public var drain = Drain()

  /// The defaults.
  public init() {}

  /// The ports of the external processing service.
  public struct DataPort: Sendable, Hashable {
    /// The address to listen on.
    public var address = "0.0.0.0"
    /// The gRPC service's port; 0 for any.
    public var port = 9002
    /// The gRPC health service's port; 0 for any.
    public var healthPort = 9003

    /// The defaults.
    public init() {}
  }

  /// The port of metrics, the dashboard and admin actions.
  public struct AdminPort: Sendable, Hashable {
    /// The address to listen on: loopback, since it has no authentication.
    public var address = "127.0.0.1"
    /// The port; 0 for any.
    public var port = 9090

    /// The defaults.
    public init() {}
  }

  /// The coefficient file and how it is trusted.
  public struct Model: Sendable, Hashable {
    /// The file, followed when it changes; empty for none.
    public var path = "models/champion"
    /// A file with an Ed25519 public key, 64 hexadecimal digits; unsigned models are then refused.
    public var publicKeyFile = ""
    /// Rescans for what the kernel does not report, ms apart.
    public var rescanMilliseconds = 500

    /// The defaults.
    public init() {}
  }

  /// How endpoints are chosen.
  public struct Policy: Sendable, Hashable {
    /// `model` for the file's own policy, or the name of one; see `RoutingPolicy.names`.
    public var name = "model"
    /// The policy's parameters by name; others keep their defaults.
    public var parameters: [String: Double] = [:]
    /// Makes exploration and ties repeatable; 0 for a seed from the clock.
    public var seed = 0

    /// The defaults.
    public init() {}
  }

  /// Where the endpoints are listed; both may be used together.
  public struct Endpoints: Sendable, Hashable {
    /// A file of endpoints, see ``EndpointFile``; empty for none.
    public var file = ""
    /// How often the file is looked at, ms.
    public var fileIntervalMilliseconds = 500
    /// A cluster's endpoints.
    public var kubernetes = Kubernetes()

    /// The defaults.
    public init() {}
  }

  /// Endpoints from a cluster's EndpointSlices.
  public struct Kubernetes: Sendable, Hashable {
    /// Whether the cluster is asked.
    public var isEnabled = false
    /// The API server.
    public var server = "https://kubernetes.default.svc"
    /// Where the pool is; empty for the service account's namespace.
    public var namespace = ""
    /// The InferencePool whose `matchLabels` select the slices; or use ``labelSelector``.
    public var inferencePool = ""
    /// Selects the slices, such as `kubernetes.io/service-name=vllm`.
    public var labelSelector = ""
    /// The port's name in the slices; empty for the pool's target port, else the first.
    public var portName = ""
    /// The service account's token; read anew for every connection.
    public var tokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    /// The certificates that the server must be signed by; empty for the system's.
    public var certificateFile = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
    /// The accelerator of endpoints whose slice has no such label.
    public var accelerator = ""
    /// The slice's label that names the accelerator.
    public var acceleratorLabel = "glidepath.dev/accelerator"
    /// The slice's label that names the role.
    public var roleLabel = "llm-d.ai/role"

    /// The defaults.
    public init() {}
  }

  /// How endpoints' metrics are read.
  public struct Scrape: Sendable, Hashable {
    /// Whether they are read at all; without, endpoints are never taken for dead.
    public var isEnabled = true
    /// Between two scrapes of one endpoint, ms.
    public var intervalMilliseconds = 50
    /// How long one scrape may take, ms.
    public var timeoutMilliseconds = 1_000
    /// Snapshots older than this are ignored, ms.
    public var staleMilliseconds = 2_000
    /// Failures in a row after which an endpoint gets no requests; 0 for never.
    public var failuresUntilUnavailable = 5
    /// Between scrapes of an endpoint that is not available, ms.
    public var retryMilliseconds = 1_000
    /// Where engines serve their metrics.
    public var path = "/metrics"
    /// Whether engines are asked for the needed metrics alone, where they can do that.
    public var isFiltered = true

    /// The defaults.
    public init() {}
  }

  /// When an endpoint that fails requests gets none for a while.
  public struct Outliers: Sendable, Hashable {
    /// Failed requests in a row; 0 for never.
    public var consecutiveFailures = 5
    /// For how long it gets none, ms; doubled each time, up to ten times as long.
    public var ejectionMilliseconds = 10_000
    /// An endpoint whose streams all stand still for this long gets no requests until one goes on,
    /// ms; 0 for never.
    public var stallMilliseconds = 2_000

    /// The defaults.
    public init() {}
  }

  /// The log that models are fitted on.
  public struct RequestLogging: Sendable, Hashable {
    /// The folder of its files; empty for no log.
    public var folder = ""
    /// A file is finished at this size, bytes.
    public var maximumFileBytes = 256 << 20
    /// A file is finished at this age, ms.
    public var maximumFileMilliseconds = 3_600_000
    /// Whether finished files are compressed with zstd.
    public var isCompressed = true
    /// Lines that may wait to be written; more are dropped and counted.
    public var queueCapacity = 65_536
    /// Chunk arrivals noted and logged per streamed answer, at least 20 ms apart; 0 for none.
    ///
    /// They show the engines' steps, which makes TTFT predictions more accurate.
    public var chunkOffsets = 512
    /// Finished files are deleted, oldest first, when all are larger than this, bytes; 0 for never.
    public var maximumTotalBytes = 0

    /// The defaults.
    public init() {}
  }

  /// What is refused or bounded.
  public struct Limits: Sendable, Hashable {
    /// The largest request body, bytes.
    public var maximumBodyBytes = 16 << 20
    /// A request in flight longer than this is taken for ended, ms.
    public var requestLifetimeMilliseconds = 3_600_000
    /// Requests in flight before memory is allocated for more.
    public var requestCapacity = 4_096
    /// Prompt blocks remembered per endpoint, or fewer where its metrics tell a smaller cache.
    public var prefixCapacity = 31_250

    /// The defaults.
    public init() {}
  }

  /// How it ends.
  public struct Drain: Sendable, Hashable {
    /// It goes on picking for at least this long after it says that it is not ready, ms.
    public var graceMilliseconds = 2_000
    /// It waits no longer than this for requests in flight, ms.
    public var limitMilliseconds = 60_000

    /// The defaults.
    public init() {}
  }
}
