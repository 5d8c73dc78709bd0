"""Records keep what they are given, are named by their content, and refuse what they do not know."""

import json
import math
from dataclasses import replace

import pytest

from normbench.errors import RecordError
from normbench.records.build import request_id
from normbench.records.identity import checksum
from normbench.records.record import Tuned
from normbench.records.schema import SCHEMA_VERSION, from_json
from normbench.running.request import AXES
from tests.changes import changed

pytestmark = pytest.mark.quick


def test_a_record_survives_writing_and_reading(record):
    assert from_json(record.to_json(), source="x") == record


def test_nan_and_infinity_become_null_and_come_back_as_nan(record):
    text = changed(record, train_rms=math.nan, lipschitz_bound=math.inf).to_json()
    raw = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    back = from_json(text, source="x")

    assert raw["train_rms"] is None
    assert raw["lipschitz_bound"] is None
    assert math.isnan(back.outcome.train_rms)
    assert math.isnan(back.outcome.lipschitz_bound)


CHANGES = {
    "task": "neural-fly",
    "data_sha256": "0" * 64,
    "split": "blocked",
    "layers": (12, 5, 3),
    "optimiser": "sgd",
    "hyperparameters": {"learning_rate": 0.5},
    "backend": "torch",
    "device": "cuda",
    "dtype": "float32",
    "seed": 7,
    "iterations": 5,
    "code_version": "other",
    "batch_size": 32,
    "schedule": "plateau",
    "activation": "tanh",
    "initialisation": "orthogonal",
    "augmentation": "crop_flip",
    "lipschitz": 20.0,
    "output_scale": 3.0,
    "parametrisation": "spectral",
    "judged_on": "validation",
    "devices": 2,
}


@pytest.mark.parametrize("field", [*(axis.name for axis in AXES), "data_sha256", "code_version"])
def test_every_part_of_the_identity_changes_the_name(record, field):
    assert changed(record, **{field: CHANGES[field]}).record_id != record.record_id


@pytest.mark.parametrize("change", [{"tuning_runs": 5}, {"seconds_train": 1.0}, {"status": "failed"}, {"created": "x"}])
def test_nothing_else_changes_the_name(record, change):
    assert changed(record, **change).record_id == record.record_id


def test_a_request_is_known_under_the_name_of_its_record(record):
    assert request_id(record.request, record.provenance.data_sha256) == record.record_id


def test_a_hyperparameter_that_is_a_name_survives_and_is_part_of_the_identity(record):
    named = changed(record, hyperparameters={"learning_rate": 1.0, "manifold": "sphere", "groups": 2})
    back = from_json(named.to_json(), source="some.json")
    assert back.request.hyperparameters == named.request.hyperparameters
    assert back.record_id == named.record_id
    other = changed(named, hyperparameters=named.request.hyperparameters | {"manifold": "oblique"})
    assert other.record_id != named.record_id


def test_a_missing_field_is_named_with_file_and_remedy(record):
    raw = record.as_dict()
    del raw["test_rms"]
    with pytest.raises(RecordError, match=r"some\.json: field 'test_rms' is missing.*Move the file elsewhere"):
        from_json(json.dumps(raw), source="some.json")


def test_an_unknown_field_is_named(record):
    with pytest.raises(RecordError, match="field 'colour' is unknown"):
        from_json(json.dumps(record.as_dict() | {"colour": 1}), source="some.json")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", "0"),
        ("seed", True),
        ("seed", 1.5),
        ("train_rms", "low"),
        ("layers", "12-4-3"),
        ("simulated", 1),
        ("hyperparameters", {"learning_rate": ["1.0"]}),
        ("hyperparameters", {"manifold": True}),
        ("predictors", {"zero": 1.0}),
    ],
)
def test_a_field_of_the_wrong_type_is_named(record, field, value):
    with pytest.raises(RecordError, match=f"field '{field}' has the wrong type"):
        from_json(json.dumps(record.as_dict() | {field: value}), source="some.json")


def test_a_wrong_field_inside_the_curves_is_named(record):
    raw = record.as_dict()
    raw["curves"]["loss"] = ["high"]
    with pytest.raises(RecordError, match="'loss' has the wrong type"):
        from_json(json.dumps(raw), source="some.json")


def test_another_schema_version_is_refused(record):
    with pytest.raises(RecordError, match="schema_version"):
        from_json(json.dumps(record.as_dict() | {"schema_version": 99}), source="some.json")


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_what_is_no_object_is_refused(text):
    with pytest.raises(RecordError, match=r"some\.json"):
        from_json(text, source="some.json")


def test_a_record_of_schema_1_is_read_with_what_it_lacks_empty(record):
    raw = record.as_dict() | {"schema_version": 1}
    del raw["lipschitz_measured"]
    for name in ("seconds", "loss_evaluations", "gradient_evaluations"):
        del raw["curves"][name]
    old = from_json(json.dumps(raw), source="some.json")

    assert math.isnan(old.outcome.lipschitz_measured)
    assert old.outcome.curves == replace(
        record.outcome.curves, seconds=(), loss_evaluations=(), gradient_evaluations=()
    )
    assert old.record_id == record.record_id
    assert from_json(old.to_json(), source="x").as_dict()["schema_version"] == SCHEMA_VERSION


def test_a_record_of_schema_6_is_read_with_one_searched_hyperparameter(record):
    searched = changed(record, tuning_runs=15, tuning_low=1e-4, tuning_high=1.0)
    raw = searched.as_dict() | {"schema_version": 6}
    for name in ("tuning_second_runs", "tuning_second_low", "tuning_second_high"):
        del raw[name]
    old = from_json(json.dumps({"checksum": checksum(raw)} | raw), source="some.json")
    assert old == searched
    assert (old.provenance.tuned, old.record_id) == (Tuned(15, 1e-4, 1.0), record.record_id)
    assert not old.provenance.tuned.of_two


def test_the_curves_have_one_entry_per_loss_or_per_checkpoint(record):
    curves = record.outcome.curves
    assert len(curves.loss) == len(curves.loss_evaluations) == len(curves.gradient_evaluations) == 5
    assert (curves.loss_evaluations[-1], curves.gradient_evaluations[-1]) == (
        record.outcome.loss_evaluations,
        record.outcome.gradient_evaluations,
    )
    assert len(curves.seconds) == len(curves.test_iterations)
    assert curves.seconds[-1] == record.outcome.seconds_train
