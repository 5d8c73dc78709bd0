"""Of clients that meet over one claim exactly one has it, whatever the other does in between."""

import os
import random
import subprocess
import sys
import threading
import time
from dataclasses import replace

from normbench.records import claims as module
from normbench.records.claims import EXPIRY_SECONDS, Claims
from tests.records.claims.claimants import (
    DEAD,
    OTHER,
    RUN,
    before_creating,
    files,
    linux,
    plant,
)

CONTENDER = """
import sys, threading
from pathlib import Path
from normbench.records.claims import Claims
from normbench.records.store import Store
folder, contenders, runs = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
clients = [Claims(Store(folder)) for _ in range(contenders)]
taken = []
def contend(claims):
    for run in runs:
        if claims.take(run):
            taken.append(run)
threads = [threading.Thread(target=contend, args=(claims,)) for claims in clients]
print("ready", flush=True)
sys.stdin.readline()
for thread in threads: thread.start()
for thread in threads: thread.join()
print(*taken, flush=True)
sys.stdin.readline()
for claims in clients:
    for run in list(taken): claims.release(run)
"""


@linux
def test_a_hundred_contenders_in_three_processes_and_then_one_is_killed(store, client):
    """Every run goes to exactly one, also where a dead owner is in the way; what the killed one had is free at once."""
    fresh, left = [f"{k:032x}" for k in range(20)], [f"{k:032x}" for k in range(100, 120)]
    for run in left:
        plant(store, f"{run}.0", DEAD)
    command = [sys.executable, "-c", CONTENDER, str(store.directory), "34", *fresh, *left]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.stdout.readline() for process in started] == ["ready\n"] * 3
    for process in started:
        process.stdin.write("\n")
        process.stdin.flush()
    taken = [process.stdout.readline().split() for process in started]
    assert sorted(run for runs in taken for run in runs) == fresh + left
    assert {run: holder.owner.process for run, holder in client.held_by_others().items()} == {
        run: process.pid for process, runs in zip(started, taken, strict=True) for run in runs
    }

    killed, had = max(zip(started, taken, strict=True), key=lambda pair: len(pair[1]))
    killed.kill()  # nobody has waited for it yet: it is a zombie
    os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)
    assert [run for run in fresh + left if client.take(run)] == sorted(had)
    for process in started:
        process.communicate(None if process is killed else "\n", timeout=60)
    assert [run for run in fresh + left if client.take(run)] == fresh + left


@linux
def test_no_two_are_inside_at_once_where_many_come_go_and_die(store, tmp_path):
    """Six clients at two runs, for a second; two in five die over them, so that claims are built on claims."""
    inside, overlaps, died = {run: threading.Lock() for run in (RUN, OTHER)}, [], []
    end = time.monotonic() + 1.0

    def come_and_go(seed):
        rng, client = random.Random(seed), Claims(store)
        while time.monotonic() < end:
            run = rng.choice([RUN, OTHER])
            if not client.take(run):
                continue
            if not inside[run].acquire(blocking=False):
                overlaps.append(run)
                continue
            if rng.random() < 0.3:
                time.sleep(0.0005)
            inside[run].release()
            if rng.random() < 0.4:
                died.append(run)
                content = tmp_path / f"{seed}"
                content.write_bytes(replace(DEAD, client=f"{seed}, {len(died)}").to_bytes())
                content.replace(client._held.pop(run))
            else:
                client.release(run)
            if rng.random() < 0.05:
                client.sweep()

    threads = [threading.Thread(target=come_and_go, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert overlaps == []
    assert died


def test_who_takes_over_withdraws_where_the_owner_has_just_woken_up(store, client, other, clock, monkeypatch):
    assert other.take(RUN)
    assert not client.take(RUN)
    clock.passes(1.01 * EXPIRY_SECONDS)
    time.sleep(0.01)
    before_creating(monkeypatch, f"{RUN}.1", other.renew)
    assert not client.take(RUN)
    assert files(store) == [f"{RUN}.0"]
    assert other.lost() == set()


def pass_on(one, another):
    """One client has had the run, and another has it."""
    assert one.take(RUN)
    one.release(RUN)
    assert another.take(RUN)


@linux
def test_who_takes_over_withdraws_where_another_was_faster_and_has_released(store, client, other, monkeypatch):
    plant(store, f"{RUN}.0", DEAD)
    third = Claims(store)
    before_creating(monkeypatch, f"{RUN}.1", lambda: pass_on(other, third))
    assert not client.take(RUN)
    assert files(store) == [f"{RUN}.0"]
    assert third.lost() == set()


def after_asking_for_a_follower(monkeypatch, act):
    """Do something once, right after a client has asked whether a claim is followed."""
    is_followed, done = module._is_followed, []

    def and_then(path):
        answer = is_followed(path)
        if not done:
            done.append(path)
            act()
        return answer

    monkeypatch.setattr(module, "_is_followed", and_then)


@linux
def test_what_was_passed_over_may_be_another_claim_by_now(store, client, other, monkeypatch):
    """On the way from ID.0 to ID.1, both are released, and a third makes ID.0."""
    plant(store, f"{RUN}.0", DEAD)
    third = Claims(store)
    assert other.take(RUN)

    def meanwhile():
        other.release(RUN)
        assert third.take(RUN)

    after_asking_for_a_follower(monkeypatch, meanwhile)
    assert not client.take(RUN)
    assert files(store) == [f"{RUN}.0"]
    assert third.lost() == set()


@linux
def test_a_sweep_says_until_its_end_that_the_run_is_not_free(store, client, other, monkeypatch):
    for generation in range(2):
        plant(store, f"{RUN}.{generation}", DEAD)
    taken = []
    release = client.release
    monkeypatch.setattr(client, "release", lambda run: [taken.append(other.take(run)), release(run)])
    assert client.sweep() == 1
    assert taken == [False]
    assert files(store) == []


@linux
def test_who_withdraws_deletes_only_what_is_its_own(store, client, other, monkeypatch):
    """Its ID.0 is deleted with a claim that stood on it, and another's is there."""
    plant(store, f"{RUN}.1", DEAD)
    third = Claims(store)
    before_creating(monkeypatch, f"{RUN}.2", lambda: pass_on(other, third))
    assert not client.take(RUN)
    assert files(store) == [f"{RUN}.0"]
    assert third.lost() == set()


def test_an_owner_that_wakes_up_and_releases_cannot_be_followed_in_between(store, client, other, clock, monkeypatch):
    """It deletes after it has looked for a follower; one who comes then must not think it has the run."""
    assert other.take(RUN)
    assert not client.take(RUN)
    clock.passes(1.01 * EXPIRY_SECONDS)
    time.sleep(0.01)
    taken = []
    after_asking_for_a_follower(monkeypatch, lambda: taken.append(client.take(RUN)))
    other.release(RUN)
    assert taken == [False]
    assert files(store) == []
