#!/usr/bin/env bash
# Counts false blocks: logs without any fault, cut into a long first night and short ones after it.
# Every retrain should promote; exit code 1 when more than one in 20 is blocked.
#
#   .ci/clean-nights.sh LOG.jsonl[.zst]...     # NIGHTS=8 retrains of each log
#
# Takes minutes, so `make test` does not run it. Needs glidepath in PATH, jq, zstd.
set -euo pipefail

(($# > 0)) || { echo "usage: $0 LOG.jsonl[.zst]..." >&2; exit 64; }
nights=${NIGHTS:-8}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
total=0
blocked=0

for log in "$@"; do
  if [[ $log == *.zst ]]; then zstd -dcq "$log"; else cat "$log"; fi >"$folder/all"
  # By arrival; the key has 19 digits, which a text sort keeps and jq's doubles would round.
  sed -E 's/.*"received_unix_ns": *([0-9]+).*/\1\t&/' "$folder/all" | sort -s -k1,1 \
    | cut -f2- >"$folder/sorted"
  # Cut by time, as nights are: the first has two parts of nights + 1.
  awk -v parts="$((nights + 1))" -v prefix="$folder/night-" '
    match($0, /"received_unix_ns": *[0-9]+/) {
      at = substr($0, RSTART, RLENGTH); sub(/.*[: ]/, "", at)
      times[NR] = at / 1e9; lines[NR] = $0
    }
    END {
      span = times[NR] - times[1]
      for (i = 1; i <= NR; i++) {
        part = span > 0 ? int((times[i] - times[1]) / span * parts) : 0
        if (part >= parts) part = parts - 1
        print lines[i] > (prefix (part < 1 ? 1 : part))
      }
    }' "$folder/sorted"

  rm -rf "$folder/workspace"
  for ((night = 1; night <= nights; night++)); do
    code=0
    glidepath retrain -w "$folder/workspace" --json "$folder/night-$night" \
      >"$folder/result" 2>"$folder/errors" || code=$?
    total=$((total + 1))
    if ((code != 0)); then
      blocked=$((blocked + 1))
      reason=$(jq -r '.reasons[0] // empty' "$folder/result" 2>/dev/null || true)
      echo "$log: night $night ended with $code: ${reason:-$(tail -n 3 "$folder/errors")}"
    fi
  done
  rm -f "$folder"/night-*
done

echo "$blocked of $total clean retrains were blocked"
((blocked * 20 <= total))
