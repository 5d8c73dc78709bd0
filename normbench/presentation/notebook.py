"""Boards and frontiers that show themselves: as HTML in a notebook, as text elsewhere; and their rows as a table."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console, RenderableType

from normbench.analysis.frontier import Frontier
from normbench.analysis.leaderboard import Board
from normbench.presentation import boards, exports, frontier_files, frontier_tables, terminal
from normbench.presentation.across import across
from normbench.presentation.captions import captions
from normbench.presentation.labels import board_title
from normbench.presentation.quantities import LEGEND, legend, shown

_RIGHT, _LEFT = "text-align:right", "text-align:left"


@dataclass(frozen=True, eq=False)
class Leaderboard:
    """The leaderboards of some records.

    Attributes
    ----------
    boards : tuple of Board
    """

    boards: tuple[Board, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """Every row with all that CSV and JSON have of it."""
        return pd.DataFrame(row for board in self.boards for row in exports.flat(board))

    def __str__(self) -> str:
        return _text(lambda width: boards.terminal(self.boards, width=width))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = (row for board in self.boards for row in board.rows)
        words = "".join(f"<li>{escape(line)}</li>" for line in legend(rows))
        return "".join([*map(_html, self.boards), f"<details><summary>{LEGEND}</summary><ul>{words}</ul></details>"])


def _html(board: Board) -> str:
    columns = shown(board.rows)
    head = "".join(f"<th style='{_RIGHT if c.numeric else _LEFT}'>{escape(c.header)}</th>" for c in columns)
    body = "".join(
        "<tr>"
        + "".join(f"<td style='{_RIGHT if c.numeric else _LEFT}'>{escape(c.cell(row))}</td>" for c in columns)
        + "</tr>"
        for row in board.rows
    )
    notes = "".join(f"<br>{escape(note)}" for note in captions(board))
    return (
        f"<table><caption style='{_LEFT}'><b>{escape(board_title(board))}</b></caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table><small>{notes}</small>"
    )


@dataclass(frozen=True, eq=False)
class FrontierPlot:
    """Test error over the Lipschitz bound, a picture for every task, split, network and budget.

    Attributes
    ----------
    frontiers : tuple of Frontier
    """

    frontiers: tuple[Frontier, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """Every way at every bound with all that CSV and JSON have of it."""
        return pd.read_csv(io.StringIO(frontier_files.csv(self.frontiers)))

    def save(self, folder: str | Path) -> list[Path]:
        """Write every picture as SVG, PDF and CSV.

        Raises
        ------
        BackendUnavailableError
            If a library that draws is not installed.
        OutputError
            If a file cannot be written.
        """
        return [path for picture in self._pictures() for path in picture.save(Path(folder))]

    def __str__(self) -> str:
        found = list(self.frontiers)
        return _text(lambda width: frontier_tables.terminal(found, across(found), width=width))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "".join(picture.svg() for picture in self._pictures())

    def _pictures(self) -> Sequence[Any]:
        from normbench.presentation.libraries import drawing_libraries

        with drawing_libraries():
            from normbench.presentation.charts.frontier import frontier_pictures
        return frontier_pictures(self.frontiers)


def _text(made: Any) -> str:
    """What a console as wide as ours would print, without colours."""
    width, written = terminal.console().width, io.StringIO()
    renderable: RenderableType = made(width)
    Console(
        file=written,
        width=width,
        markup=False,
        emoji=False,
        color_system=None,
        force_jupyter=False,  # which would show it in the cell, beside what _repr_html_ shows
    ).print(renderable)
    return written.getvalue()
