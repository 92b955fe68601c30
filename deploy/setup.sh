#!/usr/bin/env bash
# Installs the Debian packages of deploy/apt-packages.txt that are missing; does nothing, and needs no
# network, when all are there. Called by `make setup`.
set -euo pipefail
cd "$(dirname "$0")"

mapfile -t wanted < <(grep -Ev '^[[:space:]]*(#|$)' apt-packages.txt)

if ! command -v dpkg-query >/dev/null; then
  echo "setup: not a Debian system; install the equivalents of: ${wanted[*]}" >&2
  exit 0
fi

missing=()
for package in "${wanted[@]}"; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $state == installed ]] || missing+=("$package")
done

if ((${#missing[@]} > 0)); then
  root=()
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      echo "setup: missing ${missing[*]}; run as root: apt-get install ${missing[*]}" >&2
      exit 1
    fi
    root=(sudo)
  fi
  echo "setup: installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  "${root[@]}" apt-get update -qq
  "${root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

if ! command -v swift >/dev/null; then
  echo "setup: no swift in PATH; Glidepath needs Swift 6.2 or later, see https://www.swift.org/install" >&2
  exit 1
fi
