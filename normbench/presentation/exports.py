"""A leaderboard as Markdown, CSV and JSON: everything that the rows hold, the commands and records included."""

import io
import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd

from normbench.analysis.leaderboard import Board, Row
from normbench.presentation.tables import FAILURES, backend, columns_of, markdown_table
from normbench.records.formats import csv_frame, markdown_code, markdown_text
from normbench.running.axis import Level
from normbench.running.request import axes

_WHOLE = (
    "iterations",
    "batch_size",
    "vs_best_pairs",
    "rank",
    "rank_low",
    "rank_high",
    "reached",
)  # columns of integers with gaps

Fields = Callable[[Row], Mapping[str, Any]]


def _nothing(row: Row) -> Mapping[str, Any]:
    return {}


def markdown(boards: Iterable[Board]) -> str:
    """Every board as a heading, a table and a list of captions."""
    return "\n".join(_markdown(board) for board in boards)


def _markdown(board: Board) -> str:
    lines = [f"## {markdown_text(board.title)}", "", *markdown_table(columns_of(board), board.rows)]
    return "\n".join([*lines, "", *(f"- {markdown_text(note)}" for note in board.notes), "", *_commands(board)])


def _commands(board: Board) -> list[str]:
    """What makes the rows again, one line a command."""
    made: dict[str, list[str]] = {}
    for row in board.rows:
        if row.command:
            made.setdefault(row.command, []).append(f"{row.optimiser} ({backend(row)}, {row.tuning})")
    lines = [f"- {markdown_code(command)}: {markdown_text('; '.join(rows))}" for command, rows in made.items()]
    if not lines:
        return []
    return ["<details><summary>Commands that make the rows again</summary>", "", *lines, "", "</details>", ""]


def flat(board: Board, *, more: Fields = _nothing) -> list[dict[str, Any]]:
    """The rows as plain dictionaries, with the fields that ``more`` adds; a figure that does not exist is None."""
    return [_strict({**_flat(board, row), **more(row)}) for row in board.rows]


def _strict(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _figure(value) if isinstance(value, float) else value for name, value in values.items()}


def _figure(value: float) -> float | None:
    """Twelve digits: what lies behind them differs from processor to processor, and no figure here has as many."""
    return float(f"{value:.12g}") if math.isfinite(value) else None


def _flat(board: Board, row: Row) -> dict[str, Any]:
    return {
        "task": board.task,
        "simulated": row.simulated,
        "unit": board.unit,
        "split": board.split,
        "layers": "-".join(map(str, board.layers)),
        "kind": row.kind,
        **{axis.name: _plain(row.asked.get(axis.name)) for axis in axes(Level.ROW)},
        "optimiser": row.optimiser,
        "tuning": row.tuning,
        "tuning_runs": row.tuning_runs,
        "tuning_on_edge": row.on_edge,
        "train_rms_mean": row.train.mean,
        "train_rms_sd": row.train.sd,
        "test_rms_mean": row.test.mean,
        "test_rms_sd": row.test.sd,
        "test_rms_low": row.interval.low,
        "test_rms_high": row.interval.high,
        "test_accuracy_mean": row.accuracy and row.accuracy.mean,
        "test_accuracy_sd": row.accuracy and row.accuracy.sd,
        **_certainty(row),
        "seeds": row.runs,
        "iterations": row.iterations,
        "timed_runs": row.timed,
        "seconds_per_run": row.seconds_per_run,
        "seconds_compile": row.seconds_compile,
        "ms_per_iteration": row.ms_per_iteration,
        "loss_evaluations": row.loss_evaluations,
        "gradient_evaluations": row.gradient_evaluations,
        "lipschitz_bound": row.lipschitz_bound,
        "lipschitz_measured": row.lipschitz_measured,
        **{status: row.failures.get(status, 0) for status in FAILURES},
        "command": row.command,
        "environment": row.environment,
        "code_version": row.code_version,
        "records": " ".join(row.records),
    }


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _certainty(row: Row) -> dict[str, Any]:
    """Difference to the best and rank, as far as there are any."""
    found, span = row.difference, row.rank
    return {
        "vs_best_mean": found and found.mean,
        "vs_best_low": found and found.low,
        "vs_best_high": found and found.high,
        "vs_best_pairs": found and found.pairs,
        "vs_best_p_value": found and found.p_value,
        "rank": span and span.rank,
        "rank_low": span and span.low,
        "rank_high": span and span.high,
        "best_share": span and span.best_share,
    }


def json_lines(boards: Iterable[Board], *, more: Fields = _nothing) -> str:
    """One JSON object per row and line."""
    return "".join(json.dumps(row, allow_nan=False) + "\n" for board in boards for row in flat(board, more=more))


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict) else value


def csv(boards: Iterable[Board], *, more: Fields = _nothing) -> str:
    """All rows of all boards under one header."""
    rows = [row for board in boards for row in flat(board, more=more)]
    frame = pd.DataFrame([{name: _cell(value) for name, value in row.items()} for row in rows])
    frame = frame.astype({name: "Int64" for name in _WHOLE if name in frame})
    text = io.StringIO()
    csv_frame(frame).to_csv(text, index=False)
    return text.getvalue()
