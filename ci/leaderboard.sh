#!/usr/bin/env bash
# Train what is not stored yet and write the board. Usage: ci/leaderboard.sh FOLDER [options of normbench run]
#
# FOLDER keeps the records between calls; leaderboard.md, .csv and .json in it are written anew. Exit codes are those
# of normbench run: 1 where a run failed or missed its target.
set -euo pipefail
PYTHON=${PYTHON:-python}
if [ $# -eq 0 ]; then
    echo "Usage: ci/leaderboard.sh FOLDER [options of normbench run]" >&2
    exit 2
fi
folder=$1
shift

outcome=0
"$PYTHON" -m normbench.cli run --out "$folder" "$@" || outcome=$?
for format in md csv json; do
    "$PYTHON" -m normbench.cli leaderboard --out "$folder" --format "$format" > "$folder/leaderboard.$format"
done
exit "$outcome"
