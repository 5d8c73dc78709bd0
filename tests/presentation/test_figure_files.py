"""The files of a figure: the same records give the same bytes, drawn where the numbers say, in colours that print."""

import numpy as np
import pandas as pd
import pytest

from normbench.papers.asgd import figures as experiments
from tests.presentation.curved import curved
from tests.presentation.drawn import drawn_lines, layers, panels, points


@pytest.fixture(scope="module")
def saved(table1_runs, tmp_path_factory):
    """A picture and its files."""
    picture = experiments.experiment1(table1_runs)
    return picture, picture.save(tmp_path_factory.mktemp("saved"))


def test_files_are_the_same_again_and_hold_no_date(saved, table1_runs, tmp_path):
    written = [saved[1], experiments.experiment1(table1_runs).save(tmp_path)]
    assert [path.suffix for path in written[0]] == [".svg", ".pdf", ".csv"]
    (svg, pdf, csv), again = written
    assert (svg.read_bytes(), csv.read_bytes()) == (again[0].read_bytes(), again[2].read_bytes())
    assert "date" not in svg.read_text()
    assert pdf.read_bytes().startswith(b"%PDF")
    assert b"CreationDate" not in pdf.read_bytes()


def test_vega_draws_the_lines_where_their_numbers_say(saved):
    """One affine map takes the numbers of a linear panel to pixels, for all of its lines."""
    picture, _ = saved
    [layer] = layers(panels(picture)[1], "line")  # RMS of method 1, training and test
    train, test = (np.array(line).reshape(-1, 2) for line in points(layer).values())
    found = [np.array(line) for line in drawn_lines(picture) if len(line) == len(train)]
    pixels = found[1]  # after the loss of method 1
    maps = [np.polyfit(train[:, axis], pixels[:, axis], 1) for axis in (0, 1)]
    for axis, sign in ((0, 1), (1, -1)):
        np.testing.assert_allclose(np.polyval(maps[axis], train[:, axis]), pixels[:, axis], atol=0.01)
        assert np.sign(maps[axis][0]) == sign
    ends = np.column_stack([np.polyval(maps[axis], test[:, axis]) for axis in (0, 1)])
    assert any(np.allclose(line, ends, atol=0.01) for line in map(np.array, drawn_lines(picture)) if len(line) == 2)


def test_print_has_no_colour_that_only_a_page_knows(saved):
    svg = saved[1][0].read_text()
    assert "var(" not in svg
    assert "#0072b2" in svg  # method 1, light


def test_other_numbers_give_another_file(make, saved, table1_runs, tmp_path):
    other = [*table1_runs[1:], curved(make, "method1", seed=0, scale=1.2)]
    assert experiments.experiment1(other).save(tmp_path)[0].read_bytes() != saved[1][0].read_bytes()


def test_the_csv_is_the_data(saved):
    picture, files = saved
    pd.testing.assert_frame_equal(pd.read_csv(files[2]), picture.data, check_dtype=False, rtol=1e-5)
