"""A run has one owner at a time: on one machine or many, whoever is killed, stopped or has another clock."""

import json
import os
import resource
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from normbench.errors import OutputError
from normbench.records import claims as module
from normbench.records import owners
from normbench.records.claim_files import ClaimFiles
from normbench.records.claims import EXPIRY_SECONDS, Claims
from normbench.records.owners import Owner
from normbench.records.store import Store
from tests.records.claims.claimants import (
    DEAD,
    HOURS,
    NO_PROCESS,
    OTHER,
    RUN,
    before_creating,
    elsewhere,
    files,
    linux,
    plant,
)


def test_two_clients_of_one_process_exclude_each_other(store, client, other):
    assert client.take(RUN)
    assert client.take(RUN)  # still ours
    assert not other.take(RUN)
    assert other.take(OTHER)
    client.release(RUN)
    client.release(RUN)
    assert other.take(RUN)
    assert not client.take(RUN)
    assert client.lost() == other.lost() == set()


@pytest.mark.parametrize("error", [None, KeyError, KeyboardInterrupt])
def test_the_end_releases_all_and_leaves_nothing(store, error):
    threads = threading.active_count()
    try:
        with Claims(store) as claims:
            assert claims.take(RUN)
            assert claims.take(OTHER)
            assert threading.active_count() == threads + 1
            assert store.load_all() == ([], [])
            if error is not None:
                raise error
    except (KeyError, KeyboardInterrupt):
        pass
    assert list(store.directory.iterdir()) == []
    assert threading.active_count() == threads


@linux
@pytest.mark.parametrize(
    "owner",
    [DEAD, elsewhere(started="1"), elsewhere(process=1)],  # the last two: a number that was given away again
    ids=["no such process", "another start", "another process"],
)
def test_an_owner_that_has_ended_on_this_machine_is_followed_at_once(store, client, owner):
    plant(store, f"{RUN}.0", owner)
    assert client.held_by_others() == {}
    assert client.take(RUN)


@linux
def test_a_living_process_of_this_machine_is_not_taken_for_ended(store, client):
    first = elsewhere(process=1, started=owners._state(1)[1])
    plant(store, f"{RUN}.0", first)
    assert not client.take(RUN)
    assert client.held_by_others()[RUN].owner == first


@pytest.mark.parametrize("age", [10 * HOURS, 0.0, -10 * HOURS], ids=["old", "new", "in the future"])
@pytest.mark.parametrize(
    "change",
    [{"host": "node7"}, {"boot": "another"}, {"namespace": "pid:[1]"}, {"boot": "", "namespace": "", "started": ""}],
    ids=lambda change: next(iter(change)),
)
def test_an_owner_elsewhere_expires_by_our_own_clock_alone(store, client, clock, monkeypatch, change, age):
    """Its process number means nothing here, and the time of its file and of this machine mean nothing either."""
    plant(store, f"{RUN}.0", elsewhere(process=NO_PROCESS, **change), age=age)
    assert not client.take(RUN)
    for shift in (7 * HOURS, -7 * HOURS):
        monkeypatch.setattr(time, "time", lambda shift=shift: 1.8e9 + shift)
        clock.passes(0.49 * EXPIRY_SECONDS)
        assert not client.take(RUN)
        assert client.held_by_others()[RUN].owner.process == NO_PROCESS
    clock.passes(0.03 * EXPIRY_SECONDS)
    assert client.held_by_others() == {}
    assert client.take(RUN)


def test_an_owner_that_renews_keeps_its_claim(store, client, other, clock):
    assert other.take(RUN)
    for _ in range(5):
        clock.passes(0.9 * EXPIRY_SECONDS)
        assert not client.take(RUN)
        time.sleep(0.01)  # times of files have steps
        other.renew()
    assert other.lost() == set()


def test_an_owner_that_was_stopped_sees_that_it_lost_and_leaves_the_claim_alone(store, client, other, clock):
    assert other.take(RUN)
    assert not client.take(RUN)
    clock.passes(1.01 * EXPIRY_SECONDS)
    assert client.take(RUN)
    before = files(store)
    assert before == [f"{RUN}.0", f"{RUN}.1"]

    assert other.lost() == {RUN}
    other.renew()
    other.release(RUN)
    assert files(store) == before
    assert not other.take(RUN)
    assert client.lost() == set()
    client.release(RUN)
    assert files(store) == []
    assert other.take(RUN)


def test_a_claim_that_was_swept_is_lost(store, client, other, clock):
    assert other.take(RUN)
    client.sweep()
    clock.passes(1.01 * EXPIRY_SECONDS)
    assert client.sweep() == 1
    assert other.lost() == {RUN}
    assert client.take(RUN)
    other.renew()
    other.release(RUN)
    assert client.lost() == set()


BROKEN = [b"", Owner.here("x").to_bytes()[:40], b"\xff\x00", b"[1]", b"[" * 3000, b'{"process": "12"}', b'{"what": 1}']


@pytest.mark.parametrize("content", BROKEN, ids=lambda content: repr(content)[:12])
@pytest.mark.parametrize("age", [0.0, time.time()], ids=["new", "of 1970"])
def test_a_claim_without_a_readable_owner_is_watched(store, client, clock, content, age):
    """It may be in the making: NFS gives such a file a time of 1970."""
    plant(store, f"{RUN}.0", content, age=age)
    assert not client.take(RUN)
    assert client.held_by_others()[RUN].owner == Owner()
    clock.passes(1.01 * EXPIRY_SECONDS)
    assert client.take(RUN)


@linux
@pytest.mark.parametrize("process", [-1, 0, 2**40, True])
def test_a_number_of_no_process_is_watched(store, client, process):
    plant(store, f"{RUN}.0", json.dumps(asdict(elsewhere(process=process))).encode())
    assert not client.take(RUN)


def test_a_folder_in_place_of_a_claim_does_not_hold_it_for_ever(store, client, clock):
    (store.directory / ".claims" / f"{RUN}.0").mkdir(parents=True)
    assert not client.take(RUN)
    clock.passes(1.01 * EXPIRY_SECONDS)
    assert client.take(RUN)
    client.release(RUN)
    assert files(store) == [f"{RUN}.0"]


@linux
@pytest.mark.parametrize(
    ("generations", "owner", "free"), [([1], DEAD, True), ([2], DEAD, True), ([1], elsewhere(), False)]
)
def test_what_one_left_who_was_killed_while_deleting(store, client, generations, owner, free):
    planted = [plant(store, f"{RUN}.{generation}", owner).name for generation in generations]
    assert client.take(RUN) == free
    if not free:
        assert files(store) == planted
    client.release(RUN)
    client.sweep()
    assert files(store) == ([] if free else planted)


@linux
def test_a_sweep_removes_what_the_dead_have_left_and_nothing_else(store, client, other, clock):
    plant(store, f"{RUN}.0", DEAD)
    plant(store, f"{RUN}.1", DEAD)
    foreign = plant(store, f"{'c' * 32}.0", elsewhere(), age=10 * HOURS)
    assert client.take(OTHER)
    assert other.take("d" * 32)
    assert client.sweep() == 1
    assert files(store) == [f"{OTHER}.0", foreign.name, f"{'d' * 32}.0"]
    clock.passes(1.01 * EXPIRY_SECONDS)
    time.sleep(0.01)
    other.renew()
    assert client.sweep() == 1
    assert files(store) == [f"{OTHER}.0", f"{'d' * 32}.0"]


@pytest.mark.parametrize("age", [2 * HOURS, -2 * HOURS])
def test_it_is_seen_who_holds_what_and_since_when_it_is_silent(store, client, other, monkeypatch, age):
    assert client.held_by_others() == {}
    assert list(store.directory.glob("*")) == []
    assert client.take(RUN)
    assert other.take(OTHER)
    plant(store, f"{'c' * 32}.0", elsewhere(), age=age)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    found = client.held_by_others()
    assert list(found) == [OTHER, "c" * 32]
    assert found[OTHER].owner.process == os.getpid()
    assert found[OTHER].silent < 60.0
    assert found["c" * 32].owner.host == "node7"
    assert found["c" * 32].silent == pytest.approx(max(0.0, age), abs=60.0)
    assert len(files(store)) == 3


@linux
def test_where_nothing_can_be_written_no_time_is_asked_for():
    assert ClaimFiles(Path("/proc/self/task")).now() is None


def test_the_thread_renews_until_the_end(store, monkeypatch):
    monkeypatch.setattr(module, "RENEWAL_SECONDS", 0.01)
    with Claims(store) as claims:
        assert claims.take(RUN)
        path = store.directory / ".claims" / f"{RUN}.0"
        for _ in range(2):
            os.utime(path, times=(0, 0))
            deadline = time.monotonic() + 20
            while path.stat().st_mtime < 1 and time.monotonic() < deadline:
                time.sleep(0.005)
            assert path.stat().st_mtime > time.time() - HOURS


def test_the_folder_that_another_removes_at_its_end_is_made_again(store, client, monkeypatch):
    assert client.take(RUN)
    client.release(RUN)
    with Claims(store):
        pass
    assert not (store.directory / ".claims").exists()
    before_creating(monkeypatch, f"{OTHER}.0", lambda: Claims(store).__enter__().__exit__())
    assert client.take(OTHER)


@pytest.mark.parametrize("in_the_way", ["records", "records/.claims"])
def test_a_folder_that_cannot_be_written_is_one_error(tmp_path, in_the_way):
    path = tmp_path / in_the_way
    path.parent.mkdir(exist_ok=True)
    path.write_text("a file")
    with Claims(Store(tmp_path / "records")) as claims:
        assert claims.held_by_others() == {}
        with pytest.raises(OutputError, match=f"cannot write .*{RUN}.0: .*{in_the_way} is not a folder") as found:
            claims.take(RUN)
    assert "\n" not in str(found.value)


def test_a_full_disk_is_one_error_and_leaves_nothing(store, client):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(OutputError, match=r"cannot write .*\.0: File too large"):
            client.take(RUN)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert files(store) == []
    assert client.take(RUN)


def test_without_proc_the_dead_are_watched_as_others_are(store, client, clock, monkeypatch, tmp_path):
    monkeypatch.setattr(owners, "_PROC", tmp_path / "none")
    owners._place.cache_clear()
    try:
        owner = Owner.here("them")
        assert (owner.boot, owner.namespace, owner.started) == ("", "", "")
        plant(store, f"{RUN}.0", replace(owner, process=NO_PROCESS))
        assert not client.take(RUN)
        clock.passes(1.01 * EXPIRY_SECONDS)
        assert client.take(RUN)
    finally:
        owners._place.cache_clear()
