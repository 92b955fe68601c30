#!/usr/bin/env bash
# Fails when predicting or picking allocates: the optimized runtime is run and its calls of the
# allocator are counted.
set -euo pipefail
cd "$(dirname "$0")/../Benchmarks/runtime"
swift build -c release
out=$("$(swift build -c release --show-bin-path)/RuntimeBenchmark" ../../models/vllm-agentic.glide 1000 0.2)
echo "$out"
grep -q '"batch_allocations": 0,' <<< "$out"
grep -q '"pick16_allocations": 0,' <<< "$out"
