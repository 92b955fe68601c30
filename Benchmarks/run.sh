#!/usr/bin/env bash
# Measures glidepath against DuckDB, XGBoost and LightGBM and writes Benchmarks/results.md.
#
#   ROWS=1000000 REPEATS=3 THREADS=4 Benchmarks/run.sh
set -euo pipefail
cd "$(dirname "$0")/.."

rows=${ROWS:-1000000}
repeats=${REPEATS:-3}
threads=${THREADS:-$(nproc)}
venv=.venv-bench

if [[ ! -x $venv/bin/python ]]; then python3 -m venv "$venv"; fi
"$venv/bin/pip" install --quiet numpy polars duckdb xgboost lightgbm

swift build -c release --product glidepath
glidepath="$(swift build -c release --show-bin-path)/glidepath"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
zstd -dcq datasets/vllm-agentic.jsonl.zst > "$work/source.jsonl"
"$venv/bin/python" Benchmarks/peers/generate_log.py \
  "$work/source.jsonl" "$work/log.jsonl" --rows "$rows"
"$venv/bin/python" Benchmarks/compare.py "$work/log.jsonl" --glidepath "$glidepath" \
  --threads "$threads" --repeats "$repeats" --out Benchmarks/results.md
