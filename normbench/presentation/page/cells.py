"""The leaderboard as cells of an HTML table: a figure, a remark under it, and a value to sort by."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from normbench import specs
from normbench.analysis.leaderboard import Row
from normbench.analysis.rows import KINDS
from normbench.presentation.labels import backend
from normbench.presentation.page.ways import Section, Way
from normbench.presentation.tables import accuracy, failures, mean_sd, number, tuning

_PAIRED = "Paired relative difference of test RMS to the best row"
_LAST = 1e99  # what a column without a figure sorts by; DataTables knows no infinity


@dataclass(frozen=True)
class Cell:
    """What stands in a cell.

    Attributes
    ----------
    text : str
    remark : str
        A second, smaller line.
    order : float or str
        What the column sorts by; missing figures come last.
    """

    text: str
    remark: str = ""
    order: float | str = ""


@dataclass(frozen=True)
class Column:
    """A column of the leaderboard.

    Attributes
    ----------
    header : str
    meaning : str
        One line, shown where the pointer rests on the header.
    cell : callable
    numeric : bool
    ranks : bool
        True if it sets the row against the others of its board.
    classes : bool
        True if it is for classes alone.
    """

    header: str
    meaning: str
    cell: Callable[[Row], Cell]
    numeric: bool = True
    ranks: bool = False
    classes: bool = False

    def says(self, boards: Sequence[Section]) -> bool:
        """True if a row of one of the boards has a figure for it."""
        return not self.classes or any(row.accuracy for section in boards for row in section.board.rows)


def _figure(text: str, value: float | None, remark: str = "") -> Cell:
    known = value is not None and math.isfinite(value)
    return Cell(text if known else "", remark if known else "", float(value) if known and value is not None else _LAST)


def _between(low: float, high: float, unit: str = "") -> str:
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"{number(low)} to {number(high)}{unit}"


def remark(row: Row) -> str:
    """Family of the optimiser, and what a user has to tune, in words; † where the best value ends its grid."""
    words = tuning(row)
    if not row.records:
        return words
    return f"{specs.get(row.optimiser).family}, {'tuning: ' if words == 'none' else ''}{words}"


def _search(row: Row) -> Cell:
    return Cell(str(row.tuning.cost), "", row.tuning.cost) if row.tuning else Cell("", "", _LAST)


def _test(row: Row) -> Cell:
    return _figure(mean_sd(row.test), row.test.mean, _between(row.interval.low, row.interval.high))


def _difference(row: Row) -> Cell:
    found = row.difference
    if found is None:
        best = row.rank is not None and row.rank.rank == 1
        return Cell("best", "", 0.0) if best else Cell("", "", _LAST)
    remark = (
        f"{_percent(found.low)} to {_percent(found.high)}, p {_p_value(found.p_value)}"
        if found.pairs > 1
        else "one pair"
    )
    return Cell(f"{_percent(found.mean)} %", remark, found.mean)


def _percent(value: float) -> str:
    return "∞" if math.isinf(value) else f"{100 * value:+.1f}"


def _p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}" if value < 0.1 else f"= {value:.2f}"


def _rank(row: Row) -> Cell:
    if row.rank is None:
        return Cell("", "", _LAST)
    moves = math.isfinite(row.rank.best_share)
    span = f"{row.rank.low} to {row.rank.high}" if moves else ""
    return Cell(str(row.rank.rank), span, row.rank.rank)


def _backend(row: Row) -> Cell:
    return Cell(backend(row), "", backend(row))


def _train(row: Row) -> Cell:
    return _figure(mean_sd(row.train), row.train.mean)


def _accuracy(row: Row) -> Cell:
    return _figure(accuracy(row), row.accuracy.mean if row.accuracy else None)


def _seconds(row: Row) -> Cell:
    return _figure(number(row.seconds_per_run, 2), row.seconds_per_run)


def _milliseconds(row: Row) -> Cell:
    return _figure(number(row.ms_per_iteration, 2), row.ms_per_iteration)


def _failures(row: Row) -> Cell:
    return Cell(failures(row), "", sum(row.failures.values()))


def _bound(row: Row) -> Cell:
    bound, gain = row.mean(lambda run: run.lipschitz_bound), row.mean(lambda run: run.lipschitz_measured)
    return _figure(number(bound, 2), bound, f"measured {number(gain, 2)}" if math.isfinite(gain) else "")


def _evaluations(row: Row) -> Cell:
    losses, gradients = row.mean(lambda run: run.loss_evaluations), row.mean(lambda run: run.gradient_evaluations)
    return _figure(f"{number(losses, 0)} / {number(gradients, 0)}", gradients)


COLUMNS = (
    Column("backend", "What computed; with device and precision where they are not CPU and float32", _backend, False),
    Column("test RMS", "Mean ± standard deviation over seeds; below: 95 % bootstrap interval of the mean", _test),
    Column(
        "accuracy %", "Share of test samples classified rightly, mean ± standard deviation", _accuracy, classes=True
    ),
    Column("to the best", f"{_PAIRED}; below: 95 % interval and Holm-corrected p", _difference, ranks=True),
    Column("rank", "By mean test RMS; below: where 95 % of the resamples of the seeds put it", _rank, ranks=True),
    Column("train RMS", "Mean ± standard deviation over seeds", _train),
    Column("bound", "Lipschitz bound, mean over seeds; below: largest ratio measured over many pairs", _bound),
    Column("search", "Runs that the choice of the learning rate cost", _search),
    Column("seeds", "Runs, failures included", lambda row: _figure(str(row.runs), row.runs)),
    Column("iter.", "Iterations per run", lambda row: _figure(str(row.iterations), row.iterations)),
    Column("passes", "Loss and gradient evaluations: passes over the training set, means over runs", _evaluations),
    Column("s/run", "Seconds of training per run, without compilation", _seconds),
    Column("ms/it.", "Milliseconds per iteration", _milliseconds),
    Column("failures", "Stalled, diverged and failed runs", _failures, False),
)


@dataclass(frozen=True)
class Line:
    """One line of a leaderboard: a row and, where it was run here, the way behind it."""

    row: Row
    way: Way | None

    @property
    def group(self) -> int:
        """Place of its kind: optimisers first, then predictors, then published rows, however the rest is sorted."""
        return KINDS.index(self.row.kind)


def lines(section: Section) -> list[Line]:
    """Every row of the board in its order."""
    ways = iter(section.ways)
    return [Line(row, next(ways) if row.records else None) for row in section.board.rows]
