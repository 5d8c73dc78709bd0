"""A quantity of a board is one entry: a planted one is shown everywhere, and the legend names all that is shown."""

import csv
import io
import json
import re

import pytest
from rich.console import Console

from normbench.analysis.compare import Direction
from normbench.analysis.leaderboard import boards
from normbench.presentation import exports, quantities
from normbench.presentation.boards import terminal
from normbench.presentation.page import report_page
from normbench.presentation.quantity import Quantity

PLANTED = Quantity(
    name="wall_clock",
    header="wall s",
    meaning="seconds on the wall",
    value=lambda row: row.mean(lambda run: run.outcome.seconds_evaluate),
    words=lambda row: "".join(f"{run.outcome.seconds_evaluate:.2f}" for run in row.records),
    unit="s",
    better=Direction.LOWER,
    leaves=3,
)


@pytest.fixture
def records(make):
    return [make(seconds_evaluate=47.25), make("agd", seconds_evaluate=11.5)]


@pytest.fixture
def planted(monkeypatch):
    monkeypatch.setattr(quantities, "QUANTITIES", (*quantities.QUANTITIES, PLANTED))


def written(found, width=400):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(terminal(found, width=width))
    return console.export_text()


def says(records, where):
    """Whether header and figure, or field and figure, and the legend are in each of the outputs."""
    found = boards(records)
    text = {
        "terminal": written(found),
        "Markdown": exports.markdown(found),
        "page": report_page(records) if where == "page" else "",
    }
    if where in text:
        return "wall s" in text[where], "47.25" in text[where], "seconds on the wall" in text[where]
    if where == "JSON":
        rows = [json.loads(line) for line in exports.json_lines(found).splitlines()]
    else:
        rows = list(csv.DictReader(io.StringIO(exports.csv(found))))
    values = {float(row["wall_clock"]) for row in rows if row.get("wall_clock")}
    return "wall_clock" in rows[0], 47.25 in values, "wall_clock" in rows[-1]


@pytest.mark.parametrize("where", ["terminal", "Markdown", "CSV", "JSON", "page"])
def test_a_planted_quantity_is_everywhere(records, planted, where):
    assert says(records, where) == (True, True, True)


@pytest.mark.parametrize("where", ["terminal", "Markdown", "CSV", "JSON"])
def test_what_is_not_declared_is_nowhere(records, where):
    assert says(records, where) == (False, False, False)


def test_what_is_left_out_on_a_narrow_terminal_follows_its_place(records, planted):
    assert re.search(r"Left out.*wall s", written(boards(records), 80).replace("\n", " "))


def test_the_legend_has_a_line_for_every_column_and_none_for_others(records):
    lines = exports.markdown(boards(records)).splitlines()
    [header] = [line for line in lines if line.startswith("| rank")]
    columns = [name.strip() for name in header.strip("| ").split("|")]
    legend = lines[lines.index(f"## {quantities.LEGEND}") + 2 :]
    assert len(legend) == len(columns)
    assert all(line.startswith(f"- {name}") for name, line in zip(columns, legend, strict=True))
    assert "accuracy %" not in columns


def test_no_two_quantities_share_a_name_or_a_field(make):
    [board] = boards([make()])
    names = [quantity.name for quantity in quantities.QUANTITIES]
    fields = [name for quantity in quantities.QUANTITIES for name in quantity.stored(board.rows[0])]
    assert len(set(names)) == len(names)
    assert len(set(fields)) == len(fields)
    assert {quantity.beside for quantity in quantities.QUANTITIES} <= {"", *names}
