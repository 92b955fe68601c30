#!/usr/bin/env bash
# What tuning is worth where the truth is known: fleets of given engines, and the logs that they make.
#
#   Benchmarks/policy-tuning/known-fleet.sh [ENGINES.glide] [ranks|rivals|loads|speed|hour|proof]...
#
# ENGINES.glide brings the engines' step times; without it, a model is fitted on the bundled mixed log.
# SEEDS, SECONDS_LOGGED, BUDGET and WORKERS (threads) change what is measured; see main.swift.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [[ "${1:-}" == *.glide ]]; then
  engines=$(realpath "$1")
  shift
else
  engines=$work/engines.glide
  swift build -c release --product glidepath
  "$(swift build -c release --show-bin-path)/glidepath" fit \
    --log datasets/fleet-mixed.jsonl.zst --out "$engines"
fi
cd Benchmarks/policy-tuning
swift build -c release
bench="$(swift build -c release --show-bin-path)/PolicyBench"
for what in "${@:-ranks rivals loads speed hour}"; do
  for part in $what; do
    echo "## $part"
    if [[ $part == speed ]] && grep -q avx2 /proc/cpuinfo; then
      # AVX2 is not assumed of any machine; the standard library is linked in as in the container.
      swift build -c release --scratch-path .build-avx2 --static-swift-stdlib \
        -Xcc -march=x86-64-v3 >&2
      echo "plain x86-64"
      "$bench" speed "$engines"
      echo "-Xcc -march=x86-64-v3, static standard library"
      .build-avx2/release/PolicyBench speed "$engines"
    elif [[ $part == proof ]]; then
      "$bench" proof "$root"/datasets/*.jsonl.zst
    else
      "$bench" "$part" "$engines"
    fi
  done
done
