"""Whether a submission may stand on the published boards: one line a rule, exit code 1 where one is violated.

``python -m ci.submission submissions/NAME`` imports nothing that the submission brings. ``--install`` has pip install
its package and checks nothing; ``--rerun`` also makes some of its runs again, with the package that is installed.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ci.results import RESULTS
from ci.submission.metadata import Submission, read
from ci.submission.rules import checked
from normbench.errors import NormbenchError

CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"


def parser() -> argparse.ArgumentParser:
    """The arguments of the command."""
    made = argparse.ArgumentParser(
        prog="python -m ci.submission", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("folder", type=Path, metavar="submissions/NAME")
    made.add_argument("--results", type=Path, default=RESULTS, help="folder of the published records")
    what = made.add_mutually_exclusive_group()
    what.add_argument("--install", action="store_true", help="have pip install what submission.toml names, and end")
    what.add_argument("--rerun", action="store_true", help="make the cheapest runs again; runs the submitted code")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    given = parser().parse_args(arguments)
    if not given.folder.is_dir():
        parser().error(f"{given.folder} is no folder. Name one below submissions/.")
    if given.install:
        return _install(given.folder)
    verdicts, submission, runs = checked(given.folder, given.results)
    if given.rerun and submission and not any(verdict.breaches for verdict in verdicts):
        from ci.submission.rerun import made_again

        verdicts.append(made_again(submission, runs))
    for verdict in verdicts:
        print(verdict)
    return 1 if any(verdict.breaches for verdict in verdicts) else 0


def _install(folder: Path) -> int:
    found = read(folder)
    if not isinstance(found, Submission):
        print(*found, sep="\n", file=sys.stderr)
        return 1
    if not found.pip_installs:
        print(f"{found.metadata.install} holds modules that are imported from there: nothing to install.")
        return 0
    return subprocess.run(pip_call(found), check=False).returncode


def pip_call(submission: Submission) -> list[str]:
    """The command that installs the package of a submission beside the libraries that are here."""
    return [sys.executable, "-m", "pip", "install", "-c", str(CONSTRAINTS), submission.pip_installs]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NormbenchError as error:
        sys.exit(f"Error: {error}")
