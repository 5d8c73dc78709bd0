"""Whatever a file of records holds gives one short error that names file and field, and takes no other record down."""

import json
import math
import random

import pandas as pd
import pytest
from click.testing import CliRunner

from normbench.cli import main
from normbench.errors import RecordError
from normbench.records.build import record_of
from normbench.records.frame import read_file, to_frame, write_file
from normbench.records.identity import checksum
from normbench.records.record import CHECKSUM, SCHEMA_VERSION
from normbench.records.schema import from_dict, from_json
from normbench.records.store import Store
from normbench.running.request import Asked
from normbench.running.result import Outcome
from tests.changes import changed

DEEP = "[" * 100_000 + "]" * 100_000
HUGE = "9" * 400
LONG = "x" * 10_000_000


def sealed(record, **changes):
    """The fields with some replaced, and the checksum that then belongs to them."""
    raw = record.as_dict() | changes
    return raw | {CHECKSUM: checksum(raw)}


def curves(record, **changes):
    return record.as_dict()["curves"] | changes


def damaged(record):
    """Field and a value that it cannot have."""
    length = len(record.outcome.curves.loss)
    yield from (("status", value) for value in ("bogus", "", "DONE", 1, None))
    yield from (("train_rms", value) for value in (-5.0, "low", [1.0], True, {}))
    yield from (("test_rms", -5.0), ("train_loss", -0.1), ("lipschitz_bound", -1.0), ("seconds_train", -1e-9))
    yield from ((name, -1) for name in ("seed", "loss_evaluations", "halvings", "tuning_runs", "iterations_done"))
    yield from ((name, 0) for name in ("iterations", "threads", "batch_size", "lipschitz", "output_scale"))
    yield from ((name, 1.5) for name in ("train_accuracy", "seed", "iterations", "threads"))
    yield from (("layers", value) for value in ([], [3], [12, 0, 3], [12, -4, 3], "12-4-3", [12.0, 3], [[12, 3]]))
    yield from (("created", value) for value in ("x", "yesterday", "2026-13-01", 5))
    yield from (("unit", value) for value in ("\x1b[31mred", "a\nb", LONG, 3))
    yield from (("reason", value) for value in (LONG, "bell \a"))
    yield ("iterations_done", record.request.iterations + 1)
    yield from (("predictors", value) for value in ({}, {"zero": {}}, {"mean": {"train": 1.0, "test": 1.0}}, [], None))
    yield ("predictors", record.outcome.predictors | {"zero": {"train": -1.0, "test": 1.0}})
    yield ("predictors", record.outcome.predictors | {"zero": {"train": None, "test": 1.0}})
    yield ("predictors", record.outcome.predictors | {"linear": {"train": 1.0}})
    yield from (("curves", value) for value in (None, [], {}, "x"))
    yield ("curves", curves(record, loss=[1.0] * (length - 1)))
    yield ("curves", curves(record, loss=[1.0] * (length + 1)))
    yield ("curves", curves(record, loss=[-1.0] * length))
    yield ("curves", curves(record, loss=[DEEP] * length))
    yield ("curves", curves(record, step_size=[0.1]))
    yield ("curves", curves(record, test_loss=[0.1]))
    yield ("curves", curves(record, seconds=[0.1]))
    yield ("curves", curves(record, loss_evaluations=[1]))
    yield ("curves", curves(record, loss_evaluations=list(range(length))[::-1]))
    yield ("curves", curves(record, test_iterations=[10**6] * len(record.outcome.curves.test_iterations)))
    yield from (("environment", value) for value in ({"cpu": 1}, {"cpu": LONG}, {"cpu": "\x07"}, [], "x"))
    yield from (("hyperparameters", value) for value in ({"a": True}, {"a": LONG}, {"a": {}}, [], None))
    yield from (("hyperparameters", {"a": value}) for value in ([], [True], ["x"], [[1]], [None], [0.9, "x"]))
    yield from (("schema_version", value) for value in (True, "4", 4.0, 0, SCHEMA_VERSION + 1, -1, None, 10**15))
    yield from (("simulated", value) for value in (0, 1, "true", None))


def test_no_value_of_a_field_passes_that_cannot_be(record):
    seen = set()
    for field, value in damaged(record):
        with pytest.raises(RecordError, match=rf"^some\.json.*'{field}'") as caught:
            from_dict(sealed(record, **{field: value}), source="some.json")
        assert len(str(caught.value)) < 1000
        seen.add(field)
    assert len(seen) > 20


@pytest.mark.parametrize("field", ["task", "seed", "train_rms", "curves", "hyperparameters", "predictors", "colour"])
@pytest.mark.parametrize(
    "text", [DEEP, HUGE, f"-{HUGE}", "1e999", "NaN", "-Infinity", json.dumps(LONG), '{"a": 1, "a": 2}', "{" * 5000]
)
def test_no_text_in_a_field_escapes(record, field, text):
    whole = record.to_json().replace('"task"', f'"{field}": {text},\n "task"', 1)
    with pytest.raises(RecordError, match=r"^some\.json") as caught:
        from_json(whole, source="some.json")
    assert len(str(caught.value)) < 1000


def test_a_key_that_stands_there_twice_is_refused(record):
    text = record.to_json().replace('"test_rms"', '"test_rms": 0.001,\n "test_rms"', 1)
    with pytest.raises(RecordError, match=r"'test_rms'.*twice"):
        from_json(text, source="some.json")


def test_a_measured_gain_above_the_bound_is_read_and_shown(record):
    odd = changed(record, lipschitz_measured=2 * record.outcome.lipschitz_bound)
    assert from_json(odd.to_json(), source="x") == odd


def test_every_field_is_under_the_checksum(record):
    for name, value in record.as_dict().items():
        other = record.as_dict() | {name: _other(value), CHECKSUM: record.checksum}
        with pytest.raises(RecordError):
            from_dict(other, source="x")
    with pytest.raises(RecordError, match="no checksum"):
        from_dict(record.as_dict(), source="x")


def _other(value):
    """A value of the same type that a record could hold."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value + "x"
        case list():
            return [*value[:-1], value[-1] + 1]
        case dict():
            return dict(list(value.items())[:-1]) if value else {"package": "another"}
    return 0.5


def test_one_flipped_bit_is_found(record):
    """Of 400 at random; also where it changes how a number is written and not its value, 1e-05 to 1E-05."""
    small = changed(record, train_loss=1.25e-05, reason="café: died")
    content, draw = small.to_json().encode(), random.Random(0)
    flips = [(draw.randrange(len(content)), draw.randrange(8)) for _ in range(400)]
    for byte, bit in [*flips, (content.index(b"1.25e-05") + 4, 5)]:
        damaged = bytearray(content)
        damaged[byte] ^= 1 << bit
        with pytest.raises((RecordError, UnicodeDecodeError)):
            from_json(damaged.decode(), source="x")


@pytest.mark.parametrize("name", ["runs.parquet", "runs.csv"])
@pytest.mark.parametrize(
    "change",
    [{"test_rms": 0.001}, {"status": "stalled"}, {"unit": "kN"}, {"tuning_runs": 5}, {"seconds_train": 0.5}],
)
def test_a_changed_value_in_an_exported_file_is_found(record, name, change, tmp_path):
    write_file([record], tmp_path / name)
    if name.endswith(".csv"):
        table = pd.read_csv(tmp_path / name, dtype=str, keep_default_na=False)
        table.assign(**{field: str(value) for field, value in change.items()}).to_csv(tmp_path / name, index=False)
    else:
        to_frame([record]).assign(**change).to_parquet(tmp_path / name)
    with pytest.raises(RecordError, match=r"row 0.*(checksum|field)"):
        read_file(tmp_path / name)


def test_the_others_are_shown_and_the_bad_ones_named(record, tmp_path):
    store = Store(tmp_path / "records")
    store.write(record)
    for number, text in enumerate([f'{{"task": {DEEP}}}', f'{{"task": {HUGE}}}', "", "[]", "null", "\x00", "{" * 9999]):
        (store.directory / f"{number:032}.json").write_text(text)
    (store.directory / f"{7:032}.json").write_bytes(b"\xff\xfe\x00")
    records, problems = store.load_all()
    assert records == [record]
    assert len(problems) == 8
    result = CliRunner().invoke(main, ["leaderboard", "--out", str(tmp_path)])
    assert result.exit_code == 0
    assert "adam" in result.stdout
    assert result.stderr.count("Skipped: ") == 8
    assert len(result.stderr) < 8000


def test_strings_that_spreadsheets_would_run_are_neutral_in_csv_and_come_back(record, tmp_path):
    odd = [
        changed(record, seed=k, unit=text, reason=text)
        for k, text in enumerate(["=1+1", "+x", "-x", "@SUM(A1)", "'=1", "''", "'", "-5", "plain"])
    ]
    write_file(odd, tmp_path / "runs.csv")
    cells = {cell for line in (tmp_path / "runs.csv").read_text().splitlines() for cell in line.split(",")}
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "-x"))]
    assert {r.record_id: r for r in read_file(tmp_path / "runs.csv")} == {r.record_id: r for r in odd}


def test_a_reason_of_any_kind_makes_a_record_that_can_be_read(dataset):
    asked = Asked(
        task="quadrotor-sim", layers=(12, 4, 3), optimiser="adam", backend="reference", dtype="float64", seed=0
    ).resolved()
    predictors = {"zero": {"train": 1.0, "test": 1.0}, "mean": {"train": 1.0, "test": 1.0}}
    for reason in ("x" * 10**6, "\x1b[2J", "half a pair \ud800", "two\nlines"):
        failed = Outcome.failed(reason, unit="N", predictors=predictors)
        made = record_of(asked, failed, dataset, jobs=1, threads=1)
        made.to_json().encode()
        assert from_json(made.to_json(), source="x").outcome.reason == made.outcome.reason
        assert math.isnan(made.outcome.train_rms)
