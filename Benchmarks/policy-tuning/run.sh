#!/usr/bin/env bash
# Tunes on the first 70 % of each log and judges on the rest, against the field's published policies.
#
#   BUDGET=200 Benchmarks/policy-tuning/run.sh LOG.jsonl...
#
# Prints one row per log and rival: P90 TTFT of the rival, what the tuned policy saves of it with the
# paired 95 % interval, and the verdict. The full reports go to $OUT (default: a temporary folder).
set -euo pipefail
cd "$(dirname "$0")/../.."
swift build -c release --product glidepath
glidepath="$(swift build -c release --show-bin-path)/glidepath"
out=${OUT:-$(mktemp -d)}
echo "| log | rival | its P90 TTFT, ms | tuned saves | 95 % interval | verdict |"
echo "|---|---|---|---|---|---|"
for log in "$@"; do
  name=$(basename "$log")
  name=${name%%.*}
  # Exit codes 3 and 4 are answers too.
  "$glidepath" tune --log "$log" --budget "${BUDGET:-200}" --even-unproved \
    --output "$out/$name" --json > "$out/$name.json" || [[ $? -eq 3 || $? -eq 4 ]]
  jq -r --arg log "$name" '.rivals[] | .name as $rival
    | .comparisons[] | select(.metric == "ttft-p90")
    | "| \($log) | \($rival) | \(.baseline * 10 | round / 10) | \(.gain * 1000 | round / 10) % | "
      + "\(.lower * 1000 | round / 10) to \(.upper * 1000 | round / 10) % | \(.verdict) |"' \
    "$out/$name.json"
  jq -r --arg log "$name" '"| \($log) | proof: \(.proof.passes) | | | | advice: \(.advice.decision) |"' \
    "$out/$name.json"
done
echo "reports: $out" >&2
