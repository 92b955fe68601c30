#!/usr/bin/env bash
# The whole job on a real log, in a fresh workspace under .demo/: two nights and a hot reload.
# `make demo` builds first and puts glidepath into PATH.
set -euo pipefail
cd "$(dirname "$0")/.."

log=datasets/vllm-agentic.jsonl.zst
home=.demo
workspace=$home/workspace
champion=$workspace/models/champion

watcher=
# shellcheck disable=SC2317  # called by the trap
stop_watcher() {
  [[ -n $watcher ]] || return 0
  kill "$watcher" 2>/dev/null || true
  wait "$watcher" 2>/dev/null || true
  watcher=
}
trap stop_watcher EXIT

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[[ -t 1 ]] || say() { printf '\n%s\n' "$*"; }

# Waits until the watcher has printed at least $1 lines, at most 10 s.
await_lines() {
  for _ in $(seq 100); do
    (($(wc -l <"$home/watch.txt") >= $1)) && return 0
    sleep 0.1
  done
  echo "demo: the scorer did not reload; see $home/watch.txt" >&2
  return 1
}

rm -rf "$home"
mkdir -p "$home"

say "1. A gateway's log so far: ten minutes of what three vLLM engines served"
zstd -dcq "$log" | sed -n '1,15000p' >"$home/gateway.jsonl"
glidepath ingest --workspace "$workspace" "$home/gateway.jsonl"

say "2. The first night: fit, judge on the newest requests, promote what beats a constant"
glidepath retrain --workspace "$workspace"

say "3. A running scorer follows $champion"
glidepath watch --model "$champion" >"$home/watch.txt" 2>&1 &
watcher=$!
await_lines 1
cat "$home/watch.txt"

say "4. The next night: the log has grown; the challenger must be no worse than the incumbent"
zstd -dcq "$log" >"$home/gateway.jsonl"
glidepath retrain --workspace "$workspace" "$home/gateway.jsonl"
await_lines 2
echo "  the scorer (process $watcher, never restarted) now says:"
tail -n +2 "$home/watch.txt"
stop_watcher

say "5. What it would have predicted for the log's first requests, at their dispatch"
sed -n '1,2000p' "$home/gateway.jsonl" >"$home/first.jsonl"
glidepath predict --model "$champion" --log "$home/first.jsonl" --out "$home/predictions.jsonl"
tail -n 2 "$home/predictions.jsonl"

say "6. Why: one request, term by term"
request=$(tail -n 1 "$home/predictions.jsonl" | jq -r .request_id)
glidepath explain --model "$champion" --log "$home/first.jsonl" --request "$request"

say "7. What was promoted"
glidepath history --workspace "$workspace"
size=$(stat -L -c %s "$champion")
report=$(find "$workspace/reports" -name '*.html' | sort | tail -n 1)
echo
echo "coefficients: $champion ($size bytes)"
echo "report:       $PWD/$report (open it in a browser)"
echo "walk-throughs: notebooks-md/"
