"""A user's table is read whatever its format, and what is wrong with it is one error that names it and its place."""

import numpy as np
import pandas as pd
import pytest
from scipy import io

from normbench.data.tables import read
from normbench.errors import DataError, InvalidArgumentError, called_by_options

pytestmark = pytest.mark.quick

ROWS = 24
rng = np.random.default_rng(0)
T = np.arange(ROWS) / 10
V = rng.normal(size=(ROWS, 3))
FA = V[:, :2] * 7.25
GROUP = np.repeat(["a", "b", "c"], ROWS // 3)
SURFACE = np.array(["tar", "ice"])[(V[:, 0] > 0).astype(int)]
NAMES = {"inputs": ["v_0", "v_1", "v_2"], "outputs": ["fa_0", "fa_1"], "group": "flight", "time": "t"}


def frame():
    columns = {f"v_{k}": V[:, k] for k in range(3)} | {f"fa_{k}": FA[:, k] for k in range(2)}
    return pd.DataFrame({"t": T, **columns, "flight": GROUP, "surface": SURFACE, "other": "x"})


def write_csv(path, sep=","):
    frame().to_csv(path, index=False, sep=sep)


def write_lists(path, sep=","):
    cells = {"v": [str(row) for row in V.tolist()], "fa": [str(row) for row in FA.tolist()]}
    pd.DataFrame({"t": T, "flight": GROUP, "surface": SURFACE} | cells).to_csv(path, sep=sep)  # with its index


def write_parquet(path):
    pytest.importorskip("pyarrow")
    frame().to_parquet(path)


def write_parquet_of_lists(path):
    pytest.importorskip("pyarrow")
    pd.DataFrame({"t": T, "flight": GROUP, "surface": SURFACE, "v": list(V), "fa": list(FA)}).to_parquet(path)


def write_npz(path):
    np.savez(path, t=T, v=V, fa=FA, flight=GROUP, surface=SURFACE, meta=np.zeros((2, 2, 2)))


def write_mat(path):
    cell_array = np.array(SURFACE, dtype=object)
    groups = np.array([["a"], ["b"], ["c"]], dtype=object).repeat(ROWS // 3, axis=0)
    io.savemat(path, {"t": T, "v": V, "fa": FA, "flight": groups, "surface": cell_array, "s": {"v": V}})


FORMATS = {
    "t.csv": write_csv,
    "semicolons.csv": lambda path: write_csv(path, ";"),
    "t.tsv": lambda path: write_csv(path, "\t"),
    "lists.csv": write_lists,
    "lists.CSV": lambda path: write_lists(path, ";"),
    "t.parquet": write_parquet,
    "lists.pq": write_parquet_of_lists,
    "t.npz": write_npz,
    "t.mat": write_mat,
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_table(name, tmp_path):
    path = tmp_path / name
    FORMATS[name](path)
    table = read([path], **NAMES, unit="N")
    np.testing.assert_array_equal(table.inputs, V)
    np.testing.assert_array_equal(table.outputs, FA)
    np.testing.assert_array_equal(table.time, T)
    assert (table.groups, table.flight.tolist()) == (("a", "b", "c"), [0] * 8 + [1] * 8 + [2] * 8)
    assert (table.input_names, table.output_names) == (("v_0", "v_1", "v_2"), ("fa_0", "fa_1"))
    assert (table.classes, table.unit, table.split, table.constant) == ((), "N", "grouped", ())
    classes = read([path], inputs=["v_1"], outputs=["surface"])
    assert (classes.classes, classes.split) == (("ice", "tar"), "random")
    np.testing.assert_array_equal(np.array(classes.classes)[classes.outputs], SURFACE)


@pytest.mark.parametrize("name", ["lists.csv", "lists.pq", "t.npz", "t.mat"])
def test_a_vector_stands_for_all_its_columns(name, tmp_path):
    FORMATS[name](tmp_path / name)
    table = read([tmp_path / name], inputs=["v"], outputs=["fa"])
    assert (table.input_names, table.output_names) == (("v_0", "v_1", "v_2"), ("fa_0", "fa_1"))
    np.testing.assert_array_equal(table.inputs, V)
    with pytest.raises(InvalidArgumentError, match="no column 'v_3': its column 'v' holds vectors of 3: v_0 to v_2"):
        read([tmp_path / name], inputs=["v_3"], outputs=["fa"])
    with pytest.raises(InvalidArgumentError, match="inputs has 'v_0' twice"):
        read([tmp_path / name], inputs=["v", "v_0"], outputs=["fa"])
    with pytest.raises(InvalidArgumentError, match="'v_1' is an input and an output"):
        read([tmp_path / name], inputs=["v"], outputs=["v_1"])


def test_files_of_the_same_columns_are_one_table_whose_groups_they_can_be(tmp_path):
    write_csv(tmp_path / "late.csv")
    write_csv(tmp_path / "early.csv", ";")
    (tmp_path / "notes.txt").write_text("not a table")
    asked = {"inputs": ["v_0"], "outputs": ["fa_0"], "time": "t"}
    for paths in ([tmp_path], [tmp_path / "*.csv"], [tmp_path / "early.csv", tmp_path / "late.csv"]):
        table = read(paths, **asked, group="file")
        assert (table.groups, table.flight.tolist()) == (("early.csv", "late.csv"), [0] * ROWS + [1] * ROWS)
        assert table.name == tmp_path.name
    timed = read([tmp_path], **asked)
    assert (timed.groups, timed.flight.tolist(), timed.split) == ((), table.flight.tolist(), "blocked")
    with pytest.raises(InvalidArgumentError, match=r"late\.csv is given twice"):
        read([tmp_path, tmp_path / "late.csv"], **asked)
    with pytest.raises(InvalidArgumentError, match=r"no file matches .*\*\.mat"):
        read([tmp_path / "*.mat"], **asked)
    (tmp_path / "none").mkdir()
    with pytest.raises(InvalidArgumentError, match=r"holds no table: no file that ends in .csv"):
        read([tmp_path / "none"], **asked)


def test_dates_are_seconds(tmp_path):
    pytest.importorskip("pyarrow")
    put_back = pd.Timestamp("2024-10-27 00:59:59", tz="UTC").tz_convert("Europe/Berlin")  # a second later by an hour
    dated = frame().assign(t=put_back + pd.to_timedelta(T, "s"))
    dated.to_parquet(tmp_path / "t.parquet")
    table = read([tmp_path / "t.parquet"], inputs=["v_0"], outputs=["fa_0"], time="t")
    np.testing.assert_allclose(table.time - table.time[0], T, atol=1e-6)
    with pytest.raises(DataError, match=r"column 't': dates, such as 2024.*Only time takes dates"):
        read([tmp_path / "t.parquet"], inputs=["t"], outputs=["fa_0"])


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%dT%H:%M:%SZ"])
def test_dates_in_text_are_seconds(form, tmp_path):
    """Of CSV every date is text: those of --time ended in 'is no number'."""
    moments = (pd.Timestamp("2026-01-31") + pd.to_timedelta(np.round(T), "s")).strftime(form)
    frame().assign(t=moments).to_csv(tmp_path / "t.csv", index=False)
    table = read([tmp_path / "t.csv"], inputs=["v_0"], outputs=["fa_0"], time="t")
    np.testing.assert_allclose(table.time - table.time[0], np.round(T))
    frame().assign(t=["soon", *moments[1:]]).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match="column 't', row 1: 'soon' is neither a number of seconds nor a date"):
        read([tmp_path / "t.csv"], inputs=["v_0"], outputs=["fa_0"], time="t")


def test_null_characters_are_no_text(tmp_path):
    (tmp_path / "t.csv").write_bytes(bytes(100))
    with pytest.raises(DataError, match=r"t\.csv is no text: it holds null characters"):
        read([tmp_path / "t.csv"], inputs=["a"], outputs=["b"])


def altered(change):
    def write(path):
        found = frame()
        found[list(found.columns[1:6])] = found[list(found.columns[1:6])].astype(object)
        change(found)
        found.to_csv(path, index=False)

    return write


def cell(row, column, value):
    return altered(lambda found: found.__setitem__(column, [*found[column][:row], value, *found[column][row + 1 :]]))


def text(content):
    return lambda path: path.write_text(content)


@pytest.mark.parametrize(("given", "words"), [(["v_0", "v_0"], "names 'v_0' twice"), ([], "must be names of columns")])
@pytest.mark.parametrize("role", ["inputs", "outputs"])
def test_a_command_line_is_told_of_its_option(role, given, words, tmp_path):
    with called_by_options(), pytest.raises(InvalidArgumentError, match=f"^--{role} {words}"):
        read([tmp_path / "t.csv"], **NAMES | {role: given})


DAMAGED = {
    "nan": (
        cell(6, "v_1", None),
        "1 of 24 rows have no finite number in 'v_1', the first is row 7 .v_1 is nan.*Remove",
    ),
    "infinity": (cell(2, "fa_0", "inf"), "have no finite number in 'fa_0', the first is row 3 .fa_0 is inf"),
    "no time": (cell(3, "t", None), "have no finite number in 't', the first is row 4"),
    "no group": (cell(3, "flight", None), "column 'flight': 1 of 24 rows have no value, the first is row 4"),
    "text": (cell(5, "v_2", "broken"), "column 'v_2', row 6: 'broken' is no number. Leave the column out"),
    "decimal comma": (cell(4, "v_0", "0,5"), "column 'v_0', row 5: '0,5' is no number. Write decimal points"),
    "thousands": (
        cell(4, "v_0", "-1,234.5"),
        "column 'v_0', row 5: '-1,234.5' is no number. .* nothing between thousands",
    ),
    "text output": (cell(9, "fa_1", "-"), "column 'fa_1', row 10: '-' is no number"),
    "constant output": (altered(lambda f: f.__setitem__("fa_1", 3)), "output 'fa_1' .* is the same in all 24 rows"),
    "constant inputs": (
        altered(lambda f: f.__setitem__(["v_0", "v_1", "v_2"], 1.0)),
        "every input .* is the same in all 24 rows: v_0, v_1, v_2",
    ),
    "few rows": (lambda path: frame()[:9].to_csv(path), "has 9 rows; at least 10 are needed"),
    "no rows": (lambda path: frame()[:0].to_csv(path), "has columns and no rows"),
    "empty": (text(""), "t.csv is empty"),
    "blank": (text("\n\n"), "t.csv is empty"),
    "no header": (text("0.1,2\n0.2,3\n"), "has no header: its first line is '0.1,2'"),
    "duplicate": (text("a,b,a\n1,2,3\n"), "more than one column 'a'. Give each its own name"),
    "more fields than names": (
        text("t,v_0,v_1,v_2,fa_0,fa_1,flight\n" + "1," * 9 + "1\n"),
        "row 1: more fields than the 7",
    ),
    "one line too long": (
        text("t,v_0,v_1,v_2,fa_0,fa_1,flight\n" + "1,2,3,4,5,6,7\n" * 3 + "1,2,3,4,5,6,7,8\n"),
        "row 4: more fields than the 7 of the header. Write decimal points",
    ),
    "another encoding": (lambda path: path.write_bytes("t,v_0,größe\n".encode("latin-1")), "no text in UTF-8"),
    "unequal lists": (text("t,v,fa,flight\n" + '1,"[1,2,3]","[1,2]",a\n1,"[1,2]","[1,2]",a\n'), "row 2: a list of 2"),
    "a list cut short": (
        text("t,v,fa,flight\n" + '1,"[1,2,3]","[1,2]",a\n1,"[1,2","[1,2]",a\n'),
        "row 2: '.1,2' is no list",
    ),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_what_is_wrong_with_a_table_is_named(what, tmp_path):
    write, message = DAMAGED[what]
    write(tmp_path / "t.csv")
    with pytest.raises(DataError, match=message) as caught:
        read([tmp_path / "t.csv"], **NAMES)
    assert len(str(caught.value)) < 400


def test_what_is_wrong_with_other_formats_is_named(tmp_path):
    asked = {"inputs": ["v"], "outputs": ["fa"]}
    for name in ("t.parquet", "t.npz", "t.mat"):
        (tmp_path / name).write_bytes(b"what is this?" * 50)
        with pytest.raises(DataError, match=f"{name} is no (Parquet|NPZ|MAT) file"):
            read([tmp_path / name], **asked)
    # the head of a file that MATLAB writes by save('-v7.3')
    (tmp_path / "new.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(512))
    with pytest.raises(DataError, match=r"version 7\.3, which is HDF5\. Save it in MATLAB by save\('new.mat', '-v7'\)"):
        read([tmp_path / "new.mat"], **asked)
    write_mat(tmp_path / "s.mat")
    with pytest.raises(DataError, match=r"s is a struct. Save its fields as variables"):
        read([tmp_path / "s.mat"], inputs=["s"], outputs=["fa"])
    write_npz(tmp_path / "t.npz")
    with pytest.raises(DataError, match=r"meta has the shape \(2, 2, 2\); a column is"):
        read([tmp_path / "t.npz"], inputs=["meta"], outputs=["fa"])
    for arrays, message in (
        ({"v": V, "fa": FA[:5]}, "unequal numbers of rows: v 24, fa 5"),
        ({"v": V * 1j, "fa": FA}, "v is complex"),
        ({"v": V.astype(object), "fa": FA}, "it needs pickle, which can run any program"),
    ):
        np.savez(tmp_path / "t.npz", **arrays)
        with pytest.raises(DataError, match=message):
            read([tmp_path / "t.npz"], **asked)
    np.savez(tmp_path / "long.npz", v=V[:, [0, 1, 2, 0]], fa=FA)
    write_npz(tmp_path / "t.npz")
    with pytest.raises(DataError, match=r"t.npz has 3 inputs and 2 outputs, and long.npz 4 and 2: vectors"):
        read([tmp_path / "long.npz", tmp_path / "t.npz"], **asked)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": ["v0", "V_1"]}, r"no column 'v0', 'V_1'. Did you mean 'v_0', 'v_1'\? It has: t, v_0, "),
        ({"outputs": ["drag"]}, r"no column 'drag'\. It has: t, v_0"),
        ({"group": "fligt"}, "no column 'fligt'. Did you mean 'flight'"),
        ({"time": "seconds"}, "no column 'seconds'"),
        ({"inputs": ["v_0", "v_0"]}, "inputs names 'v_0' twice"),
        ({"outputs": ["v_0"]}, "'v_0' is an input and an output"),
        ({"inputs": []}, "inputs must be names of columns"),
        ({"outputs": ["fa_0", ""]}, "outputs must be names of columns"),
        ({"classes": True}, "classes must be one column; got the outputs fa_0, fa_1"),
    ],
)
def test_a_wrong_call_is_named(change, message, tmp_path):
    write_csv(tmp_path / "t.csv")
    with pytest.raises(InvalidArgumentError, match=message):
        read([tmp_path / "t.csv"], **NAMES | change)


def test_numbers_can_be_classes_and_one_class_is_none(tmp_path):
    np.savez(tmp_path / "t.npz", v=V, k=(V[:, 0] > 0) * 3.0, one=np.full(ROWS, "yes"))
    table = read([tmp_path / "t.npz"], inputs=["v"], outputs=["k"], classes=True)
    assert (table.classes, set(table.outputs)) == (("0", "3"), {0, 1})
    assert read([tmp_path / "t.npz"], inputs=["v"], outputs=["k"]).classes == ()
    with pytest.raises(DataError, match=r"output 'one' .* is 'yes' in all 24 rows; a classifier needs two"):
        read([tmp_path / "t.npz"], inputs=["v"], outputs=["one"])


def test_paths_that_are_no_table_are_named(tmp_path):
    asked = {"inputs": ["a"], "outputs": ["b"]}
    with pytest.raises(InvalidArgumentError, match=r"there is no file .*gone.csv"):
        read([tmp_path / "gone.csv"], **asked)
    (tmp_path / "t.xlsx").touch()
    with pytest.raises(InvalidArgumentError, match=r"t\.xlsx is no table .* must end in \.csv, \.tsv, \.parquet"):
        read([tmp_path / "t.xlsx"], **asked)


def test_the_real_flights_are_those_of_their_source(real_data):
    from normbench import data

    known = data.load("neural-fly", data_dir=real_data)
    table = read([real_data / "neural_fly"], inputs=["p_2", "v", "q", "pwm"], outputs=["fa"], group="file", time="t")
    flights = [
        {frozenset(map(tuple, samples.outputs[samples.flight == g])) for g in range(6)} for samples in (known, table)
    ]
    assert flights[0] == flights[1]
    assert table.inputs.shape == known.inputs.shape
