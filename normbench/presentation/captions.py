"""The words under a leaderboard: what it does not say by itself."""

from collections import Counter
from collections.abc import Iterable, Sequence

from normbench.analysis.leaderboard import Board
from normbench.analysis.rows import Row
from normbench.analysis.selection import board_key, results, strange, trials
from normbench.campaigns.search import TUNING_SEEDS
from normbench.data.dataset import origin
from normbench.presentation.labels import row_name
from normbench.presentation.quantities import MEASURED, breaks, exceeds
from normbench.problems import tasks
from normbench.records.schema import Record

_FEW_SEEDS = 10  # below, a bootstrap interval holds the mean in less than nine of ten cases

SECOND = "Where two values stand, the second was searched on the same seeds at the best value of the first."


def captions(board: Board) -> tuple[str, ...]:
    """Every remark that applies to the board, most important first; what its columns mean is in the legend."""
    notes = [
        data(board.simulated, board.task),
        *_classes(board.rows),
        *_certainty(board),
        f"s/run and ms/it: {_threads(board)}.",
        *_certificate(board),
        *_tuning(board),
        *_environments(board),
        *_pairing(board),
        *_published(board),
    ]
    return (*notes, *left_out(board.outdated))


def left_out(records: int) -> list[str]:
    """How many records are not shown beside those that are."""
    if not records:
        return []
    return [
        f"{records} records of earlier code or data, or made with other versions of libraries than most of their row, "
        "are not shown."
    ]


def data(simulated: bool, task: str) -> str:
    """Whether the figures are measurements."""
    if simulated:
        return f"{origin(simulated)}: a simulator made the data; these are no measurements."
    return f"{origin(simulated, task).capitalize()} data."


def _classes(rows: Sequence[Row]) -> list[str]:
    if not any(row.accuracy for row in rows):
        return []
    return [
        "Classes: y is one-hot and yhat the outputs, under cross-entropy their softmax: the RMS is the root of the "
        "Brier score. The bound is that of the outputs, which under cross-entropy are logits."
    ]


def _threads(board: Board) -> str:
    threads = sorted({run.provenance.threads for run in board.runs})
    each = "device of a run" if any(run.request.devices > 1 for run in board.runs) else "run"
    return f"{' or '.join(map(str, threads))} thread{'' if threads == [1] else 's'} per {each}"


def _certificate(board: Board) -> list[str]:
    if not MEASURED.says(board.optimisers):
        return []
    broken = sum(map(exceeds, board.runs))
    verdict = f"EXCEEDS the bound in {broken} runs: WARNING" if broken else "never exceeds the bound"
    return [f"The gain that was measured {verdict}.", *_budget(board)]


def _budget(board: Board) -> list[str]:
    asked = board.runs[0].request.lipschitz
    if asked is None:
        return []
    over = sum(map(breaks, board.runs))
    verdict = f"is NOT PROVEN in {over} runs: WARNING" if over else "is proven in every run that ended with a network"
    return [f"The bound that was asked for, {asked:g}, {verdict}."]


def _certainty(board: Board) -> list[str]:
    notes = []
    if board.resampled_seeds > 1:
        notes.append(f"The ranks' resamples draw from {board.resampled_seeds} seeds.")
    return [*notes, *few_seeds(row.test.count for row in board.optimisers)]


def few_seeds(counts: Iterable[int]) -> list[str]:
    """What is said where one of the means is one over few seeds."""
    if not any(1 < count < _FEW_SEEDS for count in counts):
        return []
    return [
        "Few seeds: 95 % bootstrap intervals hold the true mean of normal figures in 75 % of cases at 3 seeds, "
        "85 % at 5, 90 % at 10 and 94 % at 40; ranks' spans are too narrow likewise, and at 3 seeds hardly any "
        "difference is significant among so many."
    ]


def _tuning(board: Board) -> list[str]:
    searched = [row.tuning for row in board.optimisers if row.tuning.cost]
    if not searched:
        return []
    on_validation = [found for found in searched if found.tried]
    which = "" if len(on_validation) == len(searched) else f" of {len(on_validation)} of the {len(searched)} best rows"
    chosen = f"The values{which} were chosen on a validation part, 20 % of the training set, by the mean RMS over "
    return [
        *([f"{chosen}{TUNING_SEEDS} seeds that are not among those shown."] if on_validation else []),
        *([SECOND] if any(found.second for found in searched) else []),
        f"{board.search_runs} search runs have no row of their own. One command makes the default and the best in one.",
    ]


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
    foreign = Counter(
        record.request.task for record in every if not tasks.is_known(record.request.task) and not strange(record)
    )
    shown = {board_key(record) for record in results(every)}
    alone = [record for record in trials(every) if board_key(record) not in shown]
    return [
        *([f"{_records(len(alone))} judged on validation, not shown: their boards have no result."] if alone else []),
        *(f"{_records(n)} of {what}, not known to this normbench, not shown." for what, n in sorted(hidden.items())),
        *(f"{_records(n)} of the task {task!r}, not known to this normbench." for task, n in sorted(foreign.items())),
    ]


def _records(count: int) -> str:
    return f"{count} record{'' if count == 1 else 's'}"
