"""What every run spent to reach a target, for each target that the slider can stand on.

A target is a multiple of the training RMS of the linear least-squares fit on the run's own split, so that one slider
serves tasks of any scale. The numbers come from :mod:`normbench.analysis.targets`; the page looks them up.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from normbench.analysis import targets
from normbench.analysis.runs import COSTS, train_rms_curve
from normbench.presentation.compact import significant
from normbench.presentation.page.ways import Section
from normbench.records.schema import Record

_STEP = 0.005
_WIDEST = 1.4  # the zero predictor lies near 1.5 times the linear fit
_PREFERRED = 1.05


@dataclass(frozen=True)
class Grid:
    """The targets of the slider: ``low``, ``low + step``, ..., ``high``, as multiples of the linear fit's RMS."""

    low: float
    high: float
    start: float
    step: float = _STEP

    @property
    def values(self) -> list[float]:
        """Every target, rounded to the digits that the slider shows."""
        count = round((self.high - self.low) / self.step)
        return [round(self.low + k * self.step, 3) for k in range(count + 1)]


def grid(sections: Sequence[Section]) -> Grid | None:
    """Targets from just above what the best run reached to what nearly everything reaches; None without a curve."""
    reached = [_best_ratio(run) for section in sections for way in section.ways for run in way.runs]
    finite = [ratio for ratio in reached if math.isfinite(ratio)]
    if not finite:
        return None
    low = math.ceil(min(finite) / _STEP) * _STEP
    high = max(_WIDEST, low)
    return Grid(round(low, 3), round(high, 3), min(max(_PREFERRED, round(low, 3)), round(high, 3)))


def linear_rms(run: Record) -> float:
    """Training RMS of the linear fit on the run's split; NaN where the record has none."""
    return run.outcome.predictors.get("linear", {}).get("train", math.nan)


def _best_ratio(run: Record) -> float:
    curve, linear = train_rms_curve(run), linear_rms(run)
    return float(np.fmin.reduce(curve)) / linear if len(curve) and linear else math.nan  # none of a fit without error


def reaching_runs(sections: Sequence[Section], ratios: Sequence[float]) -> list[dict[str, Any]]:
    """One entry per solver and run: names, problem, price of tuning, and what each target and the whole run cost.

    ``reached`` is the position of the hardest target that the run reached; the lists of costs begin there, as every
    easier target was reached, too. ``common`` marks what performance profiles are made of: solvers that all boards
    have, on the problems (a board and a seed) that all these solvers have run.
    """
    problems, solvers = common_problems(sections), common_solvers(sections)
    return [
        solver
        | {
            "board": section.key,
            "seed": run.request.seed,
            "problem": f"{section.key}-{run.request.seed}",
            "common": (section.key, run.request.seed) in problems and _key(solver) in solvers,
        }
        | costs
        for section in sections
        for way in section.ways
        for run, costs in ((run, _costs(run, ratios)) for run in way.runs)
        for solver in way.solvers()
    ]


def _costs(run: Record, ratios: Sequence[float]) -> dict[str, Any]:
    linear = linear_rms(run)
    wanted = [ratio * linear for ratio in ratios] if linear > 0 else []  # no fit, or one without error: no target
    found = [reach for reach in targets.reaches(run, wanted) if not reach.censored]
    spent = targets.spent(run)
    return (
        {"reached": len(ratios) - len(found)}
        | {name: [significant(getattr(reach, name), 5) for reach in found] for name in COSTS}
        | {f"spent_{name}": significant(getattr(spent, name), 5) for name in COSTS}
    )


def anchors(sections: Sequence[Section]) -> list[dict[str, Any]]:
    """Two entries of weight 0 per common solver, at which the line of its profile begins and ends."""
    found = common_solvers(sections)
    return [found[key] | {"anchor": side} for key in sorted(found) for side in ("left", "right")]


def _key(solver: dict[str, Any]) -> tuple[str, str]:
    """What makes the solvers of different boards the same one."""
    return solver["way"], solver["backend"]


def common_solvers(sections: Sequence[Section]) -> dict[tuple[str, str], dict[str, Any]]:
    """Names of the solvers that every board has."""
    each = [{_key(s): s for way in section.ways for s in way.solvers()} for section in sections]
    shared = set.intersection(*map(set, each)) if each else set()
    return {key: each[0][key] for key in sorted(shared)}


def common_problems(sections: Sequence[Section]) -> set[tuple[str, int]]:
    """Boards and seeds that every common solver has run."""
    solvers = common_solvers(sections)
    return {(section.key, seed) for section in sections for seed in _common_seeds(section, set(solvers))}


def _common_seeds(section: Section, solvers: set[tuple[str, str]]) -> set[int]:
    each = [set(way.row.seeds) for way in section.ways if any(_key(s) in solvers for s in way.solvers())]
    return set.intersection(*each) if each else set()
