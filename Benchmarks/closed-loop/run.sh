#!/usr/bin/env bash
# Routing policies side by side in a simulated fleet: logs under round robin, fits on them, compares.
#
#   SEEDS=5 Benchmarks/closed-loop/run.sh ENGINES.glide
#
# ENGINES.glide brings the engines' step times: a model fitted on a log with h100 and h200 endpoints.
set -euo pipefail
engines=$(realpath "$1")
cd "$(dirname "$0")/../.."
swift build -c release --product glidepath
glidepath="$(swift build -c release --show-bin-path)/glidepath"
cd Benchmarks/closed-loop
swift build -c release
loop="$(swift build -c release --show-bin-path)/ClosedLoop"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for scenario in 0 1 2 3 4 5; do
  "$loop" log "$engines" "$scenario" "$work/$scenario.jsonl"
  "$glidepath" fit --log "$work/$scenario.jsonl" --out "$work/$scenario.glide"
done
"$loop" compare "$engines" "$work" "${SEEDS:-5}"
"$loop" faults "$engines" "$work/0.glide"
"$loop" day "$engines" "$work/0.glide"
