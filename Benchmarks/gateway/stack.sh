# Starts Envoy, picker and simulated endpoints for the scripts beside it; sourced, not run.
#
# Needs $work, a folder; sets a trap that ends whatever was started. A stack has a name, under which its
# files lie: $work/NAME/log, the picker's request log, and so on.

processes=()
# shellcheck disable=SC2317  # called by the trap
stop_all() {
  local process
  for process in "${processes[@]}"; do kill "$process" 2>/dev/null || true; done
  for process in "${processes[@]}"; do wait "$process" 2>/dev/null || true; done
  processes=()
}
trap stop_all EXIT

find_programs() {
  envoy=$(deploy/fetch-envoy.sh)
  if [[ -z ${GATEWAY:-} ]]; then
    swift build -c release --product glidepath-gateway >&2
    swift build -c release --product glidepath >&2
    GATEWAY=$(swift build -c release --show-bin-path)/glidepath-gateway
  fi
  gateway=$GATEWAY
  glidepath=${GLIDEPATH:-$(dirname "$gateway")/glidepath}
}

# Waits until the command succeeds, at most 30 s.
await() {
  for _ in $(seq 300); do
    "$@" >/dev/null 2>&1 && return 0
    sleep 0.1
  done
  echo "gave up waiting for: $*; see $work" >&2
  return 1
}

# COUNT ports that are free, below those that the system gives to outgoing connections.
free_ports() {
  python3 - "$1" <<'PYTHON'
import random, socket, sys
free = []
for port in random.sample(range(20000, 32000), 400):
    with socket.socket() as s:
        if s.connect_ex(("127.0.0.1", port)): free.append(port)
    if len(free) == int(sys.argv[1]): break
print(*free)
PYTHON
}

declare -A listen admin picker_process endpoint_port endpoint_process

# start_endpoint NAME INDEX SPEED PORT: one simulated endpoint of a stack.
start_endpoint() {
  local key=$1-$2
  "$gateway" endpoint --port "$4" --speeds "$3" --kv-blocks "${KV_BLOCKS:-8192}" \
    --endpoints-file "$work/$1/endpoint-$2.yaml" >>"$work/$1/endpoints.log" 2>&1 &
  processes+=($!)
  endpoint_process[$key]=$!
  endpoint_port[$key]=$4
  await curl -fsS "http://127.0.0.1:$4/health"
  await test -s "$work/$1/endpoint-$2.yaml"
}

# start_stack NAME SPEEDS POLICY-YAML [MODEL]: endpoints of these speeds, picker and Envoy.
start_stack() {
  local name=$1 policy=$3 model=${4:-} home=$work/$1 picker health envoy_admin ports index speeds
  mkdir -p "$home"
  read -r "listen[$name]" picker health "admin[$name]" envoy_admin < <(free_ports 5)
  IFS=, read -ra speeds <<<"$2"
  read -ra ports < <(free_ports "${#speeds[@]}")
  echo "endpoints:" >"$home/endpoints.yaml"
  for index in "${!speeds[@]}"; do
    start_endpoint "$name" "$index" "${speeds[index]}" "${ports[index]}"
    sed -n "s/endpoint-0/endpoint-$index/; 2,\$p" "$home/endpoint-$index.yaml" >>"$home/endpoints.yaml"
  done
  cat >"$home/picker.yaml" <<YAML
pool: $name
logLevel: notice
data: { address: 127.0.0.1, port: $picker, healthPort: $health }
admin: { port: ${admin[$name]} }
model: { path: "$model" }
policy: $policy
endpoints: { file: $home/endpoints.yaml }
requestLog: { folder: $home/log, compressed: false, chunkOffsets: 0 }
drain: { graceMilliseconds: 100, limitMilliseconds: 5000 }
${PICKER_EXTRA:-}
YAML
  "$gateway" picker --config "$home/picker.yaml" >"$home/picker.txt" 2>"$home/picker.log" &
  processes+=($!)
  picker_process[$name]=$!
  await grep -q "picking on port" "$home/picker.txt"
  sed -e "s/LISTEN_PORT/${listen[$name]}/" -e "s/PICKER_PORT/$picker/" \
    -e "s/ADMIN_PORT/$envoy_admin/" -e "s/0\.0\.0\.0/127.0.0.1/" \
    deploy/envoy/envoy.yaml >"$home/envoy.yaml"
  "$envoy" --config-path "$home/envoy.yaml" --log-level warning ${ENVOY_EXTRA:-} --use-dynamic-base-id \
    --concurrency 1 >"$home/envoy.log" 2>&1 &
  processes+=($!)
  await curl -fsS "http://127.0.0.1:${listen[$name]}/v1/models"
}

# load NAME RATE SECONDS SEED [OPTION...]: conversations through a stack; JSON of what came.
# LOAD_EXTRA says what they are like.
load() {
  # shellcheck disable=SC2086  # a list of options
  local name=$1 rate=$2 seconds=$3 seed=$4
  shift 4
  "$gateway" load --url "http://127.0.0.1:${listen[$name]}" --rate "$rate" --seconds "$seconds" \
    --seed "$seed" --json ${LOAD_EXTRA:-} "$@"
}
