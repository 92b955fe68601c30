#!/usr/bin/env bash
# Builds the fuzzers with libFuzzer and the address sanitizer and runs each for some seconds.
#
#   Fuzz/run.sh [SECONDS] [request-log|mapped-log|coefficient-file|http-bodies|predictor-entries]
#
# What a fuzzer finds stays as crash-* in .build-fuzz; corpora stay there for the next run.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
which=${2:-all}
build=.build-fuzz
flags=(
  -sanitize=fuzzer,address -parse-as-library -swift-version 6 -strict-memory-safety
  -I "$build/debug/Modules"
)

build_module() {
  swift build --scratch-path "$build" --target "$1" --sanitize address \
    -Xswiftc -sanitize=fuzzer "${@:2}"
}

objects() {
  local folder
  for folder in "$@"; do find -L "$build/debug/$folder.build" -name '*.o'; done
}

fuzz() {
  local name=$1
  shift
  mkdir -p "$build/corpus-$name"
  echo "fuzzing $name for $seconds s"
  ASAN_OPTIONS=detect_leaks=0 "$build/fuzz-$name" "$build/corpus-$name" "$@" \
    -max_total_time="$seconds" -artifact_prefix="$build/crash-" -print_final_stats=1 -verbosity=0
}

coefficient_file() {
  local files=() models=()
  build_module CoefficientFile
  mapfile -t files < <(objects CoefficientFile)
  swiftc "${flags[@]}" -module-name FuzzCoefficientFile Fuzz/fuzz-coefficient-file.swift \
    "${files[@]}" -o "$build/fuzz-coefficient-file"
  mkdir -p "$build/corpus-coefficient-file"
  mapfile -t models < <(find models -name '*.glide' 2>/dev/null)
  if ((${#models[@]} > 0)); then cp -- "${models[@]}" "$build/corpus-coefficient-file/"; fi
  fuzz coefficient-file -max_len=16384
}

# Both fuzzers of logs: optimized, since a run of them reads whole logs.
log_fuzzer() {
  local name=$1 module=$2 files=()
  swift build --scratch-path "$build" -c release --target RequestLog --sanitize address \
    -Xswiftc -sanitize=fuzzer -Xswiftc -enable-testing
  mapfile -t files < <(
    for folder in RequestLog CSimdJSON Yams CYaml; do
      find -L "$build/release/$folder.build" -name '*.o'
    done
  )
  swiftc -sanitize=fuzzer,address -parse-as-library -swift-version 6 -strict-memory-safety -O \
    -I "$build/release/Modules" -module-name "$module" "Fuzz/fuzz-$name.swift" \
    -I "$build/checkouts/Yams/Sources/CYaml/include" \
    -Xcc -fmodule-map-file="$build/release/CSimdJSON.build/module.modulemap" \
    -Xcc -fmodule-map-file=Sources/CCompression/module.modulemap \
    "${files[@]}" -lsimdjson -lz -lzstd -lstdc++ -o "$build/fuzz-$name"
  mkdir -p "$build/corpus-$name"
}

request_log() {
  log_fuzzer request-log FuzzRequestLog
  # Not `head` on the pipe's end: zstd would die of it, and the script with zstd.
  zstd -dcq datasets/vllm-agentic.jsonl.zst | sed -n '1,3p' > "$build/corpus-request-log/seed.jsonl"
  fuzz request-log -max_len=4096
}

# The first byte of an input chooses the format; fuzz-mapped-log.swift says which is which.
mapped_log() {
  local corpus=$build/corpus-mapped-log native
  log_fuzzer mapped-log FuzzMappedLog
  native='{"request_id":"a","received_unix_ns":1790000000000000000,"endpoint":"e","status":200,'
  native+='"input_tokens":5,"output_tokens":3,"ttft_ms":1.5,"e2e_ms":9}'
  { printf '\0'; printf '%s' '{"request_id":"a","start_time":"2026-08-21T10:00:00.250Z",' \
    '"upstream_host":"h:80","response_code":200,"duration":812,"response_duration":95,' \
    '"input_tokens":"120"}'; } > "$corpus/envoy"
  { printf '\1'; printf '%s' '{"entries":[{"kv_cache_percentage":0.4,"input_token_length":18,' \
    '"actual_ttft_ms":23,"prefix_cache_score":0.5,"timestamp":"2026-08-21T10:00:00Z"}]}'; } \
    > "$corpus/llm-d"
  { printf '\2'; printf '%s' '{"resourceSpans":[{"resource":{"attributes":[{"key":"host.name",' \
    '"value":{"stringValue":"v"}}]},"scopeSpans":[{"spans":[{"name":"llm_request","spanId":"s",' \
    '"startTimeUnixNano":"1790000000000000000","attributes":[{"key":"gen_ai.usage.prompt_tokens",' \
    '"value":{"intValue":"12"}},{"key":"gen_ai.latency.e2e","value":{"doubleValue":2.1}},' \
    '{"key":"gen_ai.latency.time_to_first_token","value":{"doubleValue":0.1}}]}]}]}]}'; } \
    > "$corpus/otlp"
  printf '\3%s\n%s\n' 'request_id,received_unix_ns,endpoint,input_tokens,ttft_ms,e2e_ms' \
    '"a,""b""",1790000000000000000,e,5,1.5,9' > "$corpus/csv"
  printf '\4%s\n%s\n' 'id,at,host,prompt,first,total,score,kind' \
    'a,1790000000000,h1,5,0.5,900,0.25,chat' > "$corpus/mapped-csv"
  { printf '\5'; echo "$native"; } > "$corpus/plain"
  { printf '\5'; echo "$native" | gzip -c; } > "$corpus/gzip"
  { printf '\6'; echo "$native" | zstd -cq; } > "$corpus/zstd"
  { printf '\7'; printf '%s\n' 'format: csv' 'where: [{path: a, above: 1}]' 'required: [endpoint]' \
    'fields:' '  endpoint: {path: "b[0].c", values: {"1": x}}' '  ttft_ms: {path: t, factor: 2}'; } \
    > "$corpus/mapping"
  fuzz mapped-log -max_len=4096
}

http_bodies() {
  # These readers stand alone: their sources are enough, without the server around them.
  mkdir -p "$build/corpus-http-bodies"
  swiftc -sanitize=fuzzer,address -parse-as-library -swift-version 6 -strict-memory-safety -O \
    -module-name FuzzHTTPBodies Fuzz/fuzz-http-bodies.swift Sources/EndpointPicker/Requests/*.swift \
    -o "$build/fuzz-http-bodies"
  printf '%s' '{"model":"m","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"a\n"}]}' \
    >"$build/corpus-http-bodies/request"
  printf 'data: %s\n\ndata: [DONE]\n\n' \
    '{"choices":[{"delta":{"content":"a"}}],"usage":{"completion_tokens":3}}' \
    >"$build/corpus-http-bodies/response"
  fuzz http-bodies -max_len=4096
}

predictor_entries() {
  local sources=() row
  mapfile -t sources < <(find Sources/PredictorEntries -name '*.swift' \
    ! -name 'EntryPr*' ! -name '*+Features.swift')
  mkdir -p "$build/corpus-predictor-entries"
  swiftc -sanitize=fuzzer,address -parse-as-library -swift-version 6 -strict-memory-safety -O \
    -module-name FuzzPredictorEntries Fuzz/fuzz-predictor-entries.swift "${sources[@]}" \
    -o "$build/fuzz-predictor-entries"
  row='{"kv_cache_percentage":0.4,"input_token_length":9,"num_request_waiting":0,'
  row+='"num_request_running":2,"num_tokens_generated":0,"prefix_cache_score":1e-1,'
  row+='"prefill_tokens_in_flight":7,"pod_type":"decode","actual_ttft_ms":2.5,"actual_tpot_ms":0}'
  printf '%s' "$row" >"$build/corpus-predictor-entries/row"
  printf '{"requests":[%s,%s]}' "$row" "$row" >"$build/corpus-predictor-entries/requests"
  printf '{"entries":[%s]}' "$row" >"$build/corpus-predictor-entries/entries"
  fuzz predictor-entries -max_len=4096
}

case $which in
  coefficient-file) coefficient_file ;;
  request-log) request_log ;;
  mapped-log) mapped_log ;;
  http-bodies) http_bodies ;;
  predictor-entries) predictor_entries ;;
  all)
    coefficient_file
    request_log
    mapped_log
    http_bodies
    predictor_entries
    ;;
  *)
    echo "usage: Fuzz/run.sh [SECONDS] [TARGET]; targets stand at the top of this file" >&2
    exit 64
    ;;
esac
