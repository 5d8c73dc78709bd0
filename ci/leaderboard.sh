#!/usr/bin/env bash
# Train what is not stored yet and write the board. Usage: ci/leaderboard.sh FOLDER [options of normbench run]
#
# FOLDER keeps the records between calls; leaderboard.md, .csv and .json in it are written anew. A run that fails is a
# row of the board; the exit code is not 0 only where the call was wrong or was interrupted.
set -euo pipefail
PYTHON=${PYTHON:-python}
if [ $# -eq 0 ]; then
    echo "Usage: ci/leaderboard.sh FOLDER [options of normbench run]" >&2
    exit 2
fi
folder=$1
shift

"$PYTHON" -m normbench.cli run --out "$folder" "$@"
for format in md csv json; do
    "$PYTHON" -m normbench.cli leaderboard --out "$folder" --format "$format" > "$folder/leaderboard.$format"
done
