"""Records as a table and as files: nothing is lost, earlier schemas are read, anything else is refused."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import normbench
from normbench.cli import main
from normbench.errors import InvalidArgumentError, RecordError
from normbench.records.frame import from_frame, read_file, to_frame, write_file
from normbench.records.store import Store
from normbench.running.result import Curves
from tests.changes import changed

pytestmark = pytest.mark.quick


@pytest.fixture
def records(record):
    nothing = float("nan")
    failed = changed(
        record,
        seed=1,
        status="failed",
        reason='died, "badly";\n on two lines',
        train_rms=nothing,
        lipschitz_measured=nothing,
        curves=Curves(),
    )
    off = changed(record, seed=2, optimiser="fromage", hyperparameters={"learning_rate": 0.1, "p_bound": None})
    broken_off = changed(
        record, seed=3, curves=replace(record.outcome.curves, loss=(1 / 3, nothing, 0.5, nothing, nothing))
    )
    return [record, failed, off, broken_off]


def as_text(records):
    return sorted(record.to_json() for record in records)


@pytest.mark.parametrize("name", ["runs.parquet", "runs.csv", "runs.csv.gz"])
def test_every_field_survives_the_file(records, tmp_path, name):
    write_file(records, tmp_path / name)
    assert as_text(read_file(tmp_path / name)) == as_text(records)


def test_equal_records_in_another_order_give_the_same_csv(records, tmp_path):
    write_file(records, tmp_path / "a.csv")
    write_file(records[::-1], tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_load_records_is_tidy(records, tmp_path):
    for record in records:
        Store(tmp_path / "records").write(record)
    frame = normbench.load_records(tmp_path)

    assert len(frame) == 4
    assert frame["record"].is_unique
    assert set(frame["layers"]) == {"12-4-3"}
    done = frame[(frame["seed"] == 0)].iloc[0]
    assert done["test_rms"] == records[0].outcome.test_rms
    np.testing.assert_array_equal(done["curves_loss"], records[0].outcome.curves.loss)
    assert json.loads(done["hyperparameters"]) == records[0].request.hyperparameters
    assert frame["train_rms"].dtype == float


def test_load_records_reads_an_exported_file(records, tmp_path):
    write_file(records, tmp_path / "runs.parquet")
    pd.testing.assert_frame_equal(normbench.load_records(tmp_path / "runs.parquet"), to_frame(records))


def test_a_table_of_schema_1_is_read(records):
    frame = to_frame(records).drop(columns=["checksum", "lipschitz_measured", "curves_seconds"])
    frame = frame.drop(columns=["curves_loss_evaluations", "curves_gradient_evaluations"]).assign(schema_version=1)
    found = from_frame(frame, source="old.csv")
    assert {r.record_id for r in found} == {r.record_id for r in records}
    assert all(np.isnan(r.outcome.lipschitz_measured) for r in found)


def test_an_edited_row_is_refused(records):
    frame = to_frame(records)
    frame.loc[2, "seed"] = 99
    with pytest.raises(RecordError, match=r"x\.csv, row 2 .* checksum .* edited"):
        from_frame(frame, source="x.csv")


@pytest.mark.parametrize(
    "damage", [lambda f: f.drop(columns="test_rms"), lambda f: f.assign(colour=1), lambda f: f.assign(layers="wide")]
)
def test_a_wrong_column_is_refused(records, damage):
    with pytest.raises(RecordError, match=r"test_rms|colour|wide"):
        from_frame(damage(to_frame(records)), source="x.csv")


def test_what_is_no_table_of_records_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(RecordError, match="no table of records"):
        read_file(tmp_path / "x.csv")
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(RecordError, match="cannot be read"):
        read_file(tmp_path / "x.parquet")


def test_another_ending_is_refused(records, tmp_path):
    with pytest.raises(InvalidArgumentError, match=r"'runs\.xlsx' must end in \.parquet"):
        write_file(records, tmp_path / "runs.xlsx")


def test_a_folder_without_records_says_how_to_make_some(tmp_path):
    with pytest.raises(InvalidArgumentError, match="normbench run"):
        normbench.load_records(tmp_path)


def test_the_command_exports_and_imports(records, tmp_path):
    for record in records:
        Store(tmp_path / "a" / "records").write(record)
    Store(tmp_path / "b" / "records").write(records[0])

    def call(*args):
        result = CliRunner().invoke(main, ["records", *map(str, args)])
        assert result.exit_code == 0, result.output
        return result.stderr

    assert "4 records" in call("export", tmp_path / "runs.parquet", "--out", tmp_path / "a")
    assert "3 of 4 records were new" in call("import", tmp_path / "runs.parquet", "--out", tmp_path / "b")
    assert as_text(Store(tmp_path / "b" / "records").load_all()[0]) == as_text(records)


def test_parquet_without_its_library_says_what_to_install(records, tmp_path, monkeypatch):
    monkeypatch.setattr("normbench.records.frame.find_spec", lambda name: None)
    with pytest.raises(InvalidArgumentError, match=r"needs pyarrow.*\.\[report\]"):
        write_file(records, tmp_path / "runs.parquet")
