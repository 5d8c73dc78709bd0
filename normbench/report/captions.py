"""The words under a leaderboard: how to read it, and what it does not say by itself."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from normbench.report.leaderboard import Row


def captions(
    *,
    unit: str,
    simulated: bool,
    rows: Sequence["Row"],
    threads: Sequence[int],
    search_runs: int,
    outdated: int,
) -> tuple[str, ...]:
    """Every remark that applies, most important first.

    Parameters
    ----------
    unit : str
    simulated : bool
    rows : sequence of Row
    threads : sequence of int
        Threads per run that occur.
    search_runs : int
        Runs of grid searches that have no row of their own.
    outdated : int
        Records of earlier code or data that are left out.
    """
    notes = [
        _data(simulated),
        f"RMS = sqrt(mean ||y - yhat||^2) in {unit}: mean ± sample standard deviation over seeds, lower is better; "
        "rows with diverged or failed runs come last, the others by test RMS. zero, mean and linear "
        "(least squares) are predictors that need no optimiser: what does not beat them has learned little.",
        f"bound: Lipschitz bound prod ||W_i||_op of the trained network, in {unit} per unit-norm input. "
        f"s/run and ms/it: training only, without compilation, {_threads(threads)}.",
        *_tuning(rows, search_runs),
        *_pairing(rows),
        *_published(rows),
    ]
    if outdated:
        notes.append(f"{outdated} records of earlier code or data are not shown.")
    return tuple(notes)


def _data(simulated: bool) -> str:
    if simulated:
        return "SIMULATED: a flight simulator made the data; these are no measurements."
    return "Real data."


def _threads(threads: Sequence[int]) -> str:
    return f"{' or '.join(map(str, threads))} thread{'' if list(threads) == [1] else 's'} per run"


def _tuning(rows: Sequence["Row"], search_runs: int) -> list[str]:
    notes = []
    if any(row.tuning_runs for row in rows):
        notes.append(
            "Tuning: 'best of 5' cost 5 runs: lowest final training RMS on a log grid, searched on one seed and one "
            f"backend (all make the same updates), then run on all. {search_runs} search runs have no row of their own."
        )
    if any(row.on_edge for row in rows):
        notes.append("† The best value lies at an end of its grid; a better one may lie beyond.")
    return notes


def _pairing(rows: Sequence["Row"]) -> list[str]:
    seeds = {row.seeds for row in rows if row.kind == "optimiser"}
    if len(seeds) < 2:
        return []
    return ["WARNING: the rows do not share the same seeds, so their differences are not paired."]


def _published(rows: Sequence["Row"]) -> list[str]:
    if not any(row.kind == "published" for row in rows):
        return []
    return [
        "Published: arXiv 2312.10672, Table 1, 40 seeds on the real flight table, timed on another machine "
        "(Mac mini M1, Julia)."
    ]
