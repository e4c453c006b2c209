#!/usr/bin/env bash
# Proves the CUDA engine on a machine with a GPU and nothing but nvcc, g++, CMake, ninja and Python:
# builds the engine alone, checks every kernel and whole steps, runs the small ones under
# compute-sanitizer, measures, and writes gpu_report.json and a table. Without a GPU it compiles
# everything and says that nothing was run. --quick: 1B only, without peer. Needs no network.
# Exit: 0 all checks passed (or no GPU), 1 a check failed, 2 something to build with is missing.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
quick=0
[[ "${1:-}" == "--quick" ]] && quick=1
build=${FACET_GPU_BUILD:-build-gpu}
out=$build/report
begin=$SECONDS
limit=520 # Seconds for everything: what is left bounds each measurement.

left() { echo $((limit - (SECONDS - begin) > 10 ? limit - (SECONDS - begin) : 10)); }
say() { printf '%4ds %s\n' $((SECONDS - begin)) "$*" >&2; }

export PATH="$PATH:/usr/local/cuda/bin"
for tool in nvcc g++ cmake ninja; do
  command -v "$tool" >/dev/null || { echo "gpu_check: $tool is missing" >&2; exit 2; }
done

mkdir -p "$out"
say "building for $(command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | head -1 || echo 'no GPU')"
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DFACET_ENGINE_ONLY=ON -DFACET_CUDA=ON \
  -DFACET_TESTS=OFF >"$out/configure.log" 2>&1 || { cat "$out/configure.log" >&2; exit 2; }
cmake --build "$build" >"$out/build.log" 2>&1 || { tail -50 "$out/build.log" >&2; exit 2; }
say "built"

if ! command -v nvidia-smi >/dev/null || ! nvidia-smi -L >/dev/null 2>&1; then
  echo "gpu_check: no GPU on this machine: everything was compiled, nothing was run"
  exit 0
fi

rm -f "$out"/*.jsonl
failed=0
checks=$build/tests/engine/cuda/facet_gpu_checks
say "checks"
timeout "$(left)" "$checks" >"$out/checks.jsonl" 2>"$out/checks.err" || failed=1
if command -v compute-sanitizer >/dev/null; then
  say "compute-sanitizer"
  small=("residual and norm" "embedding rows" "backend: recorded")
  [[ $quick == 1 ]] && small=("residual and norm")
  for check in "${small[@]}"; do
    name=${check// /-}
    timeout 60 compute-sanitizer --tool memcheck --error-exitcode 9 "$checks" "$check" \
      >"$out/memcheck-$name.log" 2>&1 && verdict='""' || verdict="\"see memcheck-$name.log\""
    [[ $verdict == '""' ]] || failed=1
    echo "{\"check\": \"memcheck: $check\", \"worst\": 0, \"failure\": $verdict}" >>"$out/checks.jsonl"
  done
fi

bench() { # shape type contexts...
  say "bench $*"
  timeout "$(left)" "$build/bench/gpu/facet_bench_gpu" "$@" >>"$out/bench.jsonl" 2>>"$out/bench.err" ||
    echo "{\"shape\": \"$1\", \"weights\": \"$2\", \"test\": \"failed\", \"context\": 0}" >>"$out/bench.jsonl"
}
say "ceilings"
timeout 60 python3 bench/gpu/ceilings.py >"$out/ceilings.jsonl" 2>"$out/ceilings.err" || true
if [[ $quick == 1 ]]; then
  bench 1b BF16 1024 8192
  bench 1b Q4_0 1024
else
  bench 12b BF16 1024 8192 32768
  bench 12b Q4_0 1024 32768
  bench 12b Q8_0 1024
  bench 1b BF16 1024 8192
  bench 4b BF16 1024 8192
  say "peer"
  timeout "$(left)" python3 bench/gpu/peer.py 12b >"$out/peer.jsonl" 2>"$out/peer.err" || true
  (($(left) > 60)) && bench 12b BF16 131072
fi
python3 bench/gpu/report.py "$out" gpu_report.json
exit $failed
