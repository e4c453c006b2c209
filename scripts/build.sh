#!/usr/bin/env bash
# Configures build/ (Release; CUDA where nvcc is found) and builds the given targets, or everything.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

if [[ ! -f build/build.ninja ]]; then
  cuda=OFF
  command -v nvcc >/dev/null && cuda=ON
  cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DFACET_CUDA="$cuda" >&2
fi
targets=()
for target in "$@"; do targets+=(--target "$target"); done
cmake --build build "${targets[@]}" >&2
