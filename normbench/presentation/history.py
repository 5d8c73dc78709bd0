"""Benchmarks over the commits, from asv's result files: a tidy frame, the steps in it, and the figure."""

import io
import itertools
import math
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from asv.benchmarks import Benchmarks
from asv.config import Config
from asv.results import iter_results
from asv.step_detect import detect_steps
from asv.util import UserError
from matplotlib.figure import Figure

from normbench.errors import InvalidArgumentError, RecordError
from normbench.writing import write_bytes

_SPREADING = ("seconds", "bytes")  # units whose series differ by factors: on a logarithmic axis
_LEAST_SPAN = 0.02  # of the mean, shown above and below: rounding must not look like a change


@dataclass(frozen=True)
class Step:
    """A change of level in one benchmark; ``commit`` is the first at the level ``after``."""

    commit: str
    date: pd.Timestamp
    benchmark: str
    parameters: str
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """after / before; above 1 it got worse."""
        return self.after / self.before if self.before else math.inf


def load_history(results: Path, repository: Path = Path()) -> pd.DataFrame:
    """Every number of asv's results.

    Parameters
    ----------
    results : Path
        asv's ``results_dir``; ``results/asv`` in this repository.
    repository : Path
        Clone that knows the order of the commits; where it does not, their dates order them.

    Returns
    -------
    DataFrame
        One row a number, in the order of the commits: ``machine, commit, date, benchmark, parameters, unit, value, low,
        high``; ``low`` and ``high`` are asv's 99 % interval of a time and NaN otherwise. Of a number that was measured
        in several environments the newest.

    Raises
    ------
    InvalidArgumentError
        If the folder holds no asv results.
    RecordError
        If ``benchmarks.json`` cannot be read.
    """
    if not (results / "benchmarks.json").is_file():
        raise InvalidArgumentError(
            f"{results} holds no asv results (benchmarks.json is missing). Make some with asv run, or name asv's "
            "results_dir with --results."
        )
    configuration = Config()
    configuration.results_dir = str(results)
    try:
        known = Benchmarks.load(configuration)
    except UserError as error:
        raise RecordError(f"{results / 'benchmarks.json'} cannot be read: {error}") from error
    rows = [row for result in iter_results(str(results)) for row in _rows(result, known)]
    if not rows:
        raise InvalidArgumentError(f"{results} holds no measured numbers; make some with asv run.")
    position = _positions(repository)
    history = pd.DataFrame(rows)
    history["position"] = history["commit"].map(position).fillna(-1)
    ordered = history.sort_values(["position", "date", "commit", "measured"], kind="stable")
    newest = ordered.drop_duplicates(["machine", "commit", "benchmark", "parameters"], keep="last")
    return newest.drop(columns=["position", "measured"]).reset_index(drop=True)


def _positions(repository: Path) -> dict[str, int]:
    """Rank of every commit of the clone, parents before children; empty where there is no git or no clone."""
    try:
        listed = subprocess.run(
            ["git", "-C", str(repository), "rev-list", "--all", "--date-order", "--reverse"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {commit[:8]: k for k, commit in enumerate(listed.stdout.split())}


def _rows(result: Any, known: Benchmarks) -> list[dict[str, Any]]:
    """Numbers of one result file, those of benchmarks that have changed since left out, as asv does."""
    shared = {
        "machine": result.params["machine"],
        "commit": result.commit_hash[:8],
        "date": pd.Timestamp(result.date, unit="ms", tz="UTC"),
    }
    return [
        {**shared, "benchmark": name, "unit": known[name]["unit"], "measured": result.started_at.get(name, 0), **number}
        for name in result.get_result_keys(known)
        for number in _numbers(result, name)
    ]


def _numbers(result: Any, name: str) -> list[dict[str, Any]]:
    parameters = result.get_result_params(name)
    chosen = [", ".join(value.strip("'") for value in values) for values in itertools.product(*parameters)]
    values = result.get_result_value(name, parameters)
    stats = result.get_result_stats(name, parameters)
    return [
        {
            "parameters": label,
            "value": value,
            "low": (spread or {}).get("ci_99_a", math.nan),
            "high": (spread or {}).get("ci_99_b", math.nan),
        }
        for label, value, spread in zip(chosen, values, stats, strict=True)
        if value is not None and not math.isnan(value)
    ]


def select(history: pd.DataFrame, patterns: Sequence[str], machine: str | None = None) -> pd.DataFrame:
    """Rows of one machine whose ``benchmark(parameters)`` contains one of the patterns, regular expressions.

    Raises
    ------
    InvalidArgumentError
        If nothing matches, if a pattern is malformed, or if several machines were measured and none is named.
    """
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise InvalidArgumentError(f"{pattern!r} is not a regular expression: {error}.") from error
    machines = sorted(history["machine"].unique())
    if machine is None and len(machines) > 1:
        raise InvalidArgumentError(
            f"the results are of several machines; choose one with --machine: {', '.join(machines)}."
        )
    if machine is not None and machine not in machines:
        raise InvalidArgumentError(f"no results of --machine {machine}; there are those of {', '.join(machines)}.")
    mine = history if machine is None else history[history["machine"] == machine]
    names = mine["benchmark"] + "(" + mine["parameters"] + ")"
    chosen = mine[pd.concat([names.str.contains(p, regex=True) for p in patterns], axis=1).any(axis=1)]
    if chosen.empty:
        raise InvalidArgumentError(
            f"no benchmark matches {list(patterns)}. Without a pattern, normbench history lists them."
        )
    return chosen.reset_index(drop=True)


def find_steps(history: pd.DataFrame, *, threshold: float) -> list[Step]:
    """Changes of level that asv's step detection finds, in the order of the commits.

    Parameters
    ----------
    history : DataFrame
        Of one machine, see :func:`load_history`.
    threshold : float
        Smallest relative change that counts.
    """
    found = []
    for _, series in history.groupby(["benchmark", "parameters"]):
        levels = detect_steps(series["value"].tolist(), _weights(series))
        for (*_, before, _, _), (first, _, after, *_) in itertools.pairwise(levels):
            row = series.iloc[first]
            found.append(Step(row["commit"], row["date"], row["benchmark"], row["parameters"], before, after))
    large = [step for step in found if max(step.ratio, 1 / step.ratio) > 1 + threshold]
    position = {commit: k for k, commit in enumerate(history["commit"].unique())}
    return sorted(large, key=lambda step: position[step.commit])


def _weights(series: pd.DataFrame) -> list[float | None]:
    """Inverse widths of asv's intervals; None where there is none, which asv takes for the median weight."""
    widths = (series["high"] - series["low"]).abs()
    return [2 / width if width > 0 else None for width in widths]


def plot_history(history: pd.DataFrame, steps: Sequence[Step]) -> Figure:
    """One panel per benchmark: its numbers over the commits in their order, every step marked with its ratio."""
    commits = history.drop_duplicates("commit")["commit"].tolist()
    position = {commit: k for k, commit in enumerate(commits)}
    benchmarks = history["benchmark"].unique()
    sns.set_theme(context="paper", style="whitegrid", palette="colorblind")
    figure, panels = plt.subplots(
        len(benchmarks), 1, figsize=(8, 1.2 + 2.6 * len(benchmarks)), sharex=True, squeeze=False, layout="constrained"
    )
    for panel, benchmark in zip(panels.flat, benchmarks, strict=True):
        series = history[history["benchmark"] == benchmark].assign(x=lambda rows: rows["commit"].map(position))
        _panel(panel, series, [s for s in steps if s.benchmark == benchmark], position)
        panel.set_title(benchmark, loc="left", fontsize="medium")
    panels.flat[-1].set_xticks(range(len(commits)), commits, rotation=60, ha="right", family="monospace")
    panels.flat[-1].set_xlabel("commit, oldest first")
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure, whole, in the format that the ending of the path says.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    content = io.BytesIO()
    figure.savefig(content, format=path.suffix.removeprefix("."))
    write_bytes(path, content.getvalue())


def _panel(panel: Any, series: pd.DataFrame, steps: Sequence[Step], position: dict[str, int]) -> None:
    unit = series["unit"].iloc[0]
    several = series["parameters"].nunique() > 1
    sns.lineplot(series, x="x", y="value", hue="parameters", style="parameters", markers=True, ax=panel, legend=several)
    colours = dict(zip(series["parameters"].unique(), sns.color_palette("colorblind"), strict=False))
    if unit in _SPREADING:
        panel.set_yscale("log")
        panel.margins(y=0.25)
    else:
        least = abs(series["value"]).mean() * _LEAST_SPAN
        low, high = panel.get_ylim()
        panel.set_ylim(min(low, series["value"].min() - least), max(high, series["value"].max() + least))
    for step in steps:
        panel.annotate(
            f"×{step.ratio:.2f}",
            (position[step.commit], step.after),
            xytext=(0, 16 if step.ratio > 1 else -16),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize="x-small",
            color=colours.get(step.parameters, "0.2"),
            arrowprops={"arrowstyle": "-", "color": "0.6"},
        )
    panel.set(ylabel=unit, xlabel="")
    if several:
        sns.move_legend(panel, "upper left", bbox_to_anchor=(1, 1), title=None, frameon=False)
