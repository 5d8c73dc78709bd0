#!/usr/bin/env bash
# Check every submission that a branch changes. Usage: ci/submissions.sh BASE [--rerun]
#
# Without --rerun nothing that a submission brings is run. With it each is installed, and some of its runs are made again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PYTHON=${PYTHON:-python}
if [ $# -eq 0 ]; then
    echo "Usage: ci/submissions.sh BASE [--rerun]" >&2
    exit 2
fi
base=$1
shift

changed() { git -c core.quotePath=false diff --name-only "$base...HEAD" -- "$@"; }

names=$(changed 'submissions/*/*' | cut -d / -f 2 | sort -u)
# the rules that judge a submission are not its own; of the boards only what python -m ci.results writes is
others=$(changed . ':!submissions/*/*' ':!README.md' ':!results/*.md' ':!results/*.csv' ':!results/*.svg')
failed=0
if [ -n "$names" ] && [ -n "$others" ]; then
    echo "A pull request with a submission changes nothing but its folder and the boards; move elsewhere:"
    echo "$others"
    failed=1
fi
while IFS= read -r name; do
    if [ -z "$name" ] || [ ! -d "submissions/$name" ]; then  # none, or one that is taken back
        continue
    fi
    echo "submissions/$name"
    if [ "${1:-}" = --rerun ]; then
        "$PYTHON" -m ci.submission --install "submissions/$name" || failed=1
    fi
    "$PYTHON" -m ci.submission "$@" "submissions/$name" || failed=1
done <<< "$names"
exit "$failed"
