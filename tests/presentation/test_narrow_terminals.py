"""On a narrow terminal tables break lines between words; no word is cut, no column vanishes unsaid."""

import re

import pytest

from normbench.analysis.compare import compare
from normbench.analysis.leaderboard import boards
from normbench.presentation import boards as shown
from normbench.presentation.changes import METRICS, comparison_tables
from normbench.presentation.tables import Column
from normbench.presentation.terminal import console, plain_table

WIDTHS = [40, 60, 72, 80, 120]
ROWS = [("undecided", "adam, linear, sandwich", "-0.8 to +0.3"), ("worse: 3 lost", "muonh", "+12.25 %")]
COLUMNS = [
    Column("verdict", lambda row: row[0], numeric=False, wraps=True),
    Column("optimiser and its parametrisation", lambda row: row[1], numeric=False, wraps=True),
    Column("change of the test RMS", lambda row: row[2]),
]


def printed(renderable, width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    console().print(renderable)
    return capsys.readouterr().out


def words(text):
    return set(re.split(r"[\s─]+", text))


@pytest.mark.parametrize("width", WIDTHS)
def test_every_word_of_a_table_stays_whole_and_figures_on_one_line(width, monkeypatch, capsys):
    text = printed(plain_table(COLUMNS, ROWS), width, monkeypatch, capsys)
    cells = [*(column.header for column in COLUMNS), *(cell for row in ROWS for cell in row)]
    assert words(text) >= words(" ".join(cells))
    assert all(row[2] in text for row in ROWS)
    assert max(map(len, text.splitlines())) <= max(width, 43)  # its longest words: 9 + 15 + 12, and between


def test_a_table_that_cannot_be_narrower_is_wider_than_the_terminal_and_not_cut(monkeypatch, capsys):
    rows = [("x" * 30, "y" * 30, "1" * 30)]
    text = printed(plain_table(COLUMNS, rows), 40, monkeypatch, capsys)
    assert words(text) >= set(rows[0])


def test_a_path_is_broken_where_its_column_lets_it(monkeypatch, capsys):
    table = plain_table()
    table.add_column("file", overflow="fold")
    table.add_row("/a" * 40)
    text = printed(table, 40, monkeypatch, capsys)
    assert "".join(text.split()[2:]) == "/a" * 40
    assert max(map(len, text.splitlines())) <= 40


@pytest.mark.parametrize("width", WIDTHS)
def test_boards_and_comparisons_keep_their_columns_or_name_them(width, make, monkeypatch, capsys):
    records = [make(seed=k, optimiser="geodesic_lbfgs", test_rms=0.8 + 0.01 * k) for k in range(3)]
    records += [make(seed=k, optimiser="sgd_momentum", tuning_runs=5, learning_rate=1e4) for k in range(3)]
    found, _, _ = compare(records, records, metrics=METRICS)
    board = printed(shown.terminal(boards(records), width=width), width, monkeypatch, capsys)
    changes = printed(comparison_tables(found, width=width), width, monkeypatch, capsys)
    assert words(board) >= {"geodesic_lbfgs", "sgd_momentum", "failures", "none", "tuning", "needed", "torch"}
    assert words(changes) >= {"verdict", "undecided", "geodesic_lbfgs", "tuning", "torch"}
    assert "…" not in board + changes
