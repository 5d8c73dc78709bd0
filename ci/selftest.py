"""The last part of ``ci/selftest_gate.sh``: what the gate and asv's page said of every commit, as a table."""

import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

import click

from ci.gate.measure import pair
from ci.git import ROOT, git

# subject of a planting commit: the benchmarks that must be flagged there
PLANTED = {
    "planted: 1.3x slower method 1 in torch": [r"time_iteration\('?method1'?, '?torch"],
    "planted: 1.3x slower method 1 in JAX": [r"time_iteration\('?method1'?, '?jax"],
    "planted: a wrong factor that raises the RMS by 3 %": [r"track_train_rms\('?torch", r"track_train_rms\('?jax"],
    "planted: 30 % more memory in torch": [r"track_training_memory\('?torch"],
}
FALSE_ALARMS_ALLOWED = 1


@click.command()
@click.argument("commits", nargs=-1, required=True)
@click.option("--output", required=True, type=click.Path(path_type=Path))
def main(*, commits: tuple[str, ...], output: Path) -> None:
    """Judge the judges: COMMITS, oldest first, have all been compared with their parents."""
    lines = [
        "| commit | first alarms | confirmed by the gate | on asv's regressions page |",
        "| --- | ---: | --- | --- |",
    ]
    missed, false = [], 0
    for base, head in itertools.pairwise(commits):
        subject = git("log", "-1", "--format=%s", head)
        verdicts = json.loads((_folder(base, head) / "verdicts.json").read_text(encoding="utf-8"))
        confirmed = [_described(v) for v in verdicts if v["confirmed"]]
        alarms = sum(bool(v["note"]) for v in verdicts)
        shown = _regressions_page(base, head)
        lines.append(f"| {subject} | {alarms} | {_cell(confirmed)} | {_cell(shown)} |")
        expected = PLANTED.get(subject, [])
        missed += [
            f"{subject}: {pattern} not flagged by {judge}"
            for pattern in expected
            for judge, flagged in (("the gate", confirmed), ("asv", shown))
            if not any(re.search(pattern, entry) for entry in flagged)
        ]
        false += bool(confirmed) and not expected
    comparisons = sum(git("log", "-1", "--format=%s", c) not in PLANTED for c in commits[1:])
    lines += ["", f"{false} of {comparisons} comparisons of identical code raised a false alarm."]
    output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    click.echo(output.read_text(encoding="utf-8"))
    for line in missed:
        click.echo(f"MISSED: {line}", err=True)
    sys.exit(1 if missed or false > FALSE_ALARMS_ALLOWED else 0)


def _folder(base: str, head: str) -> Path:
    return ROOT / ".asv" / "gate" / pair(base, head)


def _regressions_page(base: str, head: str) -> list[str]:
    """What asv's regressions page shows at ``head``, from the results that the gate measured of these two commits.

    Of two commits asv takes every difference beyond the threshold for a step; in a series as short as this one, its
    detection wants noise below two per cent before it believes in a step of a third.
    """
    folder = _folder(base, head)
    command = [sys.executable, "-m", "asv", "publish", "--no-pull", "--config", str(folder / "asv.conf.json")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    regressions = json.loads((folder / "html" / "regressions.json").read_text(encoding="utf-8"))["regressions"]
    return [f"{name} x{after / before:.2f}" for name, *_, jumps in regressions for *_, before, after in jumps]


def _described(verdict: dict) -> str:
    comparison = verdict["comparison"]
    return f"{comparison['benchmark']} x{comparison['ratio']:.2f}"


def _cell(entries: list[str]) -> str:
    return "<br>".join(f"`{entry}`" for entry in entries) or "–"


if __name__ == "__main__":
    main()
