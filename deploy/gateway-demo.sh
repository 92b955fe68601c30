#!/usr/bin/env bash
# A real Envoy, the picker, three simulated endpoints of different speeds and a load, under
# .gateway-demo/: the picker's own log trains the model that it then routes by.
# `make gateway-demo` builds first and puts glidepath and glidepath-gateway into PATH.
#
#   deploy/gateway-demo.sh [SECONDS [REQUESTS_PER_SECOND]]
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
rate=${2:-26}
home=.gateway-demo
workspace=$home/workspace
config=$home/picker.yaml

pids=()
# shellcheck disable=SC2317  # called by the trap
stop_all() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  pids=()
}
trap stop_all EXIT

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[[ -t 1 ]] || say() { printf '\n%s\n' "$*"; }

# Waits until the command succeeds, at most 20 s.
await() {
  for _ in $(seq 200); do
    "$@" >/dev/null 2>&1 && return 0
    sleep 0.1
  done
  echo "gateway-demo: gave up waiting for: $*; see the logs in $home" >&2
  return 1
}

# A port that was free a moment ago.
free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

load() {
  glidepath-gateway load --url "http://127.0.0.1:$listen" --seconds "$seconds" --rate "$rate" \
    --seed 7 "$@"
}

# One value of a load's JSON.
figure() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$1" "$2"; }

rm -rf "$home"
mkdir -p "$home"
envoy=$(deploy/fetch-envoy.sh)
listen=$(free_port)
picker=$(free_port)
health=$(free_port)
admin=$(free_port)
envoy_admin=$(free_port)

say "1. Three simulated endpoints, of speeds 1, 0.6 and 1.5"
glidepath-gateway endpoint --count 3 --port 0 --speeds 1,0.6,1.5 --kv-blocks 8192 --no-faults \
  --endpoints-file "$home/endpoints.yaml" >"$home/endpoints.txt" 2>"$home/endpoints.log" &
pids+=($!)
await test -s "$home/endpoints.yaml"
cat "$home/endpoints.txt"

say "2. The picker, without a model yet, and Envoy before it"
cat >"$config" <<YAML
pool: demo
logLevel: notice
data: { address: 127.0.0.1, port: $picker, healthPort: $health }
admin: { port: $admin }
model: { path: $workspace/models/champion }
policy: { name: predictedCost, seed: 1 }
endpoints: { file: $home/endpoints.yaml }
requestLog: { folder: $home/log, compressed: false }
drain: { graceMilliseconds: 100, limitMilliseconds: 5000 }
YAML
glidepath-gateway picker --config "$config" >"$home/picker.txt" 2>"$home/picker.log" &
pids+=($!)
await grep -q "picking on port" "$home/picker.txt"
sed -e "s/LISTEN_PORT/$listen/" -e "s/PICKER_PORT/$picker/" -e "s/ADMIN_PORT/$envoy_admin/" \
  deploy/envoy/envoy.yaml >"$home/envoy.yaml"
"$envoy" --config-path "$home/envoy.yaml" --log-level warning --use-dynamic-base-id --concurrency 2 \
  >"$home/envoy.log" 2>&1 &
pids+=($!)
await curl -fsS "http://127.0.0.1:$listen/v1/models"
echo "gateway:   http://127.0.0.1:$listen/v1/chat/completions"
echo "dashboard: http://127.0.0.1:$admin/"

say "3. Load for $seconds s at $rate requests/s; without a model the picker routes by load"
load --json >"$home/before.json"
echo "requests $(figure "$home/before.json" requests), failed $(figure "$home/before.json" failed)"

say "4. Retrain on the log that the picker wrote, while it runs"
await compgen -G "$home/log/*.jsonl*"
for round in 1 2 3; do
  code=0
  glidepath retrain --workspace "$workspace" "$home"/log/*.jsonl* 2>>"$home/retrain.log" || code=$?
  # 3 and 5: the gate was not convinced; more of the log may convince it.
  ((code == 3 || code == 5)) && ((round < 3)) || break
  echo "more load for the gate"
  glidepath-gateway load --url "http://127.0.0.1:$listen" --seconds 20 --rate "$rate" \
    --seed "$((100 + round))" --json >>"$home/more.json"
done
((code == 0)) || exit "$code"

say "5. The picker has seen the new model and routes by predicted cost"
await grep -q "a model is in force" "$home/picker.log"
grep "a model is in force" "$home/picker.log" | tail -n 1

say "6. The same load again"
load --json >"$home/after.json"
echo "requests $(figure "$home/after.json" requests), failed $(figure "$home/after.json" failed)"

say "7. Before and after"
python3 - "$home/before.json" "$home/after.json" <<'PYTHON'
import json, sys
before, after = (json.load(open(path)) for path in sys.argv[1:])
print(f"{'':12}{'by load':>12}{'predicted':>12}{'change':>10}")
for target in ("ttft", "tpot", "e2e"):
    for level in ("p50", "p90", "p99"):
        key = f"{target}_{level}_ms"
        change = 100 * (after[key] / before[key] - 1) if before[key] else 0
        print(f"{target.upper()} {level.upper():<7}{before[key]:>10.1f}ms{after[key]:>10.1f}ms{change:>+9.0f}%")
for key, name in (("goodput", "TTFT≤500ms"), ("cached_share", "cached")):
    print(f"{name:12}{100 * before[key]:>11.1f}%{100 * after[key]:>11.1f}%")
PYTHON
