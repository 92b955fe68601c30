#!/usr/bin/env bash
# Measures what the picker adds to a real Envoy, against the same Envoy spreading requests in turn.
#
#   Benchmarks/gateway/run.sh                  # prints Markdown
#   SECONDS_EACH=10 REPEATS=3 CONNECTIONS="1 8 64" ENVOY_THREADS=2 MODEL=model.glide …
#   GATEWAY=path/to/glidepath-gateway          # else it is built
#
# Everything runs on this machine: load, Envoy, picker, and three endpoints that are a third Envoy's
# fixed answers. Plain Envoy and picker take turns, so that both meet the same neighbours; processor
# time per request says the most where there are any. Needs wrk and python3.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${SECONDS_EACH:-10}
repeats=${REPEATS:-3}
connections=${CONNECTIONS:-1 8 64}
threads=${ENVOY_THREADS:-2}
prompt_bytes=${PROMPT_BYTES:-4000}
model=${MODEL:-}

envoy=$(deploy/fetch-envoy.sh)
if [[ -z ${GATEWAY:-} ]]; then
  swift build -c release --product glidepath-gateway >&2
  GATEWAY=$(swift build -c release --show-bin-path)/glidepath-gateway
fi

work=$(mktemp -d)
processes=()
trap 'kill "${processes[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT

read -r plain picked picker admin1 admin2 picker_admin end1 end2 end3 stream < <(
  python3 - <<'PYTHON'
import random, socket
free = []
# Below the ports that the system gives to outgoing connections.
for port in random.sample(range(20000, 32000), 100):
    with socket.socket() as s:
        if s.connect_ex(("127.0.0.1", port)): free.append(port)
print(*free[:10])
PYTHON
)

fill() {
  sed -e "s/0\.0\.0\.0/127.0.0.1/; s/LISTEN_PORT/$2/; s/ADMIN_PORT/$3/; s/PICKER_PORT/$picker/" \
    -e "s/ENDPOINT_PORT_1/$end1/; s/ENDPOINT_PORT_2/$end2/; s/ENDPOINT_PORT_3/$end3/" "$1"
}

# Waits until the URL answers.
await() {
  for _ in $(seq 100); do
    if curl -fs -o "$work/probe" "$1"; then return; fi
    sleep 0.1
  done
  echo "no answer from $1" >&2
  exit 1
}

start_envoy() {
  "$envoy" -c "$1" --use-dynamic-base-id --concurrency "$2" -l error >"$1.log" 2>&1 &
  processes+=($!)
}

# Endpoints: fixed answers by one Envoy, or for the stream a Python server.
endpoints() {
  echo "static_resources: { listeners: ["
  for port in "$end1" "$end2" "$end3"; do
    sed "s/PORT/$port/" Benchmarks/gateway/endpoint.yaml
  done
  echo "] }"
}

start_gateway() { # ENDPOINT-PORT...
  {
    echo "data: { address: 127.0.0.1, port: $picker }"
    echo "admin: { address: 127.0.0.1, port: $picker_admin }"
    echo "scrape: { enabled: false }"
    echo "endpoints: { file: $work/endpoints.yaml }"
    if [[ -n $model ]]; then echo "model: { path: $model }"; fi
  } >"$work/picker.yaml"
  {
    echo "endpoints:"
    for port in "$@"; do echo "  - { name: e$port, address: \"127.0.0.1:$port\" }"; done
  } >"$work/endpoints.yaml"
  "$GATEWAY" picker --config "$work/picker.yaml" >"$work/picker.log" 2>&1 &
  gateway_process=$!
  processes+=("$gateway_process")
}

# The processor time that a process has used, ms.
processor_time() {
  awk -v tick="$(getconf CLK_TCK)" '{ print ($14 + $15) * 1000 / tick }' "/proc/$1/stat"
}

# One run of wrk: appends name, connections, and what chat.lua and the processes' clocks say.
load() { # NAME PORT CONNECTIONS ENVOY-PROCESS
  local envoy_before gateway_before
  envoy_before=$(processor_time "$4")
  gateway_before=$(processor_time "$gateway_process")
  PROMPT_BYTES=$prompt_bytes wrk -t1 -c"$3" -d"${seconds}s" -s Benchmarks/gateway/chat.lua \
    "http://127.0.0.1:$2/v1/chat/completions" >"$work/wrk"
  awk -v name="$1" -v connections="$3" \
    -v envoy="$(processor_time "$4")" -v envoy_before="$envoy_before" \
    -v gateway="$(processor_time "$gateway_process")" -v gateway_before="$gateway_before" '
    $1 == "RESULT" {
      print name, connections, $3, $4, $5, $6, (envoy - envoy_before) * 1000 / $2,
        (gateway - gateway_before) * 1000 / $2
    }' "$work/wrk" >>"$work/results"
}

endpoints >"$work/endpoints-envoy.yaml"
fill deploy/envoy/envoy-round-robin.yaml "$plain" "$admin1" >"$work/plain.yaml"
fill deploy/envoy/envoy.yaml "$picked" "$admin2" >"$work/picked.yaml"
start_envoy "$work/endpoints-envoy.yaml" 1
start_gateway "$end1" "$end2" "$end3"
start_envoy "$work/plain.yaml" "$threads"
start_envoy "$work/picked.yaml" "$threads"
await "http://127.0.0.1:$plain/v1/models"
await "http://127.0.0.1:$picked/v1/models"

for count in $connections; do
  for _ in $(seq "$repeats"); do
    load plain "$plain" "$count" "${processes[2]}"
    load picker "$picked" "$count" "${processes[3]}"
  done
done

# A slow stream: how much later does each event arrive?
kill "$gateway_process"
wait "$gateway_process" 2>/dev/null || true
python3 Benchmarks/gateway/stream.py serve "$stream" &
processes+=($!)
end1=$stream end2=$stream end3=$stream
start_gateway "$stream"
fill deploy/envoy/envoy-round-robin.yaml "$plain" "$admin1" >"$work/plain.yaml"
kill "${processes[2]}"
wait "${processes[2]}" 2>/dev/null || true
start_envoy "$work/plain.yaml" "$threads"
await "http://127.0.0.1:$plain/v1/models"
await "http://127.0.0.1:$picked/v1/models"
for _ in $(seq "$repeats"); do
  python3 Benchmarks/gateway/stream.py load "$plain" | sed 's/^/plain /' >>"$work/streams"
  python3 Benchmarks/gateway/stream.py load "$picked" | sed 's/^/picker /' >>"$work/streams"
done

python3 Benchmarks/gateway/tabulate.py "$work/results" "$work/streams"
echo
echo "Machine: $(nproc) cores, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1);" \
  "load before and after includes other work ($(cut -d ' ' -f 1-3 /proc/loadavg))." \
  "Envoy: $threads workers. Prompt: $prompt_bytes bytes. Medians of $repeats runs of $seconds s."
