"""What boards, rows and runs are called: every word is made here or beside the figure it belongs to, and never read."""

from collections.abc import Collection

from normbench.analysis.leaderboard import Board
from normbench.analysis.rows import OptimiserRow, PublishedRow, Row
from normbench.analysis.selection import unusual_hyperparameters
from normbench.analysis.tuning import Rule, Tuning
from normbench.data.dataset import origin
from normbench.networks.families import layers_text
from normbench.records.schema import Record
from normbench.running.axis import Place
from normbench.running.request import SPLITS, axes
from normbench.specs.values import value_text

PUBLISHED = "published, real data"


def board_title(board: Board) -> str:
    """One line; says SIMULATED where the data are."""
    return f"{network_title(board.runs[0])}, RMS in {board.unit}"


def network_title(run: Record, *, without: Collection[str] = ()) -> str:
    """``quadrotor-sim (SIMULATED data), network 12-25-30-15-3, random split``: the board that a run is on.

    Of what separates boards the axes named in ``without`` are not said.
    """
    asked = run.request
    data = f"{asked.task} ({origin(run.provenance.simulated, asked.task)} data)"
    others = _said(run, Place.BOARD, without=without)
    return ", ".join([data, f"network {layers_text(asked.layers)}", f"{asked.split} split", *others])


def board_tags(run: Record) -> list[str]:
    """:func:`board_words` as parts of a file name or key: ``L=20``."""
    return [words.replace(" ", "") for words in board_words(run)]


def network_tag(run: Record) -> str:
    """``neural-fly-12-25-30-15-3-blocked``: part of a file name, with the split where it is unusual."""
    asked = run.request
    split = "" if asked.split == SPLITS[0] else f"-{asked.split}"
    return f"{asked.task}-{layers_text(asked.layers)}{split}"


def board_words(run: Record) -> list[str]:
    """``L = 20``: what else is said of the board that a run is on."""
    return _said(run, Place.BOARD)


def where(record: Record) -> str:
    """``torch``, ``jax cuda float64``: backend, and device and dtype where they are not the usual ones."""
    return " ".join(_said(record, Place.WHERE))


def backend(row: Row) -> str:
    """:func:`where` the runs of the row were made; "" where none was."""
    return where(row.records[0]) if row.records else ""


def how(record: Record, *, without: Collection[str] = ()) -> list[str]:
    """``order 3``, ``batch 32``, ``plateau``: everything about a run that is not as usual, its place apart.

    Axes named in ``without`` are not said.
    """
    unusual = [f"{name} {value_text(value)}" for name, value in unusual_hyperparameters(record).items()]
    return [*unusual, *_said(record, Place.HOW, without=without)]


def _said(record: Record, place: Place, *, without: Collection[str] = ()) -> list[str]:
    said = (axis for axis in axes() if axis.place is place and axis.name not in without)
    found = (axis.label(getattr(record.request, axis.name)) for axis in said)
    return [words for words in found if words]


def chosen_text(found: Tuning) -> str:
    """``0.01``, ``0.01, momentum 0.8``: the values that are tuned."""
    second = [f"{found.second.name} {value_text(found.second.value)}"] if found.second else []
    return ", ".join([value_text(found.value), *second])


def tuning_label(row: Row) -> str:
    """What has to be tuned: "none", "default 0.001", "best of 5: 0.03" or "best of 24: 0.03, momentum 0.8", and what
    else is not at its default."""
    match row:
        case OptimiserRow(tuning=Tuning() as found):
            label, others = _rule(found), how(row.records[0])
            return ", ".join([label, *others]) if label else ", ".join(others) or "none"
        case PublishedRow():
            return PUBLISHED
    return ""


def _rule(found: Tuning) -> str:
    """What chose the value, and the value; "" where nothing is tuned."""
    value = chosen_text(found)
    match found.rules:
        case (Rule.NONE,):
            return ""
        case (Rule.DEFAULT,):
            return f"default {value}"
        case (Rule.GIVEN,):
            return f"given {value}"
        case (Rule.BEST,):
            return f"best of {found.cost}: {value}"
        case (Rule.DEFAULT | Rule.GIVEN as rule, Rule.BEST):
            return f"best of {found.cost}: {value} ({rule})"
    return value


def row_name(row: Row) -> str:
    """``adam (jax, best of 5: 0.01)``."""
    return f"{row.optimiser} ({backend(row)}, {tuning_label(row)})"


def predictor_name(row: Row) -> str:
    """``linear fit``: a predictor as a picture names it."""
    return {"linear": "linear fit"}.get(row.optimiser, row.optimiser)


def environment(row: Row) -> str:
    """What the runs of the row were made with; set-ups that differ stand side by side."""
    made = {", ".join(f"{name} {value}" for name, value in run.provenance.environment.items()) for run in row.records}
    return " | ".join(sorted(made))
