"""``python -m ci.gate BASE HEAD``: has HEAD become slower, hungrier or less accurate than BASE?"""

import json
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import click

from ci.gate.confirm import Judged, compare, judge
from ci.gate.measure import NO_TIMES, ONLY_TIMES, Bench, MeasurementError, pair
from ci.gate.summary import summary

ROOT = Path(__file__).parents[2]
CONFIRMED, UNMEASURED = 1, 2


def _pattern(context: click.Context, parameter: click.Parameter, given: str | None) -> str:
    """The benchmarks that are asked for; a pattern that is none is refused before an environment is built for it."""
    pattern = given or (ROOT / "benchmarks" / "gate.regex").read_text(encoding="utf-8").strip()
    try:
        re.compile(pattern)
    except re.error as error:
        raise click.BadParameter(f"{pattern!r} is no regular expression: {error}.") from error
    return pattern


def _file(context: click.Context, parameter: click.Parameter, given: Path | None) -> Path | None:
    """Where the summary goes; after minutes of measuring a traceback would end with the code of a slow-down."""
    if given is not None and not given.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {str(given.absolute().parent)!r}; make it first.")
    return given


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("base")
@click.argument("head")
@click.option(
    "--bench", callback=_pattern, help="Regular expression of asv's benchmark names.  [default: benchmarks/gate.regex]"
)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(3), help="Rounds of every time.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    callback=_file,
    help="Also write the summary to this file.",
)
def main(*, base: str, head: str, bench: str, rounds: int, output: Path | None) -> None:
    """Measure two commits in turns and judge HEAD by BASE.

    The summary, Markdown for a pull request, goes to standard output and asv's output to standard error; results and
    verdicts stay in .asv/gate. Exit codes: 0 nothing got worse, 1 a confirmed slow-down or a worse tracked number,
    2 it could not be measured.
    """
    old, new = _commit(base), _commit(head)
    if old == new:
        raise click.UsageError(f"BASE {base!r} and HEAD {head!r} are the same commit; name two.")
    try:
        judged = _measure_and_judge(old, new, bench, rounds)
    except MeasurementError as error:
        click.echo(f"Error: {error}.", err=True)
        raise click.exceptions.Exit(UNMEASURED) from error
    text = summary(judged, old, new, rounds=rounds)
    click.echo(text)
    if output:
        output.write_text(text, encoding="utf-8")
    if any(j.confirmed for j in judged):
        raise click.exceptions.Exit(CONFIRMED)


def _measure_and_judge(old: str, new: str, pattern: str, rounds: int) -> list[Judged]:
    bench = Bench(ROOT, pair(old, new))
    bench.run((old, new), f"{NO_TIMES}({pattern})")
    bench.run_rounds((old, new), f"{ONLY_TIMES}({pattern})", rounds)
    judged = judge(bench, old, new, compare(bench, old, new), rounds=rounds)
    verdicts = json.dumps([asdict(j) for j in judged], indent=1)
    (bench.folder / "verdicts.json").write_text(verdicts, encoding="utf-8")
    return judged


def _commit(name: str) -> str:
    command = ["git", "-C", str(ROOT), "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"]
    found = subprocess.run(command, text=True, capture_output=True, check=False)
    if found.returncode:
        raise click.UsageError(f"{name!r} is no commit of this repository; fetch it, or check the spelling.")
    return found.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
