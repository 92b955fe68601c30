#!/usr/bin/env bash
# Builds the fuzzers of what the gateway reads of strangers and runs each for some seconds.
#
#   Fuzz/gateway.sh [SECONDS] [metrics-parser|endpoint-file]
#
# They compile the sources that they feed, not the whole module with its servers. What a fuzzer finds
# stays as crash-* in .build-fuzz; corpora stay there for the next run.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
which=${2:-all}
build=.build-fuzz
picker=Sources/EndpointPicker
flags=(
  -sanitize=fuzzer,address -parse-as-library -swift-version 6 -strict-memory-safety
  -enable-upcoming-feature InternalImportsByDefault -enable-upcoming-feature MemberImportVisibility
)

fuzz() {
  echo "fuzzing $1 for $seconds s"
  ASAN_OPTIONS=detect_leaks=0 "$build/fuzz-$1" "$build/corpus-$1" "${@:2}" \
    -max_total_time="$seconds" -artifact_prefix="$build/crash-" -print_final_stats=1 -verbosity=0
}

metrics_parser() {
  mkdir -p "$build/corpus-metrics-parser"
  swiftc "${flags[@]}" -module-name FuzzMetricsParser Fuzz/fuzz-metrics-parser.swift \
    "$picker/Scraping/MetricsParser.swift" -o "$build/fuzz-metrics-parser"
  printf '%s\n' 'vllm:num_requests_waiting{engine="0"} 3.0' \
    'nv_trt_llm_request_metrics{model="t",request_type="waiting"} 2' 'sglang:token_usage 0.5' \
    > "$build/corpus-metrics-parser/seed"
  fuzz metrics-parser -max_len=4096
}

endpoint_file() {
  local objects=()
  mkdir -p "$build/corpus-endpoint-file"
  for module in RoutingRuntime Yams; do
    swift build --scratch-path "$build" --target "$module" --sanitize address \
      -Xswiftc -sanitize=fuzzer
  done
  mapfile -t objects < <(find -L "$build/debug/RoutingRuntime.build" \
    "$build/debug/CoefficientFile.build" "$build/debug/Yams.build" "$build/debug/CYaml.build" \
    -name '*.o')
  swiftc "${flags[@]}" -module-name FuzzEndpointFile Fuzz/fuzz-endpoint-file.swift \
    "$picker/EndpointPickerError.swift" "$picker/SystemCall.swift" \
    "$picker/Fleet/EndpointDescription.swift" "$picker/Fleet/EndpointFile.swift" \
    "$picker"/Configuration/*.swift -I "$build/debug/Modules" \
    -I "$build/checkouts/Yams/Sources/CYaml/include" "${objects[@]}" -o "$build/fuzz-endpoint-file"
  cp deploy/gateway.yaml "$build/corpus-endpoint-file/gateway"
  printf 'endpoints:\n  - {name: a, address: "10.0.0.1:80", role: both}\n' \
    > "$build/corpus-endpoint-file/endpoints"
  fuzz endpoint-file -max_len=8192 -timeout=5
}

case $which in
  metrics-parser) metrics_parser ;;
  endpoint-file) endpoint_file ;;
  all)
    metrics_parser
    endpoint_file
    ;;
  *)
    echo "usage: Fuzz/gateway.sh [SECONDS] [metrics-parser|endpoint-file]" >&2
    exit 64
    ;;
esac
