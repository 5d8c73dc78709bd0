"""Cores, memory and threads that are ours, as the system and the user's variables say, and not as the machine has."""

import os
import subprocess
import sys

import pytest

from normbench import backends
from normbench.data.cache import CACHE_VARIABLE
from normbench.machine import (
    cores,
    cpu_model,
    instruction_set,
    limit_threads,
    memory,
    threads_per_run,
    variable,
    xla_threads,
)

BLANKS = ["", " ", "\t\n"]
ALLOCATED = (
    "SLURM_CPUS_PER_TASK",
    "SLURM_CPUS_ON_NODE",
    "SLURM_JOB_CPUS_PER_NODE",
    "PBS_NUM_PPN",
    "LSB_DJOB_NUMPROC",
)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in (*ALLOCATED, "PBS_JOBID", "NCPUS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "XLA_FLAGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(48)), raising=False)


def system(root, own, files):
    """A tree with ``proc/self/cgroup`` and files below ``sys/fs/cgroup``."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(own)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


V2 = "0::/user.slice/job\n"
V1 = "4:memory:/docker/a\n3:cpu,cpuacct:/docker/a\n0::/\n"


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {}, 48),
        (V2, {"user.slice/job/cpu.max": "200000 100000\n"}, 2),
        (V2, {"user.slice/job/cpu.max": "max 100000\n", "user.slice/cpu.max": "350000 100000\n"}, 3),
        (V2, {"cpu.max": "50000 100000\n"}, 1),
        (V2, {"user.slice/job/cpu.max": "9900000 100000\n"}, 48),
        (V2, {"user.slice/job/cpu.max": "nonsense\n"}, 48),
        (
            V1,
            {"cpu,cpuacct/docker/a/cpu.cfs_quota_us": "400000", "cpu,cpuacct/docker/a/cpu.cfs_period_us": "100000"},
            4,
        ),
        (V1, {"cpu/docker/a/cpu.cfs_quota_us": "400000", "cpu/docker/a/cpu.cfs_period_us": "100000"}, 4),
        (V1, {"cpu/cpu.cfs_quota_us": "600000", "cpu/cpu.cfs_period_us": "100000"}, 6),
        (V1, {"cpu/docker/a/cpu.cfs_quota_us": "-1", "cpu/docker/a/cpu.cfs_period_us": "100000"}, 48),
        ("0::/../../escaped\n", {"cpu.max": "100000 100000\n"}, 48),
    ],
)
def test_cores_are_those_of_the_control_group(own, files, expected, tmp_path):
    assert cores(system(tmp_path, own, files)) == expected


@pytest.mark.parametrize(("text", "expected"), [("3", 3), ("999", 48), ("0", 48), ("-2", 48), ("x", 48), ("", 48)])
@pytest.mark.parametrize("name", ALLOCATED)
def test_cores_are_those_that_a_batch_system_gave(name, text, expected, tmp_path, monkeypatch):
    monkeypatch.setenv(name, text)
    assert cores(tmp_path) == expected


@pytest.mark.parametrize("text", ["4(x2)", "4(x2),1", "4,2"])
def test_of_the_nodes_of_an_allocation_of_slurm_the_first_counts(text, tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_CPUS_PER_NODE", text)
    assert cores(tmp_path) == 4


def test_what_pbs_calls_its_cores_counts_in_its_jobs_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("NCPUS", "3")
    assert cores(tmp_path) == 48
    monkeypatch.setenv("PBS_JOBID", "17.host")
    assert cores(tmp_path) == 3


def test_affinity_counts_where_the_system_has_it(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    assert cores(tmp_path) == 64


def test_the_real_affinity_is_asked_for():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from normbench.machine import cores; print(cores())"
    )
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system has no affinity")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1\n"


def test_memory_is_that_of_the_control_group(tmp_path):
    assert memory(system(tmp_path, V2, {"user.slice/job/memory.max": "1048576\n", "memory.max": "max\n"})) == 1048576
    assert memory(tmp_path / "nothing") > 2**28


@pytest.mark.parametrize(
    ("text", "threads"), [(None, 1), ("4", 4), ("4,2", 4), ("0", 1), ("x", 1), *[(b, 1) for b in BLANKS]]
)
def test_threads_per_run_are_the_users_or_one(text, threads, monkeypatch):
    if text is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert threads_per_run() == threads


def test_a_limit_reaches_every_library_but_one_that_the_user_has_set(monkeypatch):
    for name in ("OMP_NUM_THREADS", "NPROC", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("MKL_NUM_THREADS", "8")
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=x")
    limit_threads(1)
    names = ("OMP_NUM_THREADS", "NPROC", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    assert [os.environ[name] for name in names] == ["1", "1", "1", "8"]
    assert os.environ["XLA_FLAGS"] == "--xla_dump_to=x --xla_cpu_multi_thread_eigen=false"
    assert xla_threads() == 1


def test_the_users_own_flag_of_xla_stands(monkeypatch):
    for name in ("OMP_NUM_THREADS", "NPROC", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=true")
    limit_threads(1)
    assert os.environ["XLA_FLAGS"] == "--xla_cpu_multi_thread_eigen=true"


def test_what_a_record_says_about_threads_is_what_numpy_says():
    """In a process of its own, because plug-ins of pytest load NumPy before conftest.py limits its threads."""
    code = (
        "from normbench import machine; machine.limit_threads(1)\n"
        "import numpy; from threadpoolctl import threadpool_limits; from normbench import backends\n"
        "def said(): print(backends.get('reference').threads())\n"
        "said(); threadpool_limits(2); said()"
    )
    environment = {k: v for k, v in os.environ.items() if not k.endswith("NUM_THREADS")}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert found.stdout == "1\n2\n"


@pytest.mark.parametrize("blank", BLANKS)
def test_a_blank_variable_is_unset(blank, monkeypatch):
    monkeypatch.setenv("NORMBENCH_SOMETHING", blank)
    assert variable("NORMBENCH_SOMETHING") is None
    monkeypatch.setenv("NORMBENCH_SOMETHING", " x ")
    assert variable("NORMBENCH_SOMETHING") == "x"


def processor(root, text):
    (root / "proc").mkdir(parents=True)
    (root / "proc/cpuinfo").write_text(text)
    return root


CORE = "processor\t: 0\nmodel name\t: {}\nflags\t\t: {}\n\n"
X86 = CORE.format("Some CPU: 3 GHz", "fpu avx2") + CORE.format("Another", "fpu")
ARM = "processor\t: 0\nFeatures\t: fp asimd\nCPU part\t: 0xd0c\n"


def test_a_processor_has_the_name_that_the_system_gives_it(tmp_path):
    assert cpu_model(processor(tmp_path, X86)) == "Some CPU: 3 GHz"
    assert cpu_model(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (X86, X86.replace("3 GHz", "4 GHz"), True),
        (X86, X86.replace("fpu avx2", "avx2 fpu"), True),
        (X86, X86.replace("avx2", "avx2 avx512f"), False),
        (ARM, ARM.replace("asimd", "asimd sve"), False),
        (X86, ARM, False),
        (X86, "", False),
    ],
)
def test_processors_share_compiled_programs_only_if_they_understand_the_same_instructions(one, other, same, tmp_path):
    marks = [instruction_set(processor(tmp_path / str(k), text)) for k, text in enumerate((one, other))]
    assert (marks[0] == marks[1]) is same


def test_compiled_programs_are_kept_by_the_instructions_that_they_are_made_of(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    kept = [backend.compilation_cache() for backend in backends.every() if backend.compilation_cache]
    assert kept
    assert all(instruction_set() in "".join(variables.values()) for variables in kept)
