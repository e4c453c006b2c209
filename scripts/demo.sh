#!/usr/bin/env bash
# From a fresh clone to three answers: installs what is missing, builds, indexes the handbook of
# examples/handbook/ and lets the agent answer three questions from it.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

./scripts/install.sh
./scripts/build.sh facet plugin_units
facet=build/facet
store=build/demo-store

echo "== Indexing examples/handbook"
"$facet" index examples/handbook --store "$store"

ask() {
  printf '\n== %s\n' "$1"
  "$facet" ask "$1" --store "$store" --plugin build/plugins/units.so
}
ask "Who confirms refunds above 300 EUR?"
ask "What is the price of a headset, and what do 4 cost?"
ask "How long are spare parts kept?"
