"""The store replaces files whole, names what it cannot read, and goes on with the rest."""

import os
import time

import pytest

from normbench.errors import RecordError
from normbench.records.store import Store
from tests.changes import changed

pytestmark = pytest.mark.quick


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "records")


def test_a_written_record_is_found_again(store, record):
    path = store.write(record)

    assert path.name == f"{record.record_id}.json"
    assert store.find(record.record_id) == record
    assert list(store.directory.iterdir()) == [path]


def test_an_empty_or_absent_store_has_no_records(store):
    assert store.load_all() == ([], [])
    assert store.find("0" * 32) is None


def test_a_truncated_file_is_named_and_the_others_still_load(store, record):
    broken = store.write(changed(record, seed=1))
    broken.write_bytes(broken.read_bytes()[:200])
    store.write(record)

    records, problems = store.load_all()

    assert records == [record]
    assert len(problems) == 1
    assert str(broken) in str(problems[0])
    assert store.find(broken.stem) is None  # so that it is made again


def test_an_edited_record_is_refused(store, record):
    path = store.write(record)
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(RecordError, match=r"checksum .* edited"):
        store.read(path.stem)


def test_a_record_under_another_name_is_refused(store, record):
    path = store.write(record)
    path.rename(path.with_name(f"{'0' * 32}.json"))
    with pytest.raises(RecordError, match="edited or renamed"):
        store.read("0" * 32)


def test_leftovers_of_a_killed_process_are_ignored_and_swept(store, record):
    store.write(record)
    old, young = store.directory / "a.1.tmp", store.directory / "b.2.tmp"
    for path in (old, young):
        path.write_text("{")
    os.utime(old, times=(time.time() - 3600,) * 2)

    assert store.load_all() == ([record], [])
    assert store.sweep() == 1
    assert (old.exists(), young.exists()) == (False, True)
