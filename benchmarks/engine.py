"""What the engine of campaigns costs: a run, a queue of 100,000, more workers than cores, real runs on one and two.

``python -m benchmarks.engine`` prints all of it but ``many``; ``--only NAME`` one part. Sleeping jobs show the engine
alone: they need no processor, so that 16 workers fit on two cores. The figures of docs/clusters.md are from here.
"""

import argparse
import contextlib
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from normbench.campaigns.campaign import Campaign
from normbench.campaigns.engine.engine import Engine
from normbench.campaigns.engine.jobs import Outcome
from normbench.campaigns.engine.workers import Workers
from normbench.campaigns.plan import Plan, sweep
from normbench.records.store import Store
from normbench.running.request import Asked

from .jobs import Sleep

_MIB = 1 << 20


@contextlib.contextmanager
def _started(workers: int) -> Iterator[tuple[Engine, float]]:
    """An engine of which every worker has done a job, and the seconds until the first result."""
    with Engine(Workers(workers, threads=1)) as engine:
        began, first = time.monotonic(), []

        def note(outcome: Outcome) -> None:
            first.append(time.monotonic() - began)

        engine.run([Sleep(n, 0.5) for n in range(workers)], note)
        while len(engine.seats) < workers:  # the last ones come when the first have done all
            engine.run([Sleep(n, 0.5) for n in range(workers)], note)
        yield engine, first[0] - 0.5


def _timed(engine: Engine, jobs: list[Sleep]) -> float:
    found: list[int] = []
    began = time.monotonic()
    engine.run(jobs, lambda outcome: found.append(outcome.value))
    seconds = time.monotonic() - began
    assert sorted(found) == [job.number for job in jobs]
    return seconds


def start() -> None:
    """Seconds to the first result of two processes, imports included."""
    with _started(2) as (_, first):
        print(f"first result of two processes: {first:.2f} s")


def workers(sizes: tuple[int, ...] = (2, 4, 8, 16)) -> None:
    """Sleeping jobs of a second on more and more workers: the share of the time in which a worker sleeps.

    Then jobs that do nothing: time a job, and processor time of this process, in which client and scheduler are.
    """
    print("workers  runs  took s of 10  efficiency  empty: ms a run  processor ms a run")
    for size in sizes:
        with _started(size) as (engine, _):
            jobs = [Sleep(n, 1.0) for n in range(10 * size)]
            took = _timed(engine, jobs)
            before = time.process_time()
            empty = 1e3 * _timed(engine, [Sleep(n, 0.0) for n in range(1000)]) / 1000
            used = time.process_time() - before
        print(f"{size:7d}  {len(jobs):4d}  {took:12.2f}  {10.0 / took:10.3f}  {empty:15.1f}  {used:18.1f}", flush=True)


def many() -> None:
    """The same with 32 and 64 workers, which take 6 and 12 GiB: not without ``--only many``."""
    workers((32, 64))


def queue(length: int = 100_000, done: int = 2_000) -> None:
    """A hundred thousand jobs wait, of which the first few thousand are done: time a job, and memory."""

    class Enough(Exception):  # noqa: N818
        """The rest waits for nothing."""

    found: list[int] = []

    def note(outcome: Outcome) -> None:
        found.append(outcome.value)
        if len(found) == done:
            raise Enough

    me = psutil.Process()
    with _started(2) as (engine, _):
        before, began = me.memory_info().rss, time.monotonic()
        jobs = [Sleep(n, 0.0, cost=n % 97, family=n % 1000) for n in range(length)]
        made = time.monotonic()
        with contextlib.suppress(Enough):
            engine.run(jobs, note)
        took, after = time.monotonic() - made, me.memory_info().rss
    print(
        f"{length} jobs made in {made - began:.2f} s; {done} done in {took:.1f} s, {1e3 * took / done:.1f} ms a job; "
        f"this process, client and scheduler: {before / _MIB:.0f} MiB before, {after / _MIB:.0f} MiB after"
    )


def _campaign(folder: Path, size: int, plan: Plan) -> float:
    began = time.monotonic()
    Campaign(Store(folder), workers=Workers(size, threads=1)).run(plan)
    return time.monotonic() - began


def _plan(seeds: int, iterations: int) -> Plan:
    asked = Asked(
        task="quadrotor-sim", optimiser="", backend="", seed=0, layers=(12, 25, 30, 15, 3), iterations=iterations
    )
    return sweep(asked, optimisers=["method1"], backends=["reference"], seeds=range(seeds))


def real(rounds: int = 2) -> None:
    """The same runs on one and on two workers, in turn, starts included: efficiency is T1 / (2 T2)."""
    plan = _plan(16, 30)
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            one, two = (_campaign(Path(folder) / str(size), size, plan) for size in (1, 2))
        print(
            f"round {number}: {len(plan.requests)} runs, one worker {one:.1f} s, two {two:.1f} s: {one / two / 2:.3f}"
        )


def kills(times: int = 100) -> None:
    """Kill a worker at random, again and again, and go on until no run has failed: what is lost, and what it takes."""
    draw, plan, killed = random.Random(0), _plan(150, 10), 0

    def kill(tally: object) -> None:
        nonlocal killed
        pids = [p.pid for p in psutil.Process().children() if any("spawn_main" in part for part in _line(p))]
        if killed < times and pids:
            time.sleep(draw.uniform(0.0, 0.1))
            with contextlib.suppress(ProcessLookupError):
                os.kill(draw.choice(pids), signal.SIGKILL)
                killed += 1

    with tempfile.TemporaryDirectory() as folder:
        store, calls = Store(Path(folder)), 0
        while True:
            records = Campaign(store, workers=Workers(2, threads=1), on_progress=kill).run(plan)
            calls += 1
            failed = [record for record in records if record.outcome.status == "failed"]
            print(f"call {calls}: {killed} killed so far, {len(records)} records, {len(failed)} failed", flush=True)
            if not failed:
                break
        with tempfile.TemporaryDirectory() as other:
            undisturbed = Campaign(Store(Path(other)), workers=Workers(2, threads=1)).run(plan)
    same = [
        a.record_id == b.record_id and a.outcome.test_rms == b.outcome.test_rms
        for a, b in zip(records, undisturbed, strict=True)
    ]
    print(
        f"{killed} killed; {sum(same)} of {len(same)} records have the test RMS of an undisturbed campaign, bit for bit"
    )


def _line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


PARTS: dict[str, Callable[[], None]] = {part.__name__: part for part in (start, workers, many, queue, real, kills)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append")
    for name in parser.parse_args().only or [name for name in PARTS if name != "many"]:
        print(f"== {name}", flush=True)
        PARTS[name]()
