#!/usr/bin/env bash
# Fuzzes what reads bytes from outside, with libFuzzer, ASan and UBSan, one target after the other:
#   scripts/fuzz.sh [SECONDS] [TARGET...]      60 seconds and every target where nothing is said
# New inputs are kept in build/fuzz/corpus/, crashes in build/fuzz/found/. A crash belongs into
# tests/fuzz/TARGET/ together with its fix: the tests replay every file there.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

seconds=60
if [[ ${1:-} =~ ^[0-9]+$ ]]; then
  seconds=$1
  shift
fi
targets=("$@")
if [[ ${#targets[@]} == 0 ]]; then
  targets=(gguf safetensors model_proto gguf_vocabulary tokenizer_text config image
    schema schema_check regex gbnf functiongemma gemma3_python gemma3_json gemma3_tool_code gemma4)
fi
compiler=$(command -v clang++-14 || command -v clang++) || {
  echo "clang++ is missing (Debian: clang-14 libclang-rt-14-dev)" >&2
  exit 1
}

cmake -S . -B build/fuzz -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_COMPILER="$compiler" \
  -DFACET_FUZZ=ON -DFACET_SANITIZE=address,undefined >/dev/null
cmake --build build/fuzz --target "${targets[@]/#/fuzz_}" >&2

found=build/fuzz/found
mkdir -p "$found"
failed=()
for target in "${targets[@]}"; do
  corpus=build/fuzz/corpus/$target
  log=build/fuzz/$target.log
  mkdir -p "$corpus"
  if ! build/fuzz/tests/fuzz/fuzz_"$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 \
      -max_len=65536 -print_final_stats=1 -artifact_prefix="$found/$target-" \
      "$corpus" "tests/fuzz/$target" >"$log" 2>&1; then
    failed+=("$target")
    grep -m1 -A12 -E 'ERROR|CHECK failed|runtime error|SUMMARY' "$log" || tail -n 20 "$log"
  fi
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  cover=$(grep -oE 'cov: [0-9]+ ft: [0-9]+ corp: [0-9]+' "$log" | tail -n 1)
  printf '%-16s %9s runs in %s s, %s\n' "$target" "${runs:-?}" "$seconds" "$cover"
done
if [[ ${#failed[@]} != 0 ]]; then
  echo "failed: ${failed[*]}; inputs in $found, logs in build/fuzz/" >&2
  exit 1
fi
echo "no crash in ${#targets[@]} targets"
