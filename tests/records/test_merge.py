"""What lies in a folder of records is never replaced by what comes from elsewhere, and nothing that comes is lost."""

import json

import pytest
from click.testing import CliRunner

from normbench.api import run
from normbench.cli import main
from normbench.errors import InvalidArgumentError
from normbench.records.frame import write_file
from normbench.records.merge import merge
from normbench.records.store import Store
from tests.changes import changed


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results" / "records")


def elsewhere(record):
    """The same run on another machine."""
    return changed(record, environment=record.provenance.environment | {"cpu": "Other 9000"}, seconds_train=9.0)


def test_what_is_new_is_written_and_what_is_the_same_is_not_a_conflict(record, store):
    assert merge([record, record], store) == merge([], store).__class__(1, 1, ())
    assert store.find(record.record_id) == record


def test_the_same_run_of_another_machine_is_kept_beside_and_named(record, store):
    store.write(record)
    found = merge([elsewhere(record)], store)
    [conflict] = found.conflicts
    assert store.load_all() == ([record], [])
    assert Store(conflict.there.parent).read(record.record_id) == elsewhere(record)
    assert f"cpu ({record.provenance.environment['cpu']} here, Other 9000 there)" in str(conflict)
    assert "seconds_train" in str(conflict)


@pytest.mark.parametrize("damage", ["", '{"schema_version": 99, "new": 1}', '{"schema_version": 4}'])
def test_an_unreadable_or_newer_record_is_not_overwritten_by_an_import(record, store, damage, tmp_path):
    path = store.write(record)
    path.write_text(damage)
    write_file([record], tmp_path / "runs.csv")
    result = CliRunner().invoke(
        main, ["records", "import", str(tmp_path / "runs.csv"), "--out", str(store.directory.parent)]
    )
    assert result.exit_code == 1
    assert path.read_text() == damage
    assert str(path) in result.stderr
    [kept] = store.conflicts.directory.rglob("*.json")
    assert Store(kept.parent).read(kept.stem) == record
    again = CliRunner().invoke(
        main, ["records", "import", str(tmp_path / "runs.csv"), "--out", str(store.directory.parent)]
    )
    assert again.exit_code == 1


@pytest.mark.parametrize("damage", ["half", "newer", "another run", "folder"])
def test_what_lies_under_the_name_of_a_run_is_kept_when_it_is_made(record, store, damage):
    path = store.write(record)
    text = {
        "half": path.read_text()[:100],
        "newer": json.dumps(record.as_dict() | {"schema_version": 99}),
        "another run": changed(record, seed=5).to_json(),
        "folder": None,
    }[damage]
    path.unlink()
    path.mkdir() if text is None else path.write_text(text)

    store.write(record)

    assert store.find(record.record_id) == record
    [kept] = store.kept()
    assert kept.name == f"{path.name}.kept"
    assert kept.is_dir() if text is None else kept.read_text() == text
    path.write_text("")
    store.write(record)
    assert len(store.kept()) == 2
    store.write(changed(record, tuning_runs=5))  # a newer figure of the same run
    assert len(store.kept()) == 2


@pytest.mark.usefixtures("in_this_process")
def test_run_says_what_it_kept_and_its_exit_code_is_1(tmp_path):
    call = ["run", "--task", "quadrotor-sim", "--layers", "12,4,3", "--backend", "reference", "--iterations", "2"]
    call += ["--optimiser", "agd", "--seeds", "1", "--jobs", "1", "--out", str(tmp_path), "--format", "csv"]
    assert CliRunner().invoke(main, call).exit_code == 0
    [path] = (tmp_path / "records").glob("*.json")
    path.write_text('{"schema_version": 99}')
    result = CliRunner().invoke(main, call)
    assert result.exit_code == 1
    assert f"{path}.kept" in result.stderr
    assert CliRunner().invoke(main, call).exit_code == 0


def test_a_folder_of_records_is_not_taken_for_a_results_folder(record, tmp_path):
    """What is written into a folder within it, none of the commands that read either folder would find."""
    folder = tmp_path / "results" / "records"
    Store(folder).write(record)
    for out, said in ((folder, f"--out {folder.parent}"), (folder.rename(tmp_path / "mine"), "Name another folder")):
        Store(folder).write(record)
        for arguments in (["records", "merge", str(folder)], ["status"], ["run"], ["reproduce", "experiment1"]):
            found = CliRunner().invoke(main, [*arguments, "--out", str(out)])
            assert (found.exit_code, found.stderr.count("holds records itself"), said in found.stderr) == (2, 1, True)
        with pytest.raises(InvalidArgumentError, match="holds records itself"):
            run(out=out, progress=False)
        assert [path for path in out.rglob("*") if path.is_dir()] == []
    assert Store.of_results(folder.parent).directory == folder


def test_a_network_goes_with_a_record_that_is_there_without(record, store, tmp_path):
    other = Store(tmp_path / "other" / "records")
    for each in (store, other):
        each.write(record)
    kept = other.network_path(record.record_id)
    kept.parent.mkdir()
    kept.write_bytes(b"a network")
    assert merge([record], store, other).same == 1
    assert store.network_path(record.record_id).read_bytes() == b"a network"
    store.network_path(record.record_id).write_bytes(b"mine")
    assert merge([record], store, other).same == 1
    assert store.network_path(record.record_id).read_bytes() == b"mine"
