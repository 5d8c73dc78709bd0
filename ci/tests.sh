#!/usr/bin/env bash
# The README's own test command in a fresh environment, then the published board, the linters and the type checker.
# Usage: ci/tests.sh
#
# With NORMBENCH_DATA naming a folder that holds neural_fly/, the tests on real flights run too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset PYTHONDONTWRITEBYTECODE  # with it each of the many processes that tests start compiles the package anew

command=$(sed -n '/<!-- tests -->/,/^```$/p' README.md | sed '1,2d;$d')
test -n "$command"
echo "+ $command"
bash -euo pipefail -c "$command"

.venv/bin/python -m ci.results --check &  # beside the type checker, which takes as long
results=$!
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
wait "$results"
