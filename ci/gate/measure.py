"""Two commits measured in turns: asv runs the benchmarks, its result files are what is read."""

import itertools
import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asv.config import Config
from asv.machine import MachineCollection
from asv.results import iter_results
from asv.util import load_json

SAMPLES = 7  # of a time per round; fixed, so that the rounds can be told apart in asv's list of samples
ONLY_TIMES, NO_TIMES = r"^(?=.*\.time).*", r"^(?!.*\.time).*"  # in front of a pattern for asv's names
DEFAULT_THRESHOLD = 0.05  # asv's own, where asv.conf.json has no pattern


class MeasurementError(RuntimeError):
    """asv could not be run, or a commit could not be built."""


@dataclass(frozen=True)
class Measured:
    """One benchmark with its parameters on one commit.

    Attributes
    ----------
    value : float
        asv's: median of a time, or the tracked number; NaN where the benchmark failed.
    rounds : list of list of float
        Samples of a time, in seconds, by round; empty for a tracked number.
    """

    value: float
    rounds: list[list[float]]


class Bench:
    """asv with this tree's benchmarks and configuration, and results of its own.

    Parameters
    ----------
    root : Path
        A checkout with ``asv.conf.json``; its ``.asv/env`` is used.
    name : str
        Folder in ``.asv/gate`` for configuration and results; emptied, because results of another hour cannot be
        paired with those of now.
    """

    def __init__(self, root: Path, name: str) -> None:
        self.folder = root / ".asv" / "gate" / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        settings = load_json(str(root / "asv.conf.json"), Config.api_version, js_comments=True)
        self.thresholds: dict[str, float] = settings["regressions_thresholds"]
        places = {"repo": ".", "benchmark_dir": settings["benchmark_dir"], "env_dir": settings["env_dir"]}
        settings |= {name: str((root / place).resolve()) for name, place in places.items()}
        settings |= {"results_dir": "results", "html_dir": "html", "version": Config.api_version}
        self.configuration = self.folder / "asv.conf.json"
        self.configuration.write_text(json.dumps(settings, indent=4), encoding="utf-8")
        if not Path(MachineCollection.get_machine_file_path()).exists():
            self._asv("machine", "--yes")

    def run(self, commits: Iterable[str], pattern: str, *options: str) -> None:
        """Run the benchmarks that match ``pattern``, if any does, on the commits; results replace older ones.

        Raises
        ------
        MeasurementError
            Where asv itself fails. A benchmark that fails is a result.
        """
        arguments = ["run", "--no-pull", "--record-samples", "--show-stderr", "--bench", pattern, *options]
        outcome = self._asv(*arguments, "HASHFILE:-", given="\n".join(commits))
        if outcome == 1 and not self.selects(pattern):
            return  # to asv an error, but a pattern may match times alone, or tracked numbers alone
        if outcome not in (0, 2):  # 2: some benchmark failed
            raise MeasurementError(f"asv run ended with {outcome}; its output above says why")

    def run_rounds(self, commits: Iterable[str], pattern: str, rounds: int) -> None:
        """Measure times in that many rounds, the commits in turns and in alternating order."""
        settings = (f"rounds={rounds}", f"repeat={SAMPLES}")
        attributes = [word for setting in settings for word in ("--attribute", setting)]
        self.run(commits, pattern, "--interleave-rounds", *attributes)

    def results(self, commit: str) -> dict[str, Measured]:
        """Everything measured on a commit, by asv's name with its parameters; what was skipped is left out.

        Raises
        ------
        MeasurementError
            For a commit without results: it could not be built or installed.
        """
        found: dict[str, Measured] = {}
        for result in iter_results(str(self.folder / "results")):
            if result.commit_hash == commit:
                for name in result.get_all_result_keys():
                    found |= _by_parameters(result, name)
        if not found:
            raise MeasurementError(f"commit {commit} has no results: it could not be built, or nothing matched")
        return found

    def selects(self, pattern: str) -> bool:
        """Whether a pattern matches any benchmark that asv found, by name and parameters."""
        names = (full for name, entry in self._found().items() for full in _names(name, entry["params"]))
        return any(re.search(pattern, name) for name in names)

    def units(self) -> dict[str, str]:
        """Unit of every benchmark."""
        return {name: entry["unit"] for name, entry in self._found().items()}

    def _found(self) -> dict[str, Any]:
        path = self.folder / "results" / "benchmarks.json"
        listed = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return {name: entry for name, entry in listed.items() if isinstance(entry, dict)}

    def threshold(self, benchmark: str) -> float:
        """Relative change that asv.conf.json allows; of several patterns the largest, as asv takes it."""
        matching = [limit for pattern, limit in self.thresholds.items() if re.match(pattern, benchmark)]
        return max(matching, default=DEFAULT_THRESHOLD)

    def _asv(self, *arguments: str, given: str = "") -> int:
        command = [sys.executable, "-m", "asv", arguments[0], "--config", str(self.configuration), *arguments[1:]]
        print("+", *command[3:], file=sys.stderr, flush=True)
        return subprocess.run(command, input=given, text=True, stdout=sys.stderr, check=False).returncode


def pair(base: str, head: str) -> str:
    """Name of the folder in ``.asv/gate`` for two commits."""
    return f"{base[:8]}-{head[:8]}"


def pattern_of(benchmarks: Iterable[str]) -> str:
    """A regular expression for asv's ``--bench`` that matches these benchmarks and no other."""
    return "|".join(f"^{re.escape(name)}$" for name in sorted(benchmarks))


def _names(name: str, parameters: Iterable[Iterable[str]]) -> list[str]:
    """The name with each combination of parameters, as asv matches it."""
    return [f"{name}({', '.join(chosen)})" if chosen else name for chosen in itertools.product(*parameters)]


def _by_parameters(result, name: str) -> dict[str, Measured]:
    parameters = result.get_result_params(name)
    values = result.get_result_value(name, parameters)
    samples = result.get_result_samples(name, parameters)
    measured = {}
    for full, value, taken in zip(_names(name, parameters), values, samples, strict=True):
        if value is None:  # asv: failed; n/a is a NaN
            measured[full] = Measured(math.nan, [])
        elif not math.isnan(value):
            measured[full] = Measured(value, _rounds(taken or []))
    return measured


def _rounds(samples: Sequence[float]) -> list[list[float]]:
    return [list(samples[k : k + SAMPLES]) for k in range(0, len(samples), SAMPLES)]
