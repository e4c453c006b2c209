#!/usr/bin/env bash
# Proves the CUDA engine on a machine with a GPU and nothing but nvcc, g++, CMake, ninja and Python:
# builds the engine alone, checks every kernel and whole steps, runs small checks under
# compute-sanitizer, measures what the bar names and then more, and writes gpu_report.json (anew
# after every stage, whatever has failed by then) and a table. What time cuts off stands in both.
# Without a GPU it compiles everything and says that nothing was run.
# --quick: 1B only, without peer. Needs no network. Logs are in build-gpu/report.
# Exit: 0 nothing failed (or there is no GPU; what was skipped is in the table), 1 a check or a
# measurement failed or the driver is broken, 2 something to build with is missing.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
quick=0
[[ "${1:-}" == "--quick" ]] && quick=1
build=${FACET_GPU_BUILD:-build-gpu}
out=$build/report
begin=$SECONDS
limit=520 # Seconds for everything: what is left bounds each stage.
kept=0    # Of those, seconds that stay with later stages.

left() { echo $((limit - kept - (SECONDS - begin))); }
say() { printf '%4ds %s\n' $((SECONDS - begin)) "$*" >&2; }
give() { # seconds: for the stages that follow, until the next give; "all": what is there
  local rest
  kept=0
  rest=$(left)
  [[ $1 == all ]] || ((rest <= $1)) || kept=$((rest - $1))
}
within() { # seconds command...: stopped after them, or when the time of all is up
  local seconds=$1 rest
  shift
  rest=$(left)
  timeout -k 5 $((rest < 5 ? 5 : rest < seconds ? rest : seconds)) "$@"
}

export PATH="$PATH:/usr/local/cuda/bin:/usr/local/nvidia/bin"
export PYTHONDONTWRITEBYTECODE=1
for tool in nvcc g++ cmake ninja; do
  command -v "$tool" >/dev/null || { echo "gpu_check: $tool is missing" >&2; exit 2; }
done

# A GPU that its driver does not show is not the same as none.
gpu=""
broken=""
if command -v nvidia-smi >/dev/null; then
  gpu=$(nvidia-smi -L 2>&1) || broken="nvidia-smi -L ended with $?: $gpu"
  [[ $gpu == GPU* ]] || gpu=""
fi
[[ -n $gpu || ! -e /dev/nvidia0 ]] || broken=${broken:-/dev/nvidia0 is there, nvidia-smi shows none}

mkdir -p "$out"
rm -f "$out"/*.jsonl "$out"/*.err "$out"/*.last
failed=0
if command -v python3 >/dev/null &&
  ! python3 bench/gpu/report_test.py 2>"$out/report_test.log"; then
  failed=1
  echo "gpu_check: bench/gpu/report_test.py failed: see $out/report_test.log" >&2
fi
say "building for ${broken:-${gpu:-no GPU}}"
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DFACET_ENGINE_ONLY=ON -DFACET_CUDA=ON \
  -DFACET_TESTS=OFF >"$out/configure.log" 2>&1 || { cat "$out/configure.log" >&2; exit 2; }
cmake --build "$build" --target facet_gpu_checks facet_bench_gpu >"$out/build.log" 2>&1 ||
  { tail -50 "$out/build.log" >&2; exit 2; }
say "built"

if [[ -n $broken ]]; then
  echo "gpu_check: the driver is broken, nothing was run: $broken"
  exit 1
elif [[ -z $gpu ]]; then
  echo "gpu_check: no GPU on this machine: everything was compiled, nothing was run"
  exit "$failed"
fi

checks=$build/tests/engine/cuda/facet_gpu_checks
touch "$out/checks.jsonl"

report() { python3 bench/gpu/report.py "$out" gpu_report.json >"$out/table.txt" || failed=1; }
plain() { tr -d '\\"\n' | tr -c '[:print:]' ' '; } # What may stand in a JSON string.
note() { # check key text: a line that the checks could not write themselves
  printf '{"check": "%s", "worst": 0, "%s": "%s"}\n' "$1" "$2" "$3" >>"$out/checks.jsonl"
}
outcome() { # stage ok|failed|skipped why
  [[ $2 == failed ]] && failed=1
  printf '{"stage": "%s", "outcome": "%s", "why": "%s"}\n' "$1" "$2" \
    "$(printf '%s' "$3" | plain)" >>"$out/stages.jsonl"
}

last_words() { # of the checks, without what the shell says of a crash
  grep -v "^$0: line" "$out/checks.err" | tail -1 | plain
}

# All checks. One that breaks the device, crashes or hangs takes its process with it, so the rest is
# run by another one.
run_checks() {
  local skip=0 rc=0 tries=0
  while (($(left) >= 20)); do
    ((++tries <= 20)) || { outcome "checks" failed "given up after 20 that broke"; return; }
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
  outcome "checks" failed "no time for all of them"
}

sanitize() { # tool check
  local log="$out/$1-${2//[ :]/-}.log" rc=0
  if (($(left) < 10)); then
    note "$1: $2" skipped "no time"
    return
  fi
  say "$1: $2"
  within 30 compute-sanitizer --tool "$1" --error-exitcode 9 "$checks" "$2" >"$log" 2>&1 || rc=$?
  if ((rc == 0)); then
    note "$1: $2" failure ""
  elif ((rc == 9)) && { [[ $1 == memcheck ]] || grep -q "Error: Race" "$log"; }; then
    failed=1
    note "$1: $2" failure "see $(basename "$log")"
  else # Too slow, not on this machine, or hazards that it is not sure of: nothing is proven.
    note "$1: $2" skipped "ended with $rc, see $(basename "$log")"
  fi
}

# Runs what measures: its lines go to NAME.jsonl, its complaints to NAME.err, how it ended to the
# report. 77: it cannot be run here.
measure() { # stage name seconds-at-least seconds-at-most command...
  local stage=$1 log=$out/$2 least=$3 most=$4 rc=0 rest at=$SECONDS why
  shift 4
  rest=$(left)
  if ((rest < least)); then
    say "no time: $stage"
    outcome "$stage" skipped "no time"
    return
  fi
  say "$stage"
  within "$most" "$@" >>"$log.jsonl" 2>"$log.last" || rc=$?
  ((rc == 0)) || echo >>"$log.jsonl" # Behind half a line.
  cat "$log.last" >>"$log.err"
  why=$(tail -1 "$log.last")
  if ((rc == 0)); then
    outcome "$stage" ok ""
  elif ((rc == 77)); then
    outcome "$stage" skipped "$why"
  elif ((rc == 5)) && [[ $why == *"too little memory"* ]]; then
    outcome "$stage" skipped "$why"
  elif ((rc == 124 || rc == 137)) && ((rest < most && SECONDS - at >= rest)); then
    outcome "$stage" skipped "no time: stopped after $rest s"
  else
    outcome "$stage" failed "ended with $rc: $why"
  fi
  report
}
bench() { # shape type options and contexts...
  measure "bench${FACET_CUDA_PRODUCTS:+ by $FACET_CUDA_PRODUCTS}: $*" bench 20 120 \
    "$build/bench/gpu/facet_bench_gpu" "$@"
}

((failed == 0)) || outcome "report_test.py" failed "see report_test.log"
say "checks"
run_checks
report
small=("residual and norm" "products of Q4_0" "attention of a step, bf16" "flash"
  "backend: recorded")
((quick)) && small=("residual and norm")
if command -v compute-sanitizer >/dev/null; then
  give 75
  for check in "${small[@]}"; do sanitize memcheck "$check"; done
  for check in "${small[@]:0:3}"; do sanitize racecheck "$check"; done
  give all
else
  note "compute-sanitizer" skipped "it is not there"
fi
report

# The bar first, then the peer, then other shapes: what time cuts off is the least that it can be.
measure ceilings ceilings 20 60 python3 bench/gpu/ceilings.py
if ((quick)); then
  bench 1b BF16 1024 8192
  bench 1b Q4_0 --head Q8_0 --kv int8 1024
  FACET_CUDA_PRODUCTS=wgmma bench 1b BF16 8192
else
  four=(Q4_0 --head Q8_0 --kv int8)
  bench 12b BF16 1024 2048 8192 16384 32768
  bench 12b "${four[@]}" 1024 32768
  bench 12b BF16 --streams 100
  bench 12b Q8_0 1024
  bench 12b BF16 131072
  give $(($(left) - 60))
  measure peer peer 40 300 python3 bench/gpu/peer.py 12b
  give all
  bench 4b BF16 1024 8192 32768 131072
  bench 1b BF16 1024 8192 32768 131072
  FACET_CUDA_PRODUCTS=wgmma bench 12b BF16 8192
  bench 12b "${four[@]}" 8192 131072
  bench 4b "${four[@]}" 1024 32768
  bench 1b "${four[@]}" 1024 32768
  bench 12b BF16 --kv int8 --streams 100
  bench 12b "${four[@]}" --streams 100
fi
report
say "done"
cat "$out/table.txt"
exit "$failed"
