#!/usr/bin/env bash
# Formats every C++ and CUDA source in place, new files too; with --check only tells what differs.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

tool=$(command -v clang-format-14 || command -v clang-format) || { echo "clang-format is missing (Debian: clang-format-14)" >&2; exit 1; }
mode=(-i)
[[ ${1:-} == --check ]] && mode=(--dry-run -Werror)
git ls-files --cached --others --exclude-standard '*.h' '*.hpp' '*.cc' '*.cu' '*.cuh' | xargs -r "$tool" "${mode[@]}"
