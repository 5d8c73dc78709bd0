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
since=$(git merge-base "$base" HEAD)  # fails where there is no such commit, or nothing in common

# Names end with NUL: otherwise git writes one with a quotation mark, a backslash or a line end as it is not.
changed() { git diff --name-only -z "$since" HEAD -- "$@"; }

names=() others=()
while IFS= read -r -d '' path; do
    path=${path#submissions/}
    names+=("${path%%/*}")
done < <(changed 'submissions/*/*')
# the rules that judge a submission are not its own; of the boards only what python -m ci.results writes is
while IFS= read -r -d '' path; do
    others+=("$path")
done < <(changed . ':!submissions/*/*' ':!README.md' ':!results/*.md' ':!results/*.csv' ':!results/*.svg')
failed=0
if [ ${#names[@]} -gt 0 ] && [ ${#others[@]} -gt 0 ]; then
    echo "A pull request with a submission changes nothing but its folder and the boards; move elsewhere:"
    printf '%q\n' "${others[@]}"
    failed=1
fi
before=
for name in "${names[@]}"; do  # those of one folder follow each other
    if [ "$name" = "$before" ] || [ ! -d "submissions/$name" ]; then  # checked, or taken back
        continue
    fi
    before=$name
    printf '%q\n' "submissions/$name"
    if [ "${1:-}" = --rerun ]; then
        "$PYTHON" -m ci.submission --install "submissions/$name" || failed=1
    fi
    "$PYTHON" -m ci.submission "$@" "submissions/$name" || failed=1
done
exit "$failed"
