"""What the test suite costs, room by room: ``python -m ci.suite_cost`` runs it and adds that to results/suite.csv.

A plugin of pytest sums the processor time of cases by the folder of ``tests`` that they are in, that of processes which
they start included, and reads the peak memory of each process of pytest-xdist. Processor time depends little on what
else the machine does. Further arguments are pytest's; with any, or where a test fails or a file is changed, the costs
are printed and not recorded. Linux and macOS.
"""

import csv
import re
import resource
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ci.git import ROOT, git
from normbench.records.versions import environment

FILE = ROOT / "results" / "suite.csv"
WHOLE = "all"
COLUMNS = ("date", "commit", "cpu", "processes", "room", "cases", "processor_s", "clock_s", "peak_mib")
_COMMAND = re.compile(r"^.* -m pytest (.*)$", re.MULTILINE)  # of the README
_PER_MIB = 1 << (20 if sys.platform == "darwin" else 10)  # ru_maxrss counts bytes there, KiB elsewhere


class Costs:
    """The plugin; in a process of pytest-xdist it hands what it found to the one that started it.

    Attributes
    ----------
    cases : Counter
        By room.
    seconds : dict of str to float
        Of processor time, by room.
    peaks : list of float
        Peak memory in MiB of each process that ran cases.
    """

    def __init__(self) -> None:
        self.cases: Counter[str] = Counter()
        self.seconds: dict[str, float] = defaultdict(float)
        self.peaks: list[float] = []
        self._ran_cases = False  # in this process

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Sum what a case takes, its set-up and the processes that it started included."""
        before = _processor_seconds()
        try:
            return (yield)
        finally:
            room = room_of(item.nodeid)
            self._ran_cases = True
            self.cases[room] += 1
            self.seconds[room] += _processor_seconds() - before

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Add this process's peak, and hand all to the process that started it, if one did."""
        if self._ran_cases:
            self.peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _PER_MIB)
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output["costs"] = (dict(self.cases), dict(self.seconds), self.peaks)

    @pytest.hookimpl(optionalhook=True)  # of pytest-xdist
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a process found; one that died has nothing."""
        cases, seconds, peaks = getattr(node, "workeroutput", {}).get("costs", ({}, {}, []))
        self.cases.update(cases)
        for room, used in seconds.items():
            self.seconds[room] += used
        self.peaks += peaks


def room_of(nodeid: str) -> str:
    """The folder of ``tests`` that a case is in, "" for what stands beside the folders."""
    parts = nodeid.partition("::")[0].split("/")
    return parts[1] if len(parts) > 2 else ""


def pytest_configure(config: pytest.Config) -> None:
    """Load the plugin in processes of pytest-xdist, which import this module by its name."""
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(Costs())


def rows(costs: Costs, clock: float) -> list[dict[str, Any]]:
    """The lines of the table: a room each, the dearest first, after the whole."""
    common = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": git("rev-parse", "--short=8", "HEAD"),
        "cpu": environment("reference")["cpu"],
        "processes": len(costs.peaks),
    }
    whole = {"room": WHOLE, "clock_s": round(clock), "peak_mib": round(max(costs.peaks, default=0.0))}
    found = [common | whole | {"cases": costs.cases.total(), "processor_s": round(sum(costs.seconds.values()), 1)}]
    for room, seconds in sorted(costs.seconds.items(), key=lambda item: -item[1]):
        found.append(common | {"room": room or "tests", "cases": costs.cases[room], "processor_s": round(seconds, 1)})
    return found


def record(lines: list[dict[str, Any]], file: Path = FILE) -> None:
    """Add lines to the table, which begins with its heading."""
    new = not file.exists()
    with file.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(lines)


def _processor_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def main(arguments: list[str]) -> int:
    """Run the suite and record it where it is whole, has passed, and is that of a commit."""
    costs, began = Costs(), time.monotonic()
    usual = _COMMAND.findall((ROOT / "README.md").read_text(encoding="utf-8"))[0].split()
    code = pytest.main(["-q", *usual, "-p", __spec__.name, *arguments], plugins=[costs])
    found = rows(costs, time.monotonic() - began)
    for line in found:
        print(f"{line['room']:>14} {line['cases']:6d} cases {line['processor_s']:8.1f} s of processor", end="")
        print(f", {line['clock_s']} s, {line['peak_mib']} MiB" if line["room"] == WHOLE else "")
    if code == pytest.ExitCode.OK and not arguments and not git("status", "--porcelain"):
        record(found)
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
