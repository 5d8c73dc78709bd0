#!/usr/bin/env bash
# Does the package work with the lowest versions that it declares? A fresh environment with exactly those, and a part of
# the tests in it. Usage: ci/minimum.sh [FOLDER [NAME==VERSION ...]]
#
# FOLDER takes the environment (default .minimum). Further arguments replace pins, for a package whose lowest version
# cannot be had: ci/minimum.sh .minimum torch==2.13.0
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=${1:-.minimum}
instead=()
for pin in "${@:2}"; do instead+=(--instead "$pin"); done

python3 -m venv --clear "$folder"
python3 -m ci.minimum torch jax bench report "${instead[@]}" > "$folder/pins.txt"
cat "$folder/pins.txt"
# the tests' own tools are not under test: as they are today
"$folder/bin/pip" install --quiet -r "$folder/pins.txt" "pytest>=8.0"
"$folder/bin/pip" install --quiet --no-deps -e .

# Old libraries warn of what newer ones changed: warnings are no errors here.
export JAX_PLATFORMS=cpu
"$folder/bin/python" -m pytest -q -W default -p no:cacheprovider \
  tests/data tests/networks tests/specs tests/analysis tests/presentation tests/papers tests/cli/test_cli.py \
  tests/test_numbers.py tests/agreement/test_peers.py tests/torch/test_torch_loops.py tests/jax/test_optax_composition.py
