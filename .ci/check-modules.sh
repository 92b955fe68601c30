#!/usr/bin/env bash
# Fails when a module depends on one that the table of Sources/README.md does not allow, or when
# serving modules import Foundation or anything of learning.
#
# The table is the truth: its first column names a module, its last one what it may depend on.
set -euo pipefail
cd "$(dirname "$0")/.."

map=Sources/README.md
serving=(CoefficientFile RoutingRuntime RoutingRuntimeC)
failures=0

fail() {
  echo "module map: $1" >&2
  failures=$((failures + 1))
}

# Rows such as: | `LogReplay` | … | `RequestLog`, `RoutingRuntime` |
allowed() {
  awk -F '|' -v module="\`$1\`" '
    { name = $2; gsub(/ /, "", name) }
    name == module { found = 1; gsub(/[`, ]+/, " ", $(NF - 1)); print $(NF - 1) }
    END { exit !found }' "$map"
}

description=$(swift package describe --type json)
targets=$(jq -r '.targets[] | select(.path | startswith("Sources/"))
  | [.name, ((.target_dependencies // []) + (.product_dependencies // []) | join(" "))] | @tsv' \
  <<<"$description")

while IFS=$'\t' read -r module dependencies; do
  if ! may=$(allowed "$module"); then
    fail "$module has no row in $map"
    continue
  fi
  for dependency in $dependencies; do
    [[ " $may " == *" $dependency "* ]] \
      || fail "$module depends on $dependency; $map allows:${may:- nothing}"
  done
done <<<"$targets"

# The manifest does not show system frameworks: look at the imports themselves.
for module in "${serving[@]}"; do
  [[ -d Sources/$module ]] || continue
  may=" $(allowed "$module") Glibc Musl Synchronization "
  while IFS=: read -r file line; do
    imported=$(sed -E 's/.*import +((struct|class|enum|func|protocol|typealias) +)?([A-Za-z0-9_]+).*/\3/' <<<"$line")
    [[ $may == *" $imported "* ]] || fail "$file imports $imported; serving may not"
  done < <(grep -rE --include='*.swift' '^ *((public|package|internal|private|@[a-zA-Z_()]+) +)*import ' "Sources/$module" || true)
done

if ((failures > 0)); then exit 1; fi
echo "module map: $(wc -l <<<"$targets") modules as Sources/README.md says"
