#!/usr/bin/env bash
# Builds the fuzzers with libFuzzer and the address sanitizer and runs each for some seconds.
#
#   Fuzz/run.sh [SECONDS] [request-log|coefficient-file|http-bodies|predictor-entries]
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

request_log() {
  local files=()
  build_module RequestLog
  mapfile -t files < <(objects RequestLog CSimdJSON Yams CYaml)
  swiftc "${flags[@]}" -module-name FuzzRequestLog Fuzz/fuzz-request-log.swift \
    -I "$build/checkouts/Yams/Sources/CYaml/include" \
    -Xcc -fmodule-map-file="$build/debug/CSimdJSON.build/module.modulemap" \
    -Xcc -fmodule-map-file=Sources/CCompression/module.modulemap \
    "${files[@]}" -lsimdjson -lz -lzstd -lstdc++ -o "$build/fuzz-request-log"
  mkdir -p "$build/corpus-request-log"
  zstd -dcq datasets/vllm-agentic.jsonl.zst 2>/dev/null | head -n 3 \
    > "$build/corpus-request-log/seed.jsonl" || true
  fuzz request-log -max_len=4096
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
  http-bodies) http_bodies ;;
  predictor-entries) predictor_entries ;;
  all)
    coefficient_file
    request_log
    http_bodies
    predictor_entries
    ;;
  *)
    echo "usage: Fuzz/run.sh [SECONDS] [request-log|coefficient-file|http-bodies|predictor-entries]" >&2
    exit 64
    ;;
esac
