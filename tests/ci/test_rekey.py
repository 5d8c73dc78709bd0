"""Stored records get the present code version where they are named, say so, and nothing else changes."""

import runpy

import pytest

from ci import rekey
from ci.rekey import REKEYED, rekeyed
from normbench.errors import InvalidArgumentError
from normbench.records.frame import read_file, to_frame, write_file
from normbench.records.versions import code_version
from tests.board_records import published
from tests.changes import changed

NOTE = "comments only"


@pytest.fixture(scope="module")
def runs():
    stored = read_file(published("figures/records.parquet"))
    usual = [run for run in stored if (run.request.seed, run.request.backend) == (0, "jax")]
    found = [run for run in usual if run.request.optimiser != "sgd"]
    # as they were first made, whatever became of the published ones since
    made = {name: value for name, value in found[0].provenance.environment.items() if name != REKEYED}
    old = {"code_version": "0.1.0+0123456789ab", "environment": made}
    return [
        changed(found[0], **old),
        changed(found[1], backend="torch", **old),
        changed(found[2], optimiser="sgd", **old),
    ]


def test_named_records_are_of_the_present_code_and_keep_everything_else(runs):
    found = rekeyed(runs, note=NOTE, only=["*"], left=["sgd/*"])
    assert [run.provenance.code_version for run in found] == [
        code_version(runs[0].request.backend),
        code_version("torch"),
        runs[2].provenance.code_version,
    ]
    for before, after in zip(runs[:2], found[:2], strict=True):
        assert after.provenance.environment[REKEYED] == f"made by {before.provenance.code_version}: {NOTE}"
        assert (
            changed(after, code_version=before.provenance.code_version, environment=before.provenance.environment)
            == before
        )
        assert after.record_id != before.record_id
    assert found[2] == runs[2]
    assert rekeyed(found, note=NOTE, only=["*"], left=["sgd/*"]) == found


def test_rekeyed_records_stay_in_their_order():
    """A published file was 20 MB anew in the history whenever its records were rekeyed."""
    stored = read_file(published("figures/records.parquet"))[:300]
    old = [changed(run, code_version=f"0.1.0+{k % 2:012x}") for k, run in enumerate(stored)]
    before, after = (to_frame(found) for found in (old, rekeyed(old, note=NOTE, only=["*"], left=[])))
    for name in set(before) - {"record", "checksum", "code_version", "environment"}:
        assert before[name].tolist() == after[name].tolist() or before[name].equals(after[name]), name
    assert not set(before["record"]) & set(after["record"])


def test_a_second_note_stands_beside_the_first(runs):
    once = rekeyed(runs[:1], note="first", only=["*"], left=[])
    twice = rekeyed([changed(once[0], code_version="0.1.0+second")], note="second", only=["*"], left=[])
    assert (
        twice[0].provenance.environment[REKEYED]
        == f"made by {runs[0].provenance.code_version}: first; made by 0.1.0+second: second"
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"only": [], "left": []}, "not told about 1 of"),
        ({"only": ["sgd/*"], "left": []}, "not told about 1 of"),
        ({"only": ["*"], "left": ["momo/*"]}, "no record is named by 'momo/"),
        ({"only": ["*"], "left": [], "note": " "}, "--note"),
    ],
)
def test_records_that_nobody_named_are_refused(runs, given, said):
    with pytest.raises(InvalidArgumentError, match=said):
        rekeyed(runs, **({"note": NOTE} | given))


def test_a_run_that_is_there_already_is_refused(runs):
    present = changed(runs[0], code_version=code_version(runs[0].request.backend))
    with pytest.raises(InvalidArgumentError, match="present code already"):
        rekeyed([runs[0], present], note=NOTE, only=["*"], left=[])


def test_the_command_writes_all_files_or_none(runs, tmp_path, monkeypatch, capsys):
    files = [tmp_path / name for name in ("a.parquet", "b.parquet")]
    for file in files:
        write_file(runs, file)
    before = [file.read_bytes() for file in files]

    def call(*options):
        monkeypatch.setattr("sys.argv", ["ci.rekey", *map(str, files), "--note", NOTE, *options])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(rekey.__file__, run_name="__main__")
        return end.value.code

    assert "not told about" in call("--only", "sgd/*")  # for standard error, with exit code 1
    assert [file.read_bytes() for file in files] == before
    assert call("--only", "*", "--except", "*/torch/*") == 0
    assert capsys.readouterr().out.count("2 of 3 records") == 2
    assert {run.request.backend for run in read_file(files[0]) if REKEYED not in run.provenance.environment} == {
        "torch"
    }
