"""From stored records to leaderboards: one per task, split and network, one row per way of optimising it."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from normbench import specs
from normbench.records.predictors import NAMES
from normbench.records.schema import Record
from normbench.report import published
from normbench.report.captions import captions
from normbench.report.statistics import Spread, spread
from normbench.trajectory import Status

_BOARD = ["task", "split", "layers"]
_ROW = ["optimiser", "hyperparameters", "backend", "device", "dtype", "iterations"]


@dataclass(frozen=True)
class Row:
    """One line of a leaderboard; NaN, None and "" stand for what a row of its kind does not have.

    Attributes
    ----------
    kind : str
        "optimiser", "predictor" or "published".
    optimiser : str
        Key of the optimiser, or name of the predictor.
    tuning : str
        What a user has to tune to get there, in words.
    tuning_runs : int
        Runs that the tuning cost.
    simulated : bool
        True if the row comes from simulated data.
    train, test : Spread
        RMS over seeds, in the unit of the board; runs without a finite RMS are left out and show in ``failures``.
    seeds : tuple of int
        Seeds that were run, failures included; empty where the source names only their number.
    runs : int
    iterations : int or None
    seconds_per_run, seconds_compile, ms_per_iteration : float
        Means over runs; training only, compilation apart.
    lipschitz_bound : float
        Mean of prod ||W_i||_op, in the unit of the board per unit-norm input.
    failures : mapping of str to int
        How many runs stalled, diverged or failed; nothing else is left out.
    on_edge : bool
        True if the best value lies at an end of its grid, so that a better one may lie beyond.
    """

    kind: str
    optimiser: str
    tuning: str
    tuning_runs: int
    simulated: bool
    train: Spread
    test: Spread
    seeds: tuple[int, ...]
    runs: int
    backend: str = ""
    device: str = ""
    dtype: str = ""
    iterations: int | None = None
    seconds_per_run: float = math.nan
    seconds_compile: float = math.nan
    ms_per_iteration: float = math.nan
    lipschitz_bound: float = math.nan
    failures: dict[str, int] = field(default_factory=dict)
    on_edge: bool = False

    @property
    def incomplete(self) -> bool:
        """True if a run of the row gave no result; such a row cannot lead."""
        return any(self.failures.get(status, 0) for status in (Status.DIVERGED, Status.FAILED))


@dataclass(frozen=True)
class Board:
    """A leaderboard: optimisers by test RMS, then the trivial predictors, then published figures.

    Attributes
    ----------
    task, split, unit : str
    layers : tuple of int
    simulated : bool
    rows : tuple of Row
    notes : tuple of str
        How to read it, and every warning that belongs to it.
    """

    task: str
    split: str
    layers: tuple[int, ...]
    simulated: bool
    unit: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def title(self) -> str:
        """One line; says SIMULATED where the data are."""
        source = "SIMULATED data" if self.simulated else "real data"
        network = "-".join(map(str, self.layers))
        return f"{self.task} ({source}), network {network}, {self.split} split, RMS in {self.unit}"


def boards(records: Iterable[Record]) -> list[Board]:
    """Leaderboards of the records, one per task, split and network; a plain function of the records alone.

    Where records of one row differ in code version, or of one board in data, only the most recent kind counts.
    """
    frame = _frame(records)
    if frame.empty:
        return []
    return [_board(group) for _, group in frame.groupby(_BOARD, sort=True)]


def _frame(records: Iterable[Record]) -> pd.DataFrame:
    known = [record for record in records if record.optimiser in specs.SPECS]
    rows = [
        {f: getattr(r, f) for f in Record.__dataclass_fields__ if f not in ("curves", "environment")}
        | {"hyperparameters": json.dumps(r.hyperparameters, sort_keys=True)}
        for r in known
    ]
    return pd.DataFrame(rows)


def _board(frame: pd.DataFrame) -> Board:
    latest = frame.sort_values("created", kind="stable")
    current = latest[latest["data_sha256"] == latest["data_sha256"].iloc[-1]]
    newest = current.groupby(_ROW)["code_version"].transform("last")
    current = current[current["code_version"] == newest]
    groups = [group for _, group in current.groupby(_ROW, sort=True)]
    shown = [group for group in groups if not _is_search_only(group)]
    rows = sorted((_row(group) for group in shown), key=_rank)
    first = current.iloc[0]
    predictors = _predictor_rows(current)
    papers = _published_rows(first["task"], first["split"], first["layers"])
    every = (*rows, *predictors, *papers)
    return Board(
        task=first["task"],
        split=first["split"],
        layers=first["layers"],
        simulated=bool(first["simulated"]),
        unit=first["unit"],
        rows=every,
        notes=captions(
            unit=first["unit"],
            simulated=bool(first["simulated"]),
            rows=every,
            threads=sorted({int(t) for t in current["threads"]}),
            search_runs=sum(len(group) for group in groups if _is_search_only(group)),
            outdated=len(frame) - len(current),
        ),
    )


def _rank(row: Row) -> tuple[bool, float, str, str]:
    return row.incomplete, row.test.mean if math.isfinite(row.test.mean) else math.inf, row.optimiser, row.backend


def _is_search_only(group: pd.DataFrame) -> bool:
    """Runs of a grid search at a value that was neither the default nor chosen."""
    spec = specs.get(group["optimiser"].iloc[0])
    if spec.tuned is None or group["tuning_runs"].max() > 0:
        return False
    return json.loads(group["hyperparameters"].iloc[0])[spec.tuned.name] != spec.tuned.default


def _row(group: pd.DataFrame) -> Row:
    first = group.iloc[0]
    spec = specs.get(first["optimiser"])
    values = json.loads(first["hyperparameters"])
    cost = int(group["tuning_runs"].max())
    counts = group["status"].value_counts()
    return Row(
        kind="optimiser",
        optimiser=spec.key,
        tuning=tuning_label(spec, values, cost),
        tuning_runs=cost,
        simulated=bool(first["simulated"]),
        train=spread(group["train_rms"].tolist()),
        test=spread(group["test_rms"].tolist()),
        seeds=tuple(sorted(int(s) for s in group["seed"])),
        runs=len(group),
        backend=first["backend"],
        device=first["device"],
        dtype=first["dtype"],
        iterations=int(first["iterations"]),
        seconds_per_run=float(group["seconds_train"].mean()),
        seconds_compile=float(group["seconds_compile"].mean()),
        ms_per_iteration=1e3 * float(group["seconds_per_iteration"].mean()),
        lipschitz_bound=float(group["lipschitz_bound"].replace([np.inf, -np.inf], np.nan).mean()),
        failures={str(s): int(counts.get(s, 0)) for s in (Status.STALLED, Status.DIVERGED, Status.FAILED)},
        on_edge=bool(cost and spec.tuned and values[spec.tuned.name] in (spec.tuned.grid[0], spec.tuned.grid[-1])),
    )


def tuning_label(spec: specs.OptimiserSpec, values: dict[str, specs.Value], tuning_runs: int) -> str:
    """What has to be tuned: "none", "default 0.001" or "best of 5: 0.03", and what else is not at its default."""
    others = [
        f"{h.name} {values[h.name]:g}" if values[h.name] is not None else f"{h.name} off"
        for h in spec.hyperparameters
        if h is not spec.tuned and values[h.name] != h.default
    ]
    if spec.tuned is None:
        return ", ".join(others) or "none"
    value = values[spec.tuned.name]
    if not tuning_runs:
        label = f"default {value:g}"
    elif value == spec.tuned.default:
        label = f"best of {tuning_runs}: {value:g} (default)"
    else:
        label = f"best of {tuning_runs}: {value:g}"
    return ", ".join([label, *others])


def _predictor_rows(frame: pd.DataFrame) -> list[Row]:
    by_seed = frame.drop_duplicates("seed").sort_values("seed")
    stored = [p for p in by_seed["predictors"] if p]
    return [
        Row(
            kind="predictor",
            optimiser=name,
            tuning="",
            tuning_runs=0,
            simulated=bool(frame["simulated"].iloc[0]),
            train=spread([p[name]["train"] for p in stored]),
            test=spread([p[name]["test"] for p in stored]),
            seeds=tuple(int(s) for s in by_seed["seed"]),
            runs=len(stored),
        )
        for name in NAMES
        if stored
    ]


def _published_rows(task: str, split: str, layers: tuple[int, ...]) -> list[Row]:
    if not published.applies(task, layers) or split != "random":
        return []
    return [_published_row(optimiser) for optimiser in published.EXPERIMENT1]


def _published_row(optimiser: str) -> Row:
    figures = published.experiment1(optimiser)
    seeds, iterations, seconds = int(figures["seeds"]), int(figures["iterations"]), float(figures["time_mean_s"])
    return Row(
        kind="published",
        optimiser=optimiser,
        tuning="published, real data",
        tuning_runs=0,
        simulated=False,
        train=Spread(float(figures["train_rms_mean_n"]), float(figures["train_rms_std_n"]), seeds),
        test=Spread(float(figures["test_rms_mean_n"]), float(figures["test_rms_std_n"]), seeds),
        seeds=(),
        runs=seeds,
        iterations=iterations,
        seconds_per_run=seconds,
        ms_per_iteration=1e3 * seconds / iterations,
    )
