"""Performance profiles: on which share of the problems is a solver at most tau times as dear as the best one?

Dolan and More, Benchmarking optimization software with performance profiles, Math. Program. 91 (2002).
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from normbench.analysis.runs import COSTS
from normbench.analysis.selection import board_key, current, grouped, how, row_key, rules, tuning_cost, where
from normbench.errors import InvalidArgumentError
from normbench.presentation.targets import reach
from normbench.records.schema import Record
from normbench.specs import suggestion

PROBLEM = ("task", "split", "layers", "seed")

Target = float | Mapping[str, float]


def problem_costs(records: Iterable[Record], target_rms: Target, *, cost: str) -> pd.DataFrame:
    """What every solver spends on every problem until the training RMS is at the target.

    A problem is a task, split and network with one seed; a solver is an optimiser with its tuning rule and backend,
    ``adam, best of 5 (jax)``. A default that is also the best of its grid is two solvers, only one of which has had a
    price. Of several numbers of iterations the largest counts.

    Parameters
    ----------
    records : iterable of Record
    target_rms : float or mapping of str to float
        In the unit of the data; one for all tasks, or one for each.
    cost : str
        "iterations", "loss_evaluations", "gradient_evaluations" or "seconds".

    Returns
    -------
    DataFrame, shape (problems, solvers)
        inf where the target was not reached, NaN where the solver was not run.

    Raises
    ------
    InvalidArgumentError
        If there is no record, the cost is unknown, a task has no target, or a target is not positive and finite.
    """
    if cost not in COSTS:
        raise InvalidArgumentError(
            f"cost must be one of {', '.join(COSTS)}; got {cost!r}.{suggestion(cost, dict.fromkeys(COSTS))}"
        )
    found: dict[str, dict[tuple[str, str, str, int], float]] = {}
    for solver, runs in _solvers(records):
        found.setdefault(solver, {}).update({_problem(run): _cost(run, target_rms, cost) for run in runs})
    if not found:
        raise InvalidArgumentError("there is no record to take costs from; make some with normbench run.")
    costs = pd.DataFrame(found).rename_axis(index=PROBLEM, columns="solver")
    return costs.sort_index().sort_index(axis="columns")


def _problem(run: Record) -> tuple[str, str, str, int]:
    return run.request.task, run.request.split, "-".join(map(str, run.request.layers)), run.request.seed


def _solvers(records: Iterable[Record]) -> list[tuple[str, list[Record]]]:
    """Runs of every solver; those with more iterations later, so that they replace the others."""
    rows = grouped(current(records), lambda run: (run.request.iterations, board_key(run), row_key(run)))
    return [(_name(runs[0], rule), runs) for runs in rows.values() for rule in rules(runs)]


def _name(run: Record, rule: str) -> str:
    words = [run.request.optimiser, *how(run), rule.replace("none", "")]
    return f"{', '.join(filter(None, words))} ({where(run)})"


def _cost(run: Record, target_rms: Target, cost: str) -> float:
    if isinstance(target_rms, Mapping) and run.request.task not in target_rms:
        raise InvalidArgumentError(
            f"target_rms has no target for task {run.request.task!r}; it has {sorted(target_rms)}."
        )
    found = reach(run, target_rms[run.request.task] if isinstance(target_rms, Mapping) else target_rms)
    return math.inf if found.censored else float(getattr(found, cost))


def tuning_runs(records: Iterable[Record]) -> dict[str, int]:
    """Runs that the tuning of each solver cost: 0 at a default, 5 for the best of 5."""
    return {
        _name(runs[0], rule): tuning_cost(runs) if rule.startswith("best") else 0
        for runs in grouped(current(records), lambda run: (board_key(run), row_key(run))).values()
        for rule in rules(runs)
    }


def charged(costs: pd.DataFrame, tuning: Mapping[str, int]) -> pd.DataFrame:
    """Costs with the price of tuning: cost times (1 + runs of the search), the run itself and one like it per value.

    As for a user who has one problem to solve. The search of a campaign is made once for all seeds and backends, and
    each of its runs goes to its last iteration, not to the target; neither is looked at here.

    Parameters
    ----------
    costs : DataFrame, shape (problems, solvers)
    tuning : mapping of str to int
        Runs by solver, see :func:`tuning_runs`.

    Raises
    ------
    InvalidArgumentError
        If a solver has no entry.
    """
    missing = sorted(set(costs.columns) - tuning.keys())
    if missing:
        raise InvalidArgumentError(f"tuning has no entry for {', '.join(missing)}; give 0 where nothing is tuned.")
    return costs * np.array([1 + tuning[solver] for solver in costs.columns])


def performance_profile(costs: pd.DataFrame, taus: Sequence[float]) -> pd.DataFrame:
    """Share of the problems that each solver solves at no more than tau times the cost of the best solver.

    rho_s(tau) = |{p : cost_ps <= tau min_s cost_ps}| / |problems|

    A problem that no solver solves counts for none, and stays in the denominator. Only problems on which every solver
    was run count: NaN is no failure.

    Parameters
    ----------
    costs : DataFrame, shape (problems, solvers)
        Not negative; inf is a failure, NaN a run that was not made.
    taus : sequence of float
        At least 1.

    Returns
    -------
    DataFrame, shape (taus, solvers)
        Values in [0, 1], indexed by tau, which never fall with tau.

    Raises
    ------
    InvalidArgumentError
        If a tau is below 1, a cost is negative, or no problem was given to every solver.
    """
    if not all(tau >= 1 for tau in taus):
        raise InvalidArgumentError(f"taus must be at least 1; got {list(taus)}.")
    complete = costs.dropna()
    if complete.empty:
        raise InvalidArgumentError(f"no problem was given to every solver; runs: {costs.notna().sum().to_dict()}.")
    values = complete.to_numpy(dtype=float)
    if (values < 0).any():
        raise InvalidArgumentError(f"costs must not be negative; got {values.min()}.")
    best = values.min(axis=1, keepdims=True)
    solved = np.isfinite(values)
    shares = [(solved & (values <= tau * best)).mean(axis=0) for tau in taus]
    return pd.DataFrame(shares, index=pd.Index(list(taus), name="tau", dtype=float), columns=costs.columns)
