"""The words under a leaderboard: how to read it, and what it does not say by itself."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from normbench.analysis.statistics import RESAMPLES

if TYPE_CHECKING:
    from normbench.analysis.rows import Row

_FEW_SEEDS = 10  # below, a bootstrap interval holds the mean in less than nine of ten cases


def captions(
    *,
    unit: str,
    simulated: bool,
    rows: Sequence["Row"],
    resampled_seeds: int,
    threads: Sequence[int],
    search_runs: int,
    outdated: int,
    broken_certificates: int,
    differing: Mapping[str, Sequence[str]],
) -> tuple[str, ...]:
    """Every remark that applies, most important first.

    Parameters
    ----------
    unit : str
    simulated : bool
    rows : sequence of Row
    resampled_seeds : int
        Seeds that the ranks' resamples draw from.
    threads : sequence of int
        Threads per run that occur.
    search_runs : int
        Runs of grid searches that have no row of their own.
    outdated : int
        Records of earlier code or data that are left out.
    broken_certificates : int
        Runs whose measured ratio exceeds their Lipschitz bound.
    differing : mapping of str to sequence of str
        Libraries and parts of the machine that the runs do not share, with what occurs.
    """
    notes = [
        _data(simulated),
        f"RMS = sqrt(mean ||y - yhat||^2) in {unit}: mean ± sample standard deviation over seeds, lower is better; "
        "rows with diverged or failed runs come last, the others by test RMS. zero, mean and linear "
        "(least squares) are predictors that need no optimiser: what does not beat them has learned little.",
        *_classes(rows),
        *_certainty(rows, resampled_seeds),
        f"bound: Lipschitz bound prod ||W_i||_op of the trained network, in {unit} per unit-norm input"
        f"{_certificate(rows, broken_certificates)}. s/run and ms/it: training only, without compilation, "
        f"{_threads(threads)}.",
        *_tuning(rows, search_runs),
        *_environments(rows, differing),
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


def _classes(rows: Sequence["Row"]) -> list[str]:
    if not any(row.accuracy for row in rows):
        return []
    return [
        "Classes: y is one-hot and yhat the outputs, under cross-entropy their softmax: the RMS is the root of the "
        "Brier score. accuracy: share of test samples whose largest output is the right one. bound: of the outputs, "
        "which under cross-entropy are logits."
    ]


def _threads(threads: Sequence[int]) -> str:
    return f"{' or '.join(map(str, threads))} thread{'' if list(threads) == [1] else 's'} per run"


def _certificate(rows: Sequence["Row"], broken: int) -> str:
    if not any(math.isfinite(row.lipschitz_measured) for row in rows):
        return ""
    verdict = f"which EXCEEDS the bound in {broken} runs: WARNING" if broken else "which never exceeds it"
    return f"; measured: the largest ||f(x) - f(x')|| / ||x - x'|| over many pairs, {verdict}"


def _certainty(rows: Sequence["Row"], resampled_seeds: int) -> list[str]:
    notes = []
    if any(row.difference and row.difference.pairs > 1 for row in rows):
        notes.append(
            "vs best: test RMS relative to the first row, the geometric mean of the ratios over shared seeds. "
            "* p < 0.05, ** p < 0.01, *** p < 0.001: paired t test on the log-ratios, Holm's correction over all pairs "
            "of rows, because the same runs chose the best."
        )
    if resampled_seeds > 1:
        notes.append(
            f"rank: in brackets where 95 % of {RESAMPLES:,} resamples of the {resampled_seeds} seeds that all rows "
            "share put the row; one resample serves all rows."
        )
    if any(row.kind == "optimiser" and 1 < row.test.count < _FEW_SEEDS for row in rows):
        notes.append(
            "Few seeds: 95 % bootstrap intervals hold the true mean of normal figures in 75 % of cases at 3 seeds, "
            "85 % at 5, 90 % at 10 and 94 % at 40; ranks' spans are too narrow likewise, and at 3 seeds hardly any "
            "difference is significant among so many."
        )
    return notes


def _tuning(rows: Sequence["Row"], search_runs: int) -> list[str]:
    notes = []
    if any(row.tuning_runs for row in rows):
        notes.append(
            "Tuning: 'best of 5' cost 5 runs: lowest final training RMS on a log grid, searched on one seed and one "
            f"backend, then run on all. {search_runs} search runs have no row of their own."
            " normbench run takes no learning rate: it makes the default and the best in one, by the same command."
        )
    if any(row.on_edge for row in rows):
        notes.append("† The best value lies at an end of its grid; a better one may lie beyond.")
    return notes


def _pairing(rows: Sequence["Row"]) -> list[str]:
    seeds = {row.seeds for row in rows if row.kind == "optimiser"}
    if len(seeds) < 2:
        return []
    return [
        "WARNING: the rows do not share the same seeds, so their means are not paired; differences and ranks' spans "
        "use the shared seeds only."
    ]


def _environments(rows: Sequence["Row"], differing: Mapping[str, Sequence[str]]) -> list[str]:
    if not differing:
        return []
    found = "; ".join(f"{name} {' or '.join(values)}" for name, values in differing.items())
    mixed = [
        f"{row.optimiser} ({row.where}, {row.tuning}): {row.timed} of {row.runs}"
        for row in rows
        if row.kind == "optimiser" and row.timed < row.runs
    ]
    times = f" Times are means over runs of one environment: of {', '.join(mixed)} runs." if mixed else ""
    return [f"WARNING: more than one environment made the runs: {found}.{times}"]


def _published(rows: Sequence["Row"]) -> list[str]:
    if not any(row.kind == "published" for row in rows):
        return []
    return [
        "Published: arXiv 2312.10672, Table 1, 40 seeds on the real flight table, timed on another machine "
        "(Mac mini M1, Julia)."
    ]
