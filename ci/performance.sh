#!/usr/bin/env bash
# Has HEAD become slower, hungrier or less accurate than BASE? Usage: ci/performance.sh BASE HEAD [options]
#
# Needs asv: pip install -c constraints.txt -e ".[bench]". Prints a Markdown summary; docs/benchmarks.md explains it.
# Exit codes: 0 nothing got worse, 1 a confirmed slow-down or a worse tracked number, 2 it could not be measured.
set -euo pipefail
PYTHON=$(realpath -s "$(command -v "${PYTHON:-python}")")
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! "$PYTHON" -c 'import asv, virtualenv' 2>/dev/null; then
    echo "Error: $PYTHON has no asv. Install it with: $PYTHON -m pip install -c constraints.txt -e '.[bench]'" >&2
    exit 2
fi
export PIP_CONSTRAINT=${PIP_CONSTRAINT:-$PWD/constraints.txt}
exec "$PYTHON" -m ci.gate "$@"
