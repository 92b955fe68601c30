#!/usr/bin/env bash
# One of four endpoints behind a real Envoy fails in the middle of a load: who notices, and for how long?
#
#   Benchmarks/gateway/faults.sh                  # prints Markdown; about 12 minutes
#   FAULTS="none killed stalled" RATE=30 POLICY="{ name: weightedScorers }" MODEL=model.glide …
#   GATEWAY=path/to/glidepath-gateway             # else it is built
#
# The load lasts 75 s; the fault begins after 25 s and ends after 50 s. Clients give up after 10 s.
# killed: the process is killed and started again; hung: neither requests nor scrapes are answered;
# stalled: scrapes are; reset: connections are reset; errors: status 500; slowed: steps take five
# times as long; lying: its metrics say that it is idle.
set -euo pipefail
cd "$(dirname "$0")/../.."

rate=${RATE:-30}
faults=${FAULTS:-none killed hung stalled reset errors slowed lying}
policy=${POLICY:-"{ name: predictedCost, seed: 1 }"}

work=${WORK:-$(mktemp -d)}
mkdir -p "$work"
# shellcheck source=Benchmarks/gateway/stack.sh
source Benchmarks/gateway/stack.sh
find_programs

# ask STACK BODY: tells the first endpoint what is wrong with it.
ask() { curl -fsS -o "$work/answer" -d "$2" "http://127.0.0.1:${endpoint_port[$1-0]}/fault"; }

begin() {
  case $1 in
    none) ;;
    killed) kill -9 "${endpoint_process[$1-0]}" ;;
    hung) ask "$1" '{"kind":"hang"}' ;;
    stalled) ask "$1" '{"kind":"stall"}' ;;
    reset) ask "$1" '{"kind":"reset"}' ;;
    errors) ask "$1" '{"kind":"error"}' ;;
    slowed) ask "$1" '{"kind":"slow","factor":5}' ;;
    lying) ask "$1" '{"kind":"metrics"}' ;;
  esac
}

end() {
  case $1 in
    none) ;;
    killed) start_endpoint "$1" 0 1 "${endpoint_port[$1-0]}" ;;
    *) ask "$1" '{"kind":"heal"}' ;;
  esac
}

for fault in $faults; do
  start_stack "$fault" 1,1,1,1 "$policy" "${MODEL:-}"
  # Caches and corrections settle.
  load "$fault" "$rate" 15 2 --timeout 10 --maximum-failed-share 1 >/dev/null
  date +%s%N >"$work/$fault/began"
  load "$fault" "$rate" 75 1 --timeout 10 --maximum-failed-share 1 \
    --outcomes "$work/$fault/outcomes.jsonl" >"$work/$fault/load.json" &
  loading=$!
  sleep 25
  begin "$fault"
  sleep 25
  end "$fault"
  wait "$loading"
  curl -fsS "http://127.0.0.1:${admin[$fault]}/metrics" >"$work/$fault/metrics.txt"
  stop_all
done
# shellcheck disable=SC2086  # a list
python3 Benchmarks/gateway/faults.py "$work" $faults
echo
echo "$rate requests/s, 4 endpoints, policy $policy, $(nproc) cores," \
  "load after: $(cut -d ' ' -f 1-3 /proc/loadavg)."
[[ -n ${WORK:-} ]] || rm -rf "$work"
