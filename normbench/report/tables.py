"""A leaderboard on paper: rich tables for the terminal, Markdown, CSV and JSON for everything else."""

import io
import json
import math
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from normbench.report.leaderboard import Board, Row
from normbench.report.statistics import Spread

WIDE = 112  # columns of a terminal from which on every column fits
_FAILURES = ("stalled", "diverged", "failed")

Column = tuple[str, Callable[[Row], str], bool, bool]  # header, cell, numeric, shown on narrow terminals


def number(value: float | None, digits: int = 3) -> str:
    """``value`` with ``digits`` decimals, or as an integer or power of ten where that says more; "" for NaN."""
    if value is None or not math.isfinite(value):
        return ""
    if abs(value) >= 1e5:
        return f"{value:.1e}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.{digits}f}"


def mean_sd(figure: Spread) -> str:
    """``mean ± sd``, without the sd where there is none, "–" where there is no mean."""
    if not math.isfinite(figure.mean):
        return "–"
    return f"{number(figure.mean)} ± {number(figure.sd)}" if math.isfinite(figure.sd) else number(figure.mean)


def failures(row: Row) -> str:
    """``1 stalled, 2 diverged``, "none", or "" for rows that were not run here."""
    if row.kind != "optimiser":
        return ""
    return ", ".join(f"{row.failures[s]} {s}" for s in _FAILURES if row.failures.get(s)) or "none"


def backend(row: Row) -> str:
    """Backend, with device and dtype where they are not the usual CPU and float32."""
    parts = [row.backend, row.device.replace("cpu", ""), row.dtype.replace("float", "f").replace("f32", "")]
    return " ".join(part for part in parts if part)


def _tuning(row: Row) -> str:
    return row.tuning + (" †" if row.on_edge else "")


COLUMNS: tuple[Column, ...] = (
    ("optimiser", lambda r: r.optimiser, False, True),
    ("backend", backend, False, True),
    ("tuning needed", _tuning, False, True),
    ("train RMS", lambda r: mean_sd(r.train), True, True),
    ("test RMS", lambda r: mean_sd(r.test), True, True),
    ("seeds", lambda r: str(r.runs), True, False),
    ("iter.", lambda r: str(r.iterations or ""), True, False),
    ("s/run", lambda r: number(r.seconds_per_run, 2), True, False),
    ("ms/it", lambda r: number(r.ms_per_iteration, 2), True, True),
    ("bound", lambda r: number(r.lipschitz_bound, 2), True, False),
    ("failures", failures, False, True),
)


def plain_table() -> Table:
    """An empty table in the one style of all commands: a rule under the header, two blanks between columns."""
    return Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)


def titled(title: str, table: Table) -> RenderableType:
    """A table under its title."""
    return Group(Text(title, style="bold"), Text(), table, Text())


def terminal(boards: Sequence[Board], *, width: int) -> RenderableType:
    """Every board with its title and captions; below 112 columns the less important columns are left out."""
    return Group(*(part for board in boards for part in _board(board, width)))


def _board(board: Board, width: int) -> list[RenderableType]:
    columns = [c for c in COLUMNS if width >= WIDE or c[3]]
    table = plain_table()
    for header, _, numeric, _ in columns:
        free = header in ("tuning needed", "failures")
        table.add_column(header, justify="right" if numeric else "left", no_wrap=not free)
    kind = ""
    for row in board.rows:
        if kind and row.kind != kind:
            table.add_section()
        kind = row.kind
        table.add_row(*(cell(row) for _, cell, _, _ in columns), style="" if kind == "optimiser" else "dim")
    left_out = [header for header, _, _, narrow in COLUMNS if not narrow]
    hidden = f"Left out on a narrow terminal: {', '.join(left_out)}."
    notes = board.notes if len(columns) == len(COLUMNS) else (*board.notes, hidden)
    return [
        Text(board.title, style="bold"),
        Text(),
        table,
        Text(),
        *(Text(note, style="dim") for note in notes),
        Text(),
    ]


def markdown(boards: Iterable[Board]) -> str:
    """Every board as a heading, a table and a list of captions."""
    return "\n".join(_markdown(board) for board in boards)


def _markdown(board: Board) -> str:
    lines = [f"## {board.title}", "", "| " + " | ".join(header for header, *_ in COLUMNS) + " |"]
    lines.append("| " + " | ".join("---:" if numeric else "---" for _, _, numeric, _ in COLUMNS) + " |")
    lines += ["| " + " | ".join(cell(row) for _, cell, _, _ in COLUMNS) + " |" for row in board.rows]
    return "\n".join([*lines, "", *(f"- {note}" for note in board.notes), ""])


def flat(board: Board) -> list[dict[str, Any]]:
    """The rows as plain dictionaries; a figure that does not exist is None."""
    return [_flat(board, row) for row in board.rows]


def _flat(board: Board, row: Row) -> dict[str, Any]:
    values = {
        "task": board.task,
        "simulated": row.simulated,
        "unit": board.unit,
        "split": board.split,
        "layers": "-".join(map(str, board.layers)),
        "kind": row.kind,
        "optimiser": row.optimiser,
        "backend": row.backend,
        "device": row.device,
        "dtype": row.dtype,
        "tuning": row.tuning,
        "tuning_runs": row.tuning_runs,
        "tuning_on_edge": row.on_edge,
        "train_rms_mean": row.train.mean,
        "train_rms_sd": row.train.sd,
        "test_rms_mean": row.test.mean,
        "test_rms_sd": row.test.sd,
        "seeds": row.runs,
        "iterations": row.iterations,
        "seconds_per_run": row.seconds_per_run,
        "seconds_compile": row.seconds_compile,
        "ms_per_iteration": row.ms_per_iteration,
        "lipschitz_bound": row.lipschitz_bound,
        **{status: row.failures.get(status, 0) for status in _FAILURES},
    }
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


def json_lines(boards: Iterable[Board]) -> str:
    """One JSON object per row and line."""
    return "".join(json.dumps(row, allow_nan=False) + "\n" for board in boards for row in flat(board))


def csv(boards: Iterable[Board]) -> str:
    """All rows of all boards under one header."""
    frame = pd.DataFrame([row for board in boards for row in flat(board)]).astype({"iterations": "Int64"})
    text = io.StringIO()
    frame.to_csv(text, index=False)
    return text.getvalue()


def console(*, stderr: bool = False) -> Console:
    """A rich console; where the output is no terminal it is wide enough for every column."""
    found = Console(stderr=stderr)
    return found if found.is_terminal or "COLUMNS" in os.environ else Console(stderr=stderr, width=120)
