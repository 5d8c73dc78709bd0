"""Cells that look like something else: names like numbers, words among numbers, truth values, sparse arrays."""

import numpy as np
import pandas as pd
import pytest

from normbench.data.tables import read
from normbench.errors import DataError, called_by_options

ROWS = 12
A = np.random.default_rng(0).normal(size=ROWS)
FIRST = 2**60  # float64 does not tell it from the next integers


def written(folder, ending, **columns):
    path = folder / f"t{ending}"
    columns = {"a": A, "y": A[::-1]} | columns
    if ending == ".npz":
        np.savez(path, **columns)
    elif ending == ".parquet":
        pytest.importorskip("pyarrow")
        pd.DataFrame(columns).to_parquet(path)
    else:
        pd.DataFrame(columns).to_csv(path, index=False)
    return [path]


@pytest.mark.parametrize("ending", [".csv", ".npz", ".parquet"])
@pytest.mark.parametrize("first", [FIRST, -FIRST, 0])
def test_groups_and_classes_that_are_long_numbers_stay_apart(ending, first, tmp_path):
    """They were floats in between, and four groups became one."""
    numbers = first + np.repeat(np.arange(4), 3)
    names = tuple(sorted(map(str, first + np.arange(4))))
    paths = written(tmp_path, ending, y=numbers, g=numbers)
    table = read(paths, inputs=["a"], outputs=["y"], classes=True, group="g")
    assert table.groups == table.classes == names
    np.testing.assert_array_equal(np.array(table.groups)[table.flight].astype(int), numbers)


def test_names_in_text_are_as_they_stand_and_whole_numbers_without_a_point(tmp_path):
    """007 and 7 were one group."""
    names = ["007", "7", "7.0", "7.", "0.10", "0.1", "-3.00", "1e3", "1_0", " 0 ", "00", "x"]
    table = read(written(tmp_path, ".csv", y=names, g=names), inputs=["a"], outputs=["y"], classes=True, group="g")
    said = ["007", "7", "7", "7", "0.10", "0.1", "-3", "1e3", "1_0", "0", "00", "x"]
    assert np.array(table.groups)[table.flight].tolist() == np.array(table.classes)[table.outputs].tolist() == said


@pytest.mark.parametrize("cell", ["1_000", "2024_01", "0x10", "1 000"])
def test_what_python_or_a_person_reads_as_a_number_is_none_in_a_table(cell, tmp_path):
    with pytest.raises(DataError, match=rf"column 'a', row 1: '{cell}' is no number"):
        read(written(tmp_path, ".csv", a=[cell, *A[1:]]), inputs=["a"], outputs=["y"])


def test_thousands_are_not_said_to_be_decimals(tmp_path):
    with pytest.raises(DataError, match=r"'1,234' is no number. Write decimal points, .* nothing between thousands"):
        read(written(tmp_path, ".csv", a=["1,234", *A[1:]]), inputs=["a"], outputs=["y"])


@pytest.mark.parametrize("row", [0, 5, ROWS - 1])
def test_a_word_among_numbers_makes_no_classes_of_them(row, tmp_path):
    """In the first row it made a class of every number."""
    cells = [*map(str, A)]
    cells[row] = "-"
    other = 2 if row == 0 else 1
    paths = written(tmp_path, ".csv", y=cells)
    with (
        called_by_options(),
        pytest.raises(
            DataError,
            match=rf"column 'y': words among numbers, '-' in row {row + 1} and .* in row {other}\..* by --classes",
        ),
    ):
        read(paths, inputs=["a"], outputs=["y"])
    assert len(read(paths, inputs=["a"], outputs=["y"], classes=True).classes) == ROWS
    with pytest.raises(DataError, match="column 't': words among numbers"):
        read(written(tmp_path, ".csv", t=cells), inputs=["a"], outputs=["y"], time="t")


@pytest.mark.parametrize("ending", [".csv", ".npz", ".parquet"])
def test_true_and_false_are_classes_of_an_output_and_numbers_of_an_input(ending, tmp_path):
    paths = written(tmp_path, ending, a=A > 0, b=A, y=A < 0.2)
    table = read(paths, inputs=["a", "b"], outputs=["y"], group="a")
    assert table.classes == table.groups == ("False", "True")
    np.testing.assert_array_equal(table.inputs[:, 0], A > 0)
    assert table.inputs.dtype == np.float64


def test_arrays_of_what_has_no_number_are_refused(tmp_path):
    for what, array in {
        "a is spans of time": np.arange(ROWS).astype("m8[s]"),
        r"a is of \[\('u', '<f8'\)\]": np.zeros(ROWS, dtype=[("u", "f8")]),
        "a holds bytes that are no ASCII": np.array([b"\xff"] * ROWS),
    }.items():
        with pytest.raises(DataError, match=what):
            read(written(tmp_path, ".npz", a=array), inputs=["a"], outputs=["y"])
    from scipy import io, sparse

    io.savemat(tmp_path / "t.mat", {"a": sparse.csc_matrix(A[:, None]), "y": A})
    with pytest.raises(DataError, match=r"t.mat: a is sparse. Save it in full: a = full\(a\)"):
        read([tmp_path / "t.mat"], inputs=["a"], outputs=["y"])
