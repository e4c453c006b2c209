#!/usr/bin/env bash
# What the CUDA kernels take of a multiprocessor: registers, static shared memory, stack and spills of
# every kernel, as a table. Compiles engine/cuda/*.cu for the given architectures (default: 90a); needs
# nvcc, no device. Ends with exit code 1 where a kernel spills registers.
#   scripts/cuda_resources.sh [arch...]      e.g. 80 89 90a 100 120
set -euo pipefail
cd "$(dirname "$0")/.."
architectures=("${@:-90a}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

compile() {  # source architecture
  nvcc -std=c++20 -O3 --expt-relaxed-constexpr -I. -cubin -Xptxas=-v -Werror=all-warnings \
    -gencode="arch=compute_$2,code=sm_$2" "$1" -o "$work/$2.$(basename "$1").cubin" 2>&1 ||
    { echo "cannot compile $1 for sm_$2" >&2; return 1; }
}
export -f compile
export work

for architecture in "${architectures[@]}"; do
  for source in engine/cuda/*.cu; do
    printf '%s\0%s\0' "$source" "$architecture"
  done
done | xargs -0 -n 2 -P "$(nproc)" bash -c 'compile "$1" "$2" > "$work/$2.$(basename "$1").log"' _ ||
  { cat "$work"/*.log >&2; exit 1; }

# One line per kernel: architecture, name, registers, static shared memory, stack, spilled bytes.
for log in "$work"/*.log; do
  architecture=$(basename "$log" | cut -d. -f1)
  awk -v arch="$architecture" '
    /Compiling entry function/ { split($0, part, "\047"); name = part[2] }
    /bytes stack frame/ { stack = $1; spill = $5 + $9 }
    /Used [0-9]+ registers/ {
      match($0, /Used [0-9]+/); registers = substr($0, RSTART + 5, RLENGTH - 5)
      shared = 0
      if (match($0, /[0-9]+ bytes smem/)) shared = substr($0, RSTART, RLENGTH) + 0
      print arch, name, registers, shared, stack, spill
    }' "$log"
done | c++filt | sed -E \
  -e 's/void //; s/facet::engine::cuda:://g; s/\(anonymous namespace\):://g' \
  -e 's/\(Layout\)10/q5_k/; s/\(Layout\)11/q6_k/' \
  -e 's/\(Layout\)0/f32/; s/\(Layout\)1/f16/; s/\(Layout\)2/bf16/; s/\(Layout\)3/fp8/' \
  -e 's/\(Layout\)4/q8/; s/\(Layout\)5/q8_min/; s/\(Layout\)6/q4/; s/\(Layout\)7/q2_k/' \
  -e 's/\(Layout\)8/q3_k/; s/\(Layout\)9/q4_k/; s/\((int|bool)\)//g; s/, /,/g' \
  -e 's/>\(.*\) ([0-9]+ [0-9]+ [0-9]+ [0-9]+)$/> \1/' \
  -e 's/^([^ ]+ [a-z0-9_]+)\(.*\) /\1 /' |
  sort > "$work/table"

echo "| sm | kernel | registers | static shared, B | stack, B | spilled, B |"
echo "|---|---|---|---|---|---|"
awk '{ n = NF; name = $2; for (i = 3; i <= n - 4; ++i) name = name " " $i
       printf "| %s | `%s` | %s | %s | %s | %s |\n", $1, name, $(n - 3), $(n - 2), $(n - 1), $n }' \
  "$work/table"
awk '$NF > 0 { ++bad } END { if (bad > 0) { print bad " kernels spill registers" > "/dev/stderr"; exit 1 } }' \
  "$work/table"
