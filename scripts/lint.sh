#!/usr/bin/env bash
# Runs clang-tidy (.clang-tidy: an allowlist) on the .cc files that differ from BASE (default: the
# commit before the last), or on the files given. Needs a configured build/.
#   scripts/lint.sh                 # changed in the last commit
#   scripts/lint.sh --base REV      # changed since REV
#   scripts/lint.sh engine/engine.cc
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

tool=$(command -v clang-tidy-19 || command -v clang-tidy-14 || command -v clang-tidy) || { echo "clang-tidy is missing (Debian: clang-tidy-19)" >&2; exit 1; }
base=HEAD~1
if [[ ${1:-} == --base ]]; then base=$2; shift 2; fi
if (($# > 0)); then
  files=("$@")
else
  git rev-parse -q --verify "$base" >/dev/null || base=$(git rev-list --max-parents=0 HEAD | tail -n 1)
  mapfile -t files < <(git diff --name-only --diff-filter=d "$base" -- '*.cc' ':!tests')
fi
((${#files[@]} == 0)) && { echo "lint: no changed .cc file since $base"; exit 0; }
printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 2 "$tool" --quiet -p build
echo "lint: ${#files[@]} files clean"
