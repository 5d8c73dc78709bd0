"""The words under a leaderboard: how to read it, and what it does not say by itself."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from normbench.analysis.leaderboard import Board
from normbench.analysis.rows import Row
from normbench.analysis.selection import strange
from normbench.analysis.statistics import RESAMPLES
from normbench.presentation.labels import row_name
from normbench.problems import tasks
from normbench.records.schema import Record

_FEW_SEEDS = 10  # below, a bootstrap interval holds the mean in less than nine of ten cases
_CERTIFICATE_ROUNDING = 1e-6  # relative; bound and measured ratio come from the same float64 weights


def captions(board: Board) -> tuple[str, ...]:
    """Every remark that applies, most important first."""
    notes = [
        _data(board.simulated),
        f"RMS = sqrt(mean ||y - yhat||^2) in {board.unit}: mean ± sample standard deviation over seeds, lower is "
        "better; rows with diverged or failed runs come last, the others by test RMS. zero, mean and linear "
        "(least squares) are predictors that need no optimiser: what does not beat them has learned little.",
        *_classes(board.rows),
        *_certainty(board),
        f"bound: Lipschitz bound prod ||W_i||_op of the trained network, in {board.unit} per unit-norm input"
        f"{_certificate(board)}. s/run and ms/it: training only, without compilation, {_threads(board)}.",
        *_tuning(board),
        *_environments(board),
        *_pairing(board),
        *_published(board),
    ]
    if board.outdated:
        notes.append(f"{board.outdated} records of earlier code or data are not shown.")
    return tuple(notes)


def _data(simulated: bool) -> str:
    if simulated:
        return "SIMULATED: a flight simulator made the data; these are no measurements."
    return "Real data."


def _classes(rows: Sequence[Row]) -> list[str]:
    if not any(row.accuracy for row in rows):
        return []
    return [
        "Classes: y is one-hot and yhat the outputs, under cross-entropy their softmax: the RMS is the root of the "
        "Brier score. accuracy: share of test samples whose largest output is the right one. bound: of the outputs, "
        "which under cross-entropy are logits."
    ]


def _threads(board: Board) -> str:
    threads = sorted({run.threads for run in board.runs})
    return f"{' or '.join(map(str, threads))} thread{'' if threads == [1] else 's'} per run"


def _certificate(board: Board) -> str:
    if not any(math.isfinite(row.mean(lambda run: run.lipschitz_measured)) for row in board.optimisers):
        return ""
    broken = sum(run.lipschitz_measured > run.lipschitz_bound * (1 + _CERTIFICATE_ROUNDING) for run in board.runs)
    verdict = f"which EXCEEDS the bound in {broken} runs: WARNING" if broken else "which never exceeds it"
    return f"; measured: the largest ||f(x) - f(x')|| / ||x - x'|| over many pairs, {verdict}"


def _certainty(board: Board) -> list[str]:
    notes = []
    if any(row.difference and row.difference.pairs > 1 for row in board.rows):
        notes.append(
            "vs best: test RMS relative to the first row, the geometric mean of the ratios over shared seeds. "
            "* p < 0.05, ** p < 0.01, *** p < 0.001: paired t test on the log-ratios, Holm's correction over all pairs "
            "of rows, because the same runs chose the best."
        )
    if board.resampled_seeds > 1:
        notes.append(
            f"rank: in brackets where 95 % of {RESAMPLES:,} resamples of the {board.resampled_seeds} seeds that all "
            "rows share put the row; one resample serves all rows."
        )
    if any(1 < row.test.count < _FEW_SEEDS for row in board.optimisers):
        notes.append(
            "Few seeds: 95 % bootstrap intervals hold the true mean of normal figures in 75 % of cases at 3 seeds, "
            "85 % at 5, 90 % at 10 and 94 % at 40; ranks' spans are too narrow likewise, and at 3 seeds hardly any "
            "difference is significant among so many."
        )
    return notes


def _tuning(board: Board) -> list[str]:
    notes = []
    found = [row.tuning for row in board.optimisers if row.tuning]
    if any(tuning.cost for tuning in found):
        notes.append(
            "Tuning: 'best of 5' cost 5 runs: lowest final training RMS on a log grid, searched on one seed and one "
            f"backend, then run on all. {board.search_runs} search runs have no row of their own."
            " normbench run takes no learning rate: it makes the default and the best in one, by the same command."
        )
    if any(tuning.on_edge for tuning in found):
        notes.append("† The best value lies at an end of its grid; a better one may lie beyond.")
    return notes


def _pairing(board: Board) -> list[str]:
    if len({row.seeds for row in board.optimisers}) < 2:
        return []
    return [
        "WARNING: the rows do not share the same seeds, so their means are not paired; differences and ranks' spans "
        "use the shared seeds only."
    ]


def _environments(board: Board) -> list[str]:
    differing = board.differing
    if not differing:
        return []
    found = "; ".join(f"{name} {' or '.join(values)}" for name, values in differing.items())
    mixed = [
        f"{row_name(row)}: {len(row.timed)} of {row.runs}" for row in board.optimisers if len(row.timed) < row.runs
    ]
    times = f" Times are means over runs of one environment: of {', '.join(mixed)} runs." if mixed else ""
    return [f"WARNING: more than one environment made the runs: {found}.{times}"]


def _published(board: Board) -> list[str]:
    if not board.published:
        return []
    return [
        "Published: arXiv 2312.10672, Table 1, 40 seeds on the real flight table, timed on another machine "
        "(Mac mini M1, Julia)."
    ]


def remarks(records: Iterable[Record]) -> list[str]:
    """Sentences on every record that boards leave out or show without knowing it, so that none goes without a word."""
    every = list(records)
    hidden = Counter(filter(None, map(strange, every)))
    foreign = Counter(record.task for record in every if record.task not in tasks.TASKS and not strange(record))
    return [
        *(f"{_records(n)} of {what}, not known to this normbench, not shown." for what, n in sorted(hidden.items())),
        *(f"{_records(n)} of the task {task!r}, not known to this normbench." for task, n in sorted(foreign.items())),
    ]


def _records(count: int) -> str:
    return f"{count} record{'' if count == 1 else 's'}"
