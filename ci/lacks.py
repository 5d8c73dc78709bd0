"""What a program of ``ci`` or ``benchmarks`` says where a package is lacking: one line, with what installs it."""

import sys
import traceback
from types import TracebackType

from normbench.errors import BackendUnavailableError, install

OURS = ("ci", "benchmarks", "normbench", "tests")


def lack(error: BaseException | None) -> str:
    """What is lacking, and the remedy; "" where the error is another."""
    if isinstance(error, BackendUnavailableError):
        return str(error)
    name = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if not name or name in OURS:
        return ""
    return f"there is no module {name!r} here. What develops normbench has it: {install('dev')}"


def say_in_one_line() -> None:
    """Have what ``python -m`` is about to start say so; to be called while Python imports the package that it is in."""
    if sys.argv[:1] == ["-m"]:  # later it is the path of the program
        sys.excepthook = _told


def _told(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    said = lack(error)
    if said:
        print(f"Error: {said}", file=sys.stderr)
    else:
        traceback.print_exception(kind, error, where)
