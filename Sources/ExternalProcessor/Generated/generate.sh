#!/bin/sh
# Regenerates the Swift sources of this folder from its .proto files.
#
# usage: generate.sh PATH-TO-protoc-gen-swift
# Needs protoc (apt: protobuf-compiler) and the plugin, which swift-protobuf's own package builds:
#   swift build --product protoc-gen-swift
set -eu
plugin=${1:?path of protoc-gen-swift}
cd "$(dirname "$0")"
protoc --plugin=protoc-gen-swift="$plugin" --swift_opt=Visibility=Internal \
  --swift_opt=UseAccessLevelOnImports=true --swift_out=. ./*.proto
