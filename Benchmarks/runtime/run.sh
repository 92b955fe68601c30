#!/usr/bin/env bash
# The embedded runtime beside XGBoost's and LightGBM's libraries: 1,000 endpoints, processor time of
# one core, in one run.
#
#   Benchmarks/runtime/run.sh [MODEL.glide] [LOG]
set -euo pipefail
cd "$(dirname "$0")/../.."
model=$(realpath "${1:-models/vllm-agentic.glide}")
log=$(realpath "${2:-datasets/vllm-agentic.jsonl.zst}")
venv=.venv-bench
if [[ ! -x $venv/bin/python ]]; then python3 -m venv "$venv"; fi
"$venv/bin/pip" install --quiet numpy scikit-learn xgboost lightgbm
for flags in "" "-Xcc -march=x86-64-v3"; do
  # AVX2 is not assumed of a gateway's machine; a build for it is faster still.
  [[ -z $flags ]] || grep -q avx2 /proc/cpuinfo || continue
  scratch=.build-runtime${flags:+-avx2}
  # shellcheck disable=SC2086
  swift build -c release --package-path Benchmarks/runtime --scratch-path "$scratch" $flags >&2
  echo "${flags:-plain x86-64}"
  "$scratch/release/RuntimeBenchmark" "$model" 1000 3
done
"$venv/bin/python" Benchmarks/runtime/peers.py "$log" 1000
