"""The README's board: some rows and columns of one published board, between the mark and the next empty line."""

from collections.abc import Sequence

from normbench.analysis.leaderboard import Board, Row
from normbench.presentation.quantities import QUANTITIES
from normbench.presentation.tables import markdown_table

MARK = "<!-- board -->\n\n"
TASK, BACKEND = "neural-fly", "jax"
_COLUMNS = ("rank", "optimiser", "tuning needed", "test RMS", "vs best", "seeds", "bound", "measured")
_ROWS = {  # optimiser, or predictor, and whether its learning rate was searched
    ("muon", True),
    ("adam", True),
    ("lbfgs", False),
    ("adam", False),
    ("method2", False),
    ("method1", False),
    ("fromage", True),
    ("linear", False),
}


def with_board(text: str, boards: Sequence[Board]) -> str:
    """The README's text with the rows as they are now; the text itself where it has no mark."""
    if MARK not in text:
        return text
    before, after = text.split(MARK)
    rows = [row for board in boards if board.task == TASK for row in board.rows if _is_shown(row)]
    columns = sorted((q for q in QUANTITIES if q.header in _COLUMNS), key=lambda q: _COLUMNS.index(q.header))
    rest = after[after.index("\n\n") :] if after.startswith("|") else f"\n\n{after}"
    return before + MARK + "\n".join(markdown_table(columns, rows)) + rest


def _is_shown(row: Row) -> bool:
    searched = bool(row.tuning and row.tuning.cost)
    return row.backend in (BACKEND, "") and (row.optimiser, searched) in _ROWS
