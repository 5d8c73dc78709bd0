#!/usr/bin/env bash
# Does the package work with whatever its dependencies are today? A fresh environment without constraints, and the tests
# in it. Usage: ci/newest.sh [FOLDER]
#
# FOLDER takes the environment (default .newest). The published boards are those of constraints.txt and not compared.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=${1:-.newest}

python3 -m venv --clear "$folder"
"$folder/bin/pip" install --quiet --upgrade pip
"$folder/bin/pip" install --quiet -e ".[dev]"
"$folder/bin/pip" freeze

# What a library will change one day is a warning there, and no error here.
"$folder/bin/python" -m pytest -n 3 --dist loadfile -W default -p no:cacheprovider
