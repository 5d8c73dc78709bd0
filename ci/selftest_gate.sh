#!/usr/bin/env bash
# Does the gate catch what it should, and stay quiet on noise? Usage: ci/selftest_gate.sh FOLDER
#
# In a scratch clone in FOLDER: ten commits that change nothing, then one each with a slower method 1 in torch, the
# same in JAX, a wrong factor that raises the RMS, and more memory, then one more without a change. Every commit is
# compared with its parent by ci/performance.sh, and asv publishes the pair's results. Writes FOLDER/table.md; exit 1
# if a planted regression was missed, by the gate or by asv's regressions page, or if more than one alarm was false.
# About an hour; killed, it goes on where it was. Needs what ci/performance.sh needs.
set -euo pipefail
PYTHON=$(realpath -s "$(command -v "${PYTHON:-python}")")
[ $# -eq 1 ] || { echo "Usage: ci/selftest_gate.sh FOLDER" >&2; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PYTHON PIP_CONSTRAINT=${PIP_CONSTRAINT:-$PWD/constraints.txt}

commit() { git commit --quiet --allow-empty --message "$1"; }

# replace FILE OLD NEW: fails unless OLD stands there exactly once
replace() {
    "$PYTHON" - "$@" <<'PY'
import pathlib, sys
path, old, new = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
text = path.read_text(encoding="utf-8")
if text.count(old) != 1:
    sys.exit(f"{path} holds {old!r} {text.count(old)} times, not once: adapt ci/selftest_gate.sh to the code")
path.write_text(text.replace(old, new), encoding="utf-8")
PY
    git add "$1"
}

step='    tau = step_size(derivatives, trust_region=trust_region)'

plant_history() {
    for k in 1 2 3 4 5 6 7 8 9 10; do commit "identical $k"; done
    # (a) line derivatives made twice
    replace normbench/torch/updates/method1.py "$step" \
        "    objective.curve_derivatives(point, slope, along.velocity, along.moving, order)
$step"
    commit "planted: 1.3x slower method 1 in torch"
    # (b) the first derivative made twice, in a way that the compiler cannot drop
    replace normbench/jax/updates/method1.py "$step" \
        "    again = objective.curve_derivatives(point, along.velocity, along.moving, 1)
    derivatives = [d + 0 * a for d, a in zip(derivatives, [*again, 0.0], strict=True)]
$step"
    commit "planted: 1.3x slower method 1 in JAX"
    # (c) a step that is too short by a factor
    replace normbench/torch/updates/method1.py "$step" "${step/step_size/0.0125 * step_size}"
    replace normbench/jax/updates/method1.py "$step" "${step/step_size/0.0125 * step_size}"
    commit "planted: a wrong factor that raises the RMS by 3 %"
    # (d) one more set of activations, never used
    replace normbench/torch/benchmark/trainer.py "            self._state = self._method.init(" \
        "            self._kept = torch.ones(int(1.1 * sum(len(w) for w in weights)), len(problem.x_train))
            self._state = self._method.init("
    commit "planted: 30 % more memory in torch"
    commit "identical 11"
}

if [ ! -e "$folder/clone/.planted" ]; then
    rm -rf "$folder/clone"
    git clone --quiet . "$folder/clone"
    (
        cd "$folder/clone"
        git checkout --quiet -B main
        git config user.name selftest
        git config user.email selftest@example.invalid
        plant_history
        touch .planted
    )
fi

cd "$folder/clone"
mapfile -t commits < <(git rev-list --reverse HEAD | tail -n 16)
for ((k = 1; k < ${#commits[@]}; k++)); do
    base=${commits[k - 1]} head=${commits[k]}
    [ -e ".asv/gate/${base:0:8}-${head:0:8}/verdicts.json" ] && continue
    outcome=0
    ci/performance.sh "$base" "$head" --output "$folder/$(printf %02d "$k").md" || outcome=$?
    [ "$outcome" -le 1 ]
done

exec "$PYTHON" -m ci.selftest "${commits[@]}" --output "$folder/table.md"
