"""A leaderboard as Markdown, CSV and JSON: everything that the rows hold, the commands and records included."""

import io
import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from normbench.analysis.leaderboard import Board, Row
from normbench.networks.families import layers_text
from normbench.presentation import quantities, targets
from normbench.presentation.captions import captions
from normbench.presentation.commands import command
from normbench.presentation.labels import board_title, environment, row_name
from normbench.presentation.quantities import LEGEND, legend, shown
from normbench.presentation.tables import markdown_table
from normbench.records.formats import csv_frame, markdown_code, markdown_text
from normbench.records.schema import Record
from normbench.running.axis import Level, Place
from normbench.running.request import axes


def markdown(boards: Iterable[Board]) -> str:
    """Every board as a heading, a table and a list of captions; how to read them at the end."""
    every = list(boards)
    words = [f"- {markdown_text(line)}" for line in legend(row for board in every for row in board.rows)]
    return "\n".join([*map(_markdown, every), f"## {LEGEND}", "", *words, ""])


def _markdown(board: Board) -> str:
    lines = [f"## {markdown_text(board_title(board))}", "", *markdown_table(shown(board.rows), board.rows)]
    return "\n".join([*lines, "", *(f"- {markdown_text(note)}" for note in captions(board)), "", *_commands(board)])


def _commands(board: Board) -> list[str]:
    """What makes the rows again, one line a command."""
    made: dict[str, list[str]] = {}
    for row in board.rows:
        if words := command(row, board):
            made.setdefault(words, []).append(row_name(row))
    lines = [f"- {markdown_code(words)}: {markdown_text('; '.join(rows))}" for words, rows in made.items()]
    if not lines:
        return []
    return ["<details><summary>Commands that make the rows again</summary>", "", *lines, "", "</details>", ""]


def flat(board: Board, target_rms: float | None = None) -> list[dict[str, Any]]:
    """The rows as plain dictionaries, with what it takes to reach a target; a figure that does not exist is None."""
    return [plain(_flat(board, row) | targets.fields(row, target_rms)) for row in board.rows]


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with figures that every processor finds the same; None for one that does not exist."""
    return {name: _figure(value) if isinstance(value, float) else value for name, value in values.items()}


def _figure(value: float) -> float | None:
    """Twelve digits: what lies behind them differs from processor to processor, and no figure here has as many."""
    return float(f"{value:.12g}") if math.isfinite(value) else None


def _flat(board: Board, row: Row) -> dict[str, Any]:
    values: dict[str, Any] = {
        **(board_fields(board.runs[0]) | {"simulated": row.simulated}),  # a published row has data of its own
        "kind": row.kind,
        **{axis.name: row.asked.get(axis.name) for axis in axes(Level.ROW)},
    }
    for quantity in quantities.QUANTITIES:
        values |= quantity.stored(row)
    return values | {
        "command": command(row, board),
        "environment": environment(row),
        "code_version": row.records[0].provenance.code_version if row.records else "",
        "records": " ".join(run.record_id for run in row.records),
    }


def board_fields(run: Record, *, without: Collection[str] = ()) -> dict[str, Any]:
    """What is said of the board that a run is on; of what separates boards not the axes named in ``without``."""
    asked = run.request
    others = (a for a in axes(Level.BOARD) if a.place is Place.BOARD and a.name not in without)
    return {
        "task": asked.task,
        "simulated": run.provenance.simulated,
        "unit": run.outcome.unit,
        "split": asked.split,
        "layers": layers_text(asked.layers),
        **{axis.name: getattr(asked, axis.name) for axis in others},
    }


def json_lines(boards: Iterable[Board], target_rms: float | None = None) -> str:
    """One JSON object per row and line."""
    return lines(row for board in boards for row in flat(board, target_rms))


def lines(rows: Iterable[Mapping[str, Any]]) -> str:
    """The rows as JSON, one a line."""
    return "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)


def _whole(values: Iterable[Any]) -> bool:
    """True for integers, with gaps perhaps, for which pandas would make them floats."""
    known = [value for value in values if value is not None]
    return bool(known) and all(type(value) is int for value in known)


def csv(boards: Iterable[Board], target_rms: float | None = None) -> str:
    """All rows of all boards under one header."""
    return table([row for board in boards for row in flat(board, target_rms)])


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as CSV; mappings as JSON."""
    cells = [{name: json.dumps(v) if isinstance(v, dict) else v for name, v in row.items()} for row in rows]
    frame = pd.DataFrame(cells)
    whole = [name for name in (rows[0] if rows else ()) if _whole(row.get(name) for row in rows)]
    frame = frame.astype(dict.fromkeys(whole, "Int64"))
    text = io.StringIO()
    csv_frame(frame).to_csv(text, index=False)
    return text.getvalue()
