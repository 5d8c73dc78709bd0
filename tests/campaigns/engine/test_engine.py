"""Every job is done once, where it can be, and its result or error comes home; real processes throughout."""

import multiprocessing.spawn
import os
import sys
import time

import pytest

from normbench import machine
from normbench.campaigns.engine import crew as crew_module
from normbench.campaigns.engine import local_processes
from normbench.campaigns.engine.crew import Crew, Seat
from normbench.campaigns.engine.engine import Engine, results_of
from normbench.campaigns.engine.workers import Workers, gpus
from normbench.errors import DataError, InvalidArgumentError, WorkerError
from tests.campaigns.engine.jobs import Deadly, DeadlyResult, Frozen, Hungry, Raising, UnportableError, Work


def lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def gone(pids, seconds=10.0):
    deadline = time.monotonic() + seconds
    while any(map(lives, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(map(lives, pids))


@pytest.fixture(scope="module")
def engine():
    with Engine(Workers(2, threads=3)) as engine:
        yield engine


def done(engine, jobs, **options):
    outcomes = []
    left_out = engine.run(jobs, outcomes.append, **options)
    return {outcome.job.number: outcome for outcome in outcomes}, left_out


@pytest.mark.quick
def test_a_job_that_kills_its_processes_costs_itself_alone_and_the_limit_of_threads_is_the_workers(engine, tmp_path):
    jobs = [Deadly(0, cost=9.0, folder=tmp_path, times=9), *(Work(n) for n in range(1, 9))]
    found, _ = done(engine, jobs)
    assert found.keys() == set(range(9))
    assert found[0].value is None
    assert "the worker process died 2 times" in found[0].died
    assert len(list(tmp_path.iterdir())) == 2
    assert {found[n].value[2] for n in range(1, 9)} == {"3"}


def test_a_run_whose_process_dies_is_made_once_more_elsewhere(engine, tmp_path):
    found, _ = done(engine, [Deadly(0, folder=tmp_path)])
    assert found[0].value[0] == 0


def test_a_process_that_dies_while_it_returns_its_result_costs_one_more_try(engine, tmp_path):
    found, _ = done(engine, [DeadlyResult(0, folder=tmp_path), Work(1)])
    assert [found[n].value[0] for n in (0, 1)] == [0, 1]
    assert len(list(tmp_path.iterdir())) > 1


def test_a_process_that_is_killed_between_runs_is_replaced(engine):
    found, _ = done(engine, [Work(0), Work(1)])
    pids = {outcome.value[1] for outcome in found.values()}
    for pid in pids:
        os.kill(pid, 9)
    again, _ = done(engine, [Work(n, seconds=0.1) for n in range(4)])
    assert again.keys() == set(range(4))
    assert not pids & {outcome.value[1] for outcome in again.values()}


def test_nobody_is_taken_for_dead_while_dask_s_client_looks_for_itself():
    """Its timer asks for none of the workers, and what it is told took the place of our answer."""
    import dask
    import distributed  # noqa: F401 (declares its settings; loaded late, as it teaches exceptions that are there to travel)

    with dask.config.set({"distributed.client.scheduler-info-interval": "1ms"}):
        crew = Crew(Workers(1, threads=1), wanted=1)
    try:
        assert all(len(crew.seats()) == 1 for _ in range(300))
    finally:
        crew.close()


def test_a_result_that_takes_longer_to_fetch_is_no_death(engine, monkeypatch):
    monkeypatch.setattr(crew_module, "_FETCH_SECONDS", 1e-9)
    found, _ = done(engine, [Work(0, cost=2.0), Work(1)])
    assert [found[n].value[0] for n in (0, 1)] == [0, 1]


def test_what_a_job_raises_comes_home_as_it_is_or_in_words(engine):
    found, _ = done(
        engine, [Raising(0, error=DataError("no such column")), Raising(1, error=UnportableError("a", "b"))]
    )
    assert isinstance(found[0].error, DataError)
    assert str(found[0].error) == "no such column"
    assert str(found[1].error).endswith("UnportableError: a and b")


def test_jobs_that_may_not_start_are_left_out_and_said(engine):
    found, left_out = done(engine, [Work(n) for n in range(4)], may_start=lambda job: job.number % 2 == 0)
    assert found.keys() == {0, 2}
    assert {job.number for job in left_out} == {1, 3}


def test_a_run_beyond_a_limit_is_stopped_with_its_process_and_the_next_one_runs():
    """One that goes on, one whose process answers nobody, and one that takes more memory than it may."""
    with Engine(Workers(1, seconds=5.0, memory=400 << 20)) as engine:
        jobs = [Work(0, seconds=60.0, cost=4.0), Frozen(1, cost=3.0), Hungry(2, cost=2.0), Work(3)]
        found, _ = done(engine, jobs)
    assert [found[n].died for n in (0, 1)] == ["it took longer than the limit of 5 s"] * 2
    assert "memory may have run out" in found[2].died
    assert found[3].value[0] == 3


def test_jobs_for_a_gpu_run_where_one_is_and_each_has_its_own(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    with Engine(Workers(3, threads=1)) as engine:
        found, _ = done(engine, [Work(n, seconds=0.2, gpus=1 - n % 2) for n in range(10)])
    assert {found[n].value[3] for n in range(0, 10, 2)} == {"5", "7"}
    assert len({found[n].value[1] for n in range(0, 10, 2)}) == 2
    assert found.keys() == set(range(10))


def test_a_script_without_its_guard_is_told_so_in_the_process_that_reads_it(monkeypatch):
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
    with Engine(Workers(1, threads=1)) as engine, pytest.raises(WorkerError, match='below if __name__ == "__main__":'):
        done(engine, [Work(0)])


def test_processes_that_do_not_start_are_one_error(monkeypatch):
    monkeypatch.setattr(multiprocessing.spawn, "_python_exe", b"/no/such/python")
    with Engine(Workers(1, threads=1)) as engine, pytest.raises(WorkerError, match="do not start: RuntimeError: Nanny"):
        done(engine, [Work(0)])


def test_processes_that_share_a_gpu_share_its_memory_unless_the_user_says_how(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")

    def environments(runs_per_gpu):
        made = local_processes.nannies(Workers(4, threads=1, runs_per_gpu=runs_per_gpu), 4)
        return [one["options"].get("env", {}) for one in made.values()]

    gpu, share = {"CUDA_VISIBLE_DEVICES": "5"}, "XLA_PYTHON_CLIENT_MEM_FRACTION"
    assert environments(1) == [gpu, {}, {}, {}]
    assert environments(3) == [gpu | {share: "0.250"}] * 3 + [{}]
    monkeypatch.setenv(share, "0.1")
    assert environments(3) == [gpu] * 3 + [{}]


def test_a_process_has_as_many_gpus_and_cores_as_a_run_is_spread_over(monkeypatch):
    """What is left over of them lies idle, and so do all where there are fewer: then the run says so."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7,9")
    made = local_processes.nannies(Workers(3, threads=1, devices=2), 3).values()
    assert [one["options"].get("env", {}) for one in made] == [{"CUDA_VISIBLE_DEVICES": "5,7"}, {}, {}]
    assert [one["options"].get("resources", {}) for one in made] == [{"GPU": 2}, {}, {}]
    assert not any("env" in one["options"] for one in local_processes.nannies(Workers(devices=4), 2).values())
    monkeypatch.setattr(machine, "cores", lambda: 9)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert [Workers(devices=n).at_once for n in (1, 2, 4, 8)] == [4, 2, 1, 1]
    assert Workers(3, devices=4).at_once == 3


def test_a_run_over_gpus_goes_where_there_are_enough(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    with Engine(Workers(2, threads=1, devices=2)) as engine:
        found, _ = done(engine, [Work(n, seconds=0.1, gpus=n % 3) for n in range(6)])
    assert {found[n].value[3] for n in (1, 2, 4, 5)} == {"5,7"}
    assert found.keys() == set(range(6))


def test_workers_start_with_the_first_job_and_end_with_the_engine():
    before = dict(os.environ)
    with Engine(Workers(8)) as engine:
        assert done(engine, []) == ({}, [])
        assert engine._crew is None
        found, _ = done(engine, [Work(0)])
        assert len(engine.seats) == 1
        more, _ = done(engine, [Work(n, seconds=0.1) for n in range(3)])
        assert len(engine._crew._cluster.worker_spec) == 3
        pids = {outcome.value[1] for outcome in (*found.values(), *more.values())}
    assert gone(pids)
    assert dict(os.environ) == before


def test_an_error_where_results_are_taken_ends_the_workers_in_order():
    pids = []

    def full(outcome):
        pids.append(outcome.value[1])
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"), Engine(Workers(2)) as engine:
        engine.run([Work(0), Work(1, seconds=30.0)], full)
    assert gone(pids)


def test_results_come_in_the_order_of_the_jobs_and_the_first_error_is_raised():
    jobs = [Work(n, cost=float(n)) for n in range(3)]
    seen = []
    assert [value[0] for value in results_of(jobs, Workers(1), on_done=seen.append)] == [0, 1, 2]
    assert seen == jobs[::-1]
    with pytest.raises(WorkerError, match="Raising ended without a result: ValueError: planted"):
        results_of([Raising()], Workers(1), on_done=seen.append)


@pytest.mark.parametrize(("text", "names"), [("0,1", ["0", "1"]), ("", None), ("-1", []), (" 2 , 3 ", ["2", "3"])])
def test_the_devices_that_are_ours_are_those_of_the_variable(text, names, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", text)
    if names is not None:
        assert gpus() == names


def test_one_place_for_the_workers():
    with pytest.raises(InvalidArgumentError, match="either scheduler"):
        Workers(1, scheduler="tcp://x:1", cluster="y.yaml")
    with pytest.raises(InvalidArgumentError, match="--memory-limit"):
        Workers(1, scheduler="tcp://x:1", memory=1)
    assert Seat("a", "b", gpus=0).host == "b"


def test_a_program_that_comes_through_a_pipe_is_told_why_it_has_no_processes(monkeypatch):
    """Each process would read ``<stdin>`` anew, which is there only once."""
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "<stdin>", raising=False)
    with pytest.raises(WorkerError, match=r"each would read the program <stdin>, which is no file\. Write it into one"):
        local_processes.started(Workers(1), 1)
