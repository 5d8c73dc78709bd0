"""Experiment 1 and its files: drawn where the numbers say, in colours that print; the same records, the same bytes."""

import numpy as np
import pandas as pd
import pytest

from normbench.analysis.sensitivity import learning_rate_sensitivity
from normbench.papers.asgd import figures as experiments
from normbench.papers.asgd import published
from normbench.presentation.charts import board
from normbench.specs import SPECS
from tests.presentation.drawn import drawn_lines, layers, line_points, panels, points, rows_as_points, title


@pytest.fixture(scope="module")
def saved(table1_runs, tmp_path_factory):
    """A picture and its files."""
    picture = experiments.experiment1(table1_runs)
    return picture, picture.save(tmp_path_factory.mktemp("saved"))


def test_experiment1_draws_what_its_csv_holds(saved):
    picture, _ = saved
    drawn = np.array(panels(picture)).reshape(2, 3)
    for row, method in zip(drawn, ("method1", "method2"), strict=True):
        for panel, quantity in zip(row, ("loss", "RMS", "step size"), strict=True):
            data = picture.data[(picture.data["optimiser"] == method) & (picture.data["quantity"] == quantity)]
            expected = rows_as_points((rows for _, rows in data.groupby("part")), "iteration", "mean")
            assert expected <= line_points(panel)
            assert panel["title"]["text"] == f"{method}: {quantity}"
    assert "SIMULATED" in title(picture)


def test_experiment1_shows_the_published_rms_beside_the_curves(saved):
    panel = panels(saved[0])[1]
    shown = {row["mean"] for layer in layers(panel, "point") for row in layer["data"]["values"]}
    figures = published.experiment1("method1")
    assert shown == {figures["train_rms_mean_n"], figures["test_rms_mean_n"]}


def test_files_hold_no_date(saved):
    svg, pdf, csv = saved[1]
    assert [path.suffix for path in (svg, pdf, csv)] == [".svg", ".pdf", ".csv"]
    assert "date" not in svg.read_text()
    assert pdf.read_bytes().startswith(b"%PDF")
    assert b"CreationDate" not in pdf.read_bytes()


def search(make, *, scale=1.0):
    """A small figure: what a search for a learning rate found."""
    runs = [make("adam", rate, train_rms=1 + scale * k) for k, rate in enumerate(SPECS["adam"].tuned.grid)]
    return board.sensitivity(learning_rate_sensitivity(runs))


def test_the_same_numbers_give_the_same_files_and_others_another(make, tmp_path):
    pictures = search(make), search(make), search(make, scale=1.2)
    first, again, other = (picture.save(tmp_path / str(k)) for k, picture in enumerate(pictures))
    assert "clip" in first[0].read_text()  # what the library numbers on
    for k in (0, 2):
        assert first[k].read_bytes() == again[k].read_bytes() != other[k].read_bytes()


def test_vega_draws_the_lines_where_their_numbers_say(saved):
    """One affine map takes the numbers of a linear panel to pixels, for all of its lines."""
    picture, _ = saved
    [layer] = layers(panels(picture)[1], "line")  # RMS of method 1, training and test
    train, test = (np.array(line).reshape(-1, 2) for line in points(layer).values())
    drawn = [np.array(line) for line in drawn_lines(picture)]
    pixels = [line for line in drawn if len(line) == len(train)][1]  # after the loss of method 1
    maps = [np.polyfit(train[:, axis], pixels[:, axis], 1) for axis in (0, 1)]
    for axis, sign in ((0, 1), (1, -1)):
        np.testing.assert_allclose(np.polyval(maps[axis], train[:, axis]), pixels[:, axis], atol=0.01)
        assert np.sign(maps[axis][0]) == sign
    ends = np.column_stack([np.polyval(maps[axis], test[:, axis]) for axis in (0, 1)])
    assert any(np.allclose(line, ends, atol=0.01) for line in drawn if len(line) == 2)


def test_print_has_no_colour_that_only_a_page_knows(saved):
    svg = saved[1][0].read_text()
    assert "var(" not in svg
    assert "#0072b2" in svg  # method 1, light


def test_the_csv_is_the_data(saved):
    picture, files = saved
    pd.testing.assert_frame_equal(pd.read_csv(files[2]), picture.data, check_dtype=False, rtol=1e-5)
