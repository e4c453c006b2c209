#!/usr/bin/env bash
# Builds everything and runs every test. Arguments go to ctest, e.g. scripts/test.sh -R retrieval
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

./scripts/install.sh
./scripts/build.sh
ctest --test-dir build --output-on-failure -j "$(nproc)" --no-label-summary --label-exclude gpu "$@"
