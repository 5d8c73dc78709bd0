"""Records of schema 3: batch, schedule and accuracies; earlier ones are read as the runs that they were."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from normbench.problems import tasks
from normbench.records.build import record_of, request_id
from normbench.records.frame import from_frame, read_file, to_frame, write_file
from normbench.records.schema import SCHEMA_VERSION, from_dict, from_json
from normbench.running.request import Asked
from normbench.running.result import Curves
from normbench.running.run import run
from tests.changes import changed

PUBLISHED = Path(__file__).parents[2] / "results" / "records.parquet"
SINCE_3 = ("batch_size", "schedule", "train_accuracy", "test_accuracy")
CURVES_SINCE_3 = ("train_rms", "test_rms", "train_accuracy", "test_accuracy")
CURVES_SINCE_2 = ("seconds", "loss_evaluations", "gradient_evaluations")


def asked(**changes):
    fields = {"task": "digits-xent", "layers": (64, 5, 10), "optimiser": "fromage", "backend": "reference"}
    return Asked(**fields | {"dtype": "float64", "seed": 0, "iterations": 4} | changes).resolved()


@pytest.fixture(scope="module")
def digits():
    return tasks.get("digits").dataset().take(np.arange(0, 1797, 15))


@pytest.fixture(scope="module")
def classes(digits):
    """A run of mini-batches on classes."""
    wanted = asked(batch_size=32, schedule="plateau")
    return record_of(wanted, run(wanted, digits).outcome, digits, jobs=1, threads=1)


def of_schema(record, version):
    """The record as that version wrote it."""
    raw = record.as_dict() | {"schema_version": version}
    raw["curves"] = dict(raw["curves"])
    for name in SINCE_3:
        del raw[name]
    for name in CURVES_SINCE_3:
        del raw["curves"][name]
    if version == 1:
        del raw["lipschitz_measured"]
        for name in CURVES_SINCE_2:
            del raw["curves"][name]
    return raw


def test_a_record_of_classes_has_accuracies_along_the_run(classes):
    assert (classes.request.batch_size, classes.request.schedule) == (32, "plateau")
    curves = classes.outcome.curves
    lengths = {len(getattr(curves, name)) for name in (*CURVES_SINCE_3, "test_iterations", "test_loss", "seconds")}
    assert lengths == {5}
    assert (curves.train_accuracy[-1], curves.test_accuracy[-1]) == (
        classes.outcome.train_accuracy,
        classes.outcome.test_accuracy,
    )
    assert (curves.train_rms[-1], curves.test_rms[-1]) == (classes.outcome.train_rms, classes.outcome.test_rms)
    assert classes.outcome.unit == "probability"
    assert {"train", "test", "train_accuracy", "test_accuracy", "gain"} == set(classes.outcome.predictors["linear"])


def test_a_full_batch_regression_has_none_of_them(record):
    assert (
        record.request.batch_size,
        record.request.schedule,
        record.outcome.train_accuracy,
        record.outcome.test_accuracy,
    ) == (
        None,
        "constant",
        None,
        None,
    )
    assert [getattr(record.outcome.curves, name) for name in CURVES_SINCE_3] == [()] * 4


def test_mini_batches_of_a_regression_have_errors_and_no_accuracy(dataset):
    wanted = asked(task="quadrotor-sim", layers=(12, 4, 3), batch_size=1000)
    made = record_of(wanted, run(wanted, dataset).outcome, dataset, jobs=1, threads=1)
    assert (made.outcome.train_accuracy, made.outcome.test_accuracy) == (None, None)
    assert np.isnan(made.outcome.curves.train_accuracy).all()
    assert made.outcome.curves.train_rms[-1] == made.outcome.train_rms
    text = made.to_json()
    json.loads(text, parse_constant=pytest.fail)
    assert from_json(text, source="x").as_dict() == made.as_dict()


@pytest.mark.parametrize("version", [1, 2])
def test_earlier_records_are_the_same_runs(record, version):
    old = from_dict(of_schema(record, version), source="old.json")
    assert old.record_id == record.record_id
    assert old.as_dict()["schema_version"] == SCHEMA_VERSION
    assert (old.request.batch_size, old.request.schedule, old.outcome.train_accuracy) == (None, "constant", None)
    lost = dict.fromkeys(CURVES_SINCE_2, ()) if version == 1 else {}
    assert old.outcome.curves == replace(record.outcome.curves, **lost)
    assert math.isnan(old.outcome.lipschitz_measured) == (version == 1)
    assert from_json(old.to_json(), source="x").as_dict() == old.as_dict()


@pytest.mark.parametrize("version", [1, 2])
def test_an_earlier_record_without_curves_is_read(record, version):
    raw = of_schema(changed(record, status="failed", curves=Curves()), version)
    assert from_dict(raw, source="old.json").outcome.curves == Curves()


@pytest.mark.parametrize("name", ["runs.parquet", "runs.csv", "runs.csv.gz"])
def test_a_table_of_all_kinds_survives_the_file(record, classes, name, tmp_path):
    failed = changed(classes, seed=9, status="failed", train_accuracy=None, test_accuracy=None, curves=Curves())
    kinds = [record, classes, failed, changed(classes, batch_size=None, seed=2), changed(record, batch_size=64)]
    write_file(kinds, tmp_path / name)
    found = {back.record_id: back for back in read_file(tmp_path / name)}
    assert {key: back.as_dict() for key, back in found.items()} == {kind.record_id: kind.as_dict() for kind in kinds}
    assert found[classes.record_id] == classes
    assert type(found[classes.record_id].request.batch_size) is int


@pytest.mark.parametrize("name", ["runs.parquet", "runs.csv"])
@pytest.mark.parametrize("which", ["record", "classes"])
def test_a_table_of_one_kind_survives_the_file(which, name, tmp_path, request):
    """A column without an entry, or without a gap, has another type on the way."""
    kind = request.getfixturevalue(which)
    write_file([kind], tmp_path / name)
    assert read_file(tmp_path / name)[0].as_dict() == kind.as_dict()


def test_a_table_of_schema_2_is_read(record):
    columns = ["checksum", *SINCE_3, *(f"curves_{name}" for name in CURVES_SINCE_3)]
    frame = to_frame([record]).drop(columns=columns).assign(schema_version=2)
    [found] = from_frame(frame, source="old.csv")
    assert found == record


def test_the_published_records_are_read_under_the_names_that_they_have():
    """from_frame compares each with the hash of what it holds."""
    import pandas as pd

    some = pd.read_parquet(PUBLISHED, filters=[("seed", "==", 1)])
    for column in (name for name in some.columns if name.startswith("curves_")):
        some[column] = [curve.tolist() for curve in some[column]]
    found = from_frame(some, source="records.parquet")
    assert [back.record_id for back in found] == some["record"].tolist()
    assert len(found) > 50
    assert {(back.request.batch_size, back.request.schedule) for back in found} == {
        (None, "constant"),
        (128, "constant"),
    }


def test_batch_and_schedule_name_another_run(classes):
    full = request_id(asked(), classes.provenance.data_sha256)
    names = {
        full,
        request_id(asked(batch_size=32), classes.provenance.data_sha256),
        request_id(asked(batch_size=31), classes.provenance.data_sha256),
        request_id(asked(schedule="plateau"), classes.provenance.data_sha256),
        classes.record_id,
    }
    assert len(names) == 5
    assert classes.record_id == request_id(asked(batch_size=32, schedule="plateau"), classes.provenance.data_sha256)
    assert changed(classes, batch_size=None, schedule="constant").record_id == full
