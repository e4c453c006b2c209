#!/usr/bin/env bash
# Proves the CUDA engine on a machine with a GPU and nothing but nvcc, g++, CMake, ninja and Python:
# builds the engine alone, checks every kernel and whole steps, measures, runs small checks under
# compute-sanitizer, and writes gpu_report.json (anew after every stage, whatever has failed by
# then) and a table. Without a GPU it compiles everything and says that nothing was run.
# --quick: 1B only, without peer. Needs no network. Logs are in build-gpu/report.
# Exit: 0 all checks passed (or no GPU), 1 a check failed, 2 something to build with is missing.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
quick=0
[[ "${1:-}" == "--quick" ]] && quick=1
build=${FACET_GPU_BUILD:-build-gpu}
out=$build/report
begin=$SECONDS
limit=520 # Seconds for everything: what is left bounds each stage.

left() { echo $((limit - (SECONDS - begin))); }
say() { printf '%4ds %s\n' $((SECONDS - begin)) "$*" >&2; }
within() { # seconds command...: stopped after them, or when the time of all is up
  local seconds=$1 rest
  shift
  rest=$(left)
  timeout -k 5 $((rest < 5 ? 5 : rest < seconds ? rest : seconds)) "$@"
}
has_time() { # seconds stage
  (($(left) >= $1)) || { say "no time left: $2"; return 1; }
}

export PATH="$PATH:/usr/local/cuda/bin:/usr/local/nvidia/bin"
for tool in nvcc g++ cmake ninja; do
  command -v "$tool" >/dev/null || { echo "gpu_check: $tool is missing" >&2; exit 2; }
done
gpu=$(nvidia-smi -L 2>/dev/null) || gpu=""

mkdir -p "$out"
say "building for ${gpu:-no GPU}"
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DFACET_ENGINE_ONLY=ON -DFACET_CUDA=ON \
  -DFACET_TESTS=OFF >"$out/configure.log" 2>&1 || { cat "$out/configure.log" >&2; exit 2; }
cmake --build "$build" --target facet_gpu_checks facet_bench_gpu >"$out/build.log" 2>&1 ||
  { tail -50 "$out/build.log" >&2; exit 2; }
say "built"

if [[ -z $gpu ]]; then
  echo "gpu_check: no GPU on this machine: everything was compiled, nothing was run"
  exit 0
fi

rm -f "$out"/*.jsonl "$out"/*.err
failed=0
checks=$build/tests/engine/cuda/facet_gpu_checks
touch "$out/checks.jsonl"

report() { python3 bench/gpu/report.py "$out" gpu_report.json >"$out/table.txt" || failed=1; }
note() { # check key text: a line that the checks could not write themselves
  printf '{"check": "%s", "worst": 0, "%s": "%s"}\n' "$1" "$2" "$3" >>"$out/checks.jsonl"
}

last_words() { # of the checks, without what the shell says of a crash
  grep -v "^$0: line" "$out/checks.err" | tail -1 | tr -d '\\"'
}

# All checks. One that breaks the device, crashes or hangs takes its process with it, so the rest is
# run by another one.
run_checks() {
  local skip=0 rc=0
  while has_time 20 checks; do
    rc=0
    within 240 "$checks" --skip "$skip" >>"$out/checks.jsonl" 2>>"$out/checks.err" || rc=$?
    ((rc == 0)) || failed=1
    case $rc in
      0 | 1) return ;;
      3) ;; # It has written why.
      77) note "device" failure "$(last_words)" && return ;;
      *) note "$(last_words)" failure "ended with $rc" ;;
    esac
    skip=$(wc -l <"$out/checks.jsonl")
  done
  failed=1
}

sanitize() { # tool check
  local log="$out/$1-${2//[ :]/-}.log" rc=0
  has_time 30 "$1 $2" || return 0
  say "$1: $2"
  within 45 compute-sanitizer --tool "$1" --error-exitcode 9 "$checks" "$2" >"$log" 2>&1 || rc=$?
  if ((rc == 0)); then
    note "$1: $2" failure ""
  elif ((rc == 9)) && { [[ $1 == memcheck ]] || grep -q "Error: Race" "$log"; }; then
    failed=1
    note "$1: $2" failure "see $(basename "$log")"
  else # Too slow, not on this machine, or hazards that it is not sure of: nothing is proven.
    note "$1: $2" skipped "ended with $rc, see $(basename "$log")"
  fi
}

bench() { # shape type contexts...
  has_time 20 "bench $*" || return 0
  say "bench $*"
  within 120 "$build/bench/gpu/facet_bench_gpu" "$@" >>"$out/bench.jsonl" 2>>"$out/bench.err" ||
    printf '\n{"shape": "%s", "weights": "%s", "test": "failed", "context": 0}\n' "$1" "$2" \
      >>"$out/bench.jsonl"
  report
}

say "checks"
run_checks
report
say "ceilings"
within 60 python3 bench/gpu/ceilings.py >"$out/ceilings.jsonl" 2>"$out/ceilings.err" || true
if [[ $quick == 1 ]]; then
  bench 1b BF16 1024 8192
  bench 1b Q4_0 1024
  FACET_CUDA_PRODUCTS=wgmma bench 1b BF16 8192
  small=("residual and norm")
else
  bench 12b BF16 1024 8192 32768
  FACET_CUDA_PRODUCTS=wgmma bench 12b BF16 8192
  bench 12b Q4_0 1024 32768
  bench 12b Q8_0 1024
  bench 1b BF16 1024 8192
  bench 4b BF16 1024 8192
  bench 12b BF16 131072
  small=("residual and norm" "products of Q4_0" "attention of a step, bf16"
    "flash" "backend: recorded")
fi
if command -v compute-sanitizer >/dev/null; then
  for check in "${small[@]}"; do sanitize memcheck "$check"; done
  for check in "${small[@]:0:3}"; do sanitize racecheck "$check"; done
else
  note "compute-sanitizer" skipped "it is not there"
fi
report
if [[ $quick == 0 ]] && has_time 40 peer; then
  say "peer"
  within 300 python3 bench/gpu/peer.py 12b >"$out/peer.jsonl" 2>"$out/peer.err" || true
  report
fi
say "done"
cat "$out/table.txt"
exit "$failed"
