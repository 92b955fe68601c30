#!/usr/bin/env bash
# Does a tuned policy gain behind a real Envoy what the tuner said it would?
#
#   Benchmarks/gateway/truthfulness.sh            # prints Markdown; about 35 minutes
#   SPEEDS=1,1,0.6,0.6 RATE=30 PLAY_SECONDS=600 BASELINE=llm-d BUDGET=100 KV_BLOCKS=8192 SEEDS="2 1" …
#   LOAD_EXTRA="--turns 1.5 --message-tokens 3000 …"    # another kind of load
#   GATEWAY=path/to/glidepath-gateway             # else both programs are built
#
# 1. A stock policy routes a load of conversations over simulated endpoints behind a real Envoy.
# 2. `glidepath retrain` and `glidepath tune` learn from the log that the picker wrote; the tuner
#    says what the tuned policy will gain.
# 3. Two such gateways run side by side, each with its own endpoints: one keeps the stock policy, the
#    other takes the tuned file over while it serves. Both get the same load, first one with another
#    seed, then the first one again. Side by side, they share what else the machine does.
# 4. What was gained is computed from the two pickers' logs, with a bootstrap over blocks of time.
set -euo pipefail
cd "$(dirname "$0")/../.."

speeds=${SPEEDS:-1,1,0.6,0.6}
rate=${RATE:-30}
seconds=${PLAY_SECONDS:-600}
baseline=${BASELINE:-llm-d}
budget=${BUDGET:-100}
seeds=${SEEDS:-2 1}
declare -A names=([llm-d]=weightedScorers [round-robin]=roundRobin [least-request]=leastRequest)
stock="{ name: ${names[$baseline]}, seed: 1 }"

work=${WORK:-$(mktemp -d)}
mkdir -p "$work"
# shellcheck source=Benchmarks/gateway/stack.sh
source Benchmarks/gateway/stack.sh
find_programs
say() { echo "$(date +%T) $*" >&2; }

# play NAME SEED: a load through a stack, and when it began.
play() {
  date +%s%N >"$work/$1/began-$2"
  load "$1" "$rate" "$seconds" "$2" --maximum-failed-share 1 >"$work/$1/load-$2.json"
}

say "the stock policy serves; load before: $(cut -d ' ' -f 1-3 /proc/loadavg)"
start_stack first "$speeds" "$stock"
play first 1
sleep 1
stop_all

say "retrain and tune on $(cat "$work"/first/log/* | wc -l) requests"
"$glidepath" retrain --workspace "$work/workspace" "$work"/first/log/*.jsonl \
  >"$work/retrain.txt" 2>&1 || { tail -n 3 "$work/retrain.txt" >&2; exit 1; }
code=0
"$glidepath" tune --log "$work"/first/log/*.jsonl --model "$work/workspace/models/champion" \
  --baseline "$baseline" --budget "$budget" --output "$work/tuning" \
  >"$work/tune.txt" 2>&1 || code=$?
if [[ ! -e $work/tuning/tuned.glide ]]; then
  say "no advice to adopt (exit code $code); see $work/tune.txt"
  exit "$code"
fi

say "stock and tuned side by side"
cp -L "$work/workspace/models/champion" "$work/serving.glide"
start_stack stock "$speeds" "$stock"
start_stack tuned "$speeds" "{ name: model, seed: 1 }" "$work/serving.glide"
for seed in $seeds; do
  play stock "$seed" &
  one=$!
  play tuned "$seed" &
  two=$!
  if [[ $seed == "${seeds%% *}" ]]; then
    # Taken over under load, before the first block that counts.
    sleep 10
    cp "$work/tuning/tuned.glide" "$work/next.glide"
    mv "$work/next.glide" "$work/serving.glide"
  fi
  wait "$one" "$two"
done
stop_all
grep -c "a model is in force" "$work/tuned/picker.log" | grep -qx 2

python3 Benchmarks/gateway/truthfulness.py "$work" "$baseline" "$seconds"
echo
echo "Endpoints of speeds $speeds, $rate requests/s, $seconds s a play, KV cache of" \
  "${KV_BLOCKS:-8192} blocks; load options: ${LOAD_EXTRA:-none}; $(nproc) cores," \
  "load after: $(cut -d ' ' -f 1-3 /proc/loadavg)."
[[ -n ${WORK:-} ]] || rm -rf "$work"
