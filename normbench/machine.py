"""What of this machine is ours: cores, memory, threads, and the variables by which a user says so."""

import hashlib
import os
import platform
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_ALLOCATED = (  # cores, as batch systems tell their jobs
    "SLURM_CPUS_PER_TASK",
    "SLURM_CPUS_ON_NODE",
    "SLURM_JOB_CPUS_PER_NODE",  # all that salloc tells without srun
    "PBS_NUM_PPN",  # Torque
    "LSB_DJOB_NUMPROC",  # LSF
)
_PBS = ("PBS_JOBID", "NCPUS")  # PBS Pro's name for them may be anybody's, but for in its jobs
_XLA_THREADS = "xla_cpu_multi_thread_eigen"
_NO_LIMIT = 1 << 60  # cgroup v1 writes a number near 2^63 where there is no limit


def variable(name: str) -> str | None:
    """An environment variable without the blanks around it; None where it is unset, empty or blank."""
    return os.environ.get(name, "").strip() or None


def cores(root: Path = Path("/")) -> int:
    """Processor cores that this process may use: its affinity, the quota of its cgroup, what a batch system gave it.

    Parameters
    ----------
    root : Path
        Where ``proc`` and ``sys`` are.
    """
    found = [os.cpu_count() or 1]
    if hasattr(os, "sched_getaffinity"):
        found.append(len(os.sched_getaffinity(0)))
    found += [int(quota) for quota in _quotas(root)]
    said = [*map(variable, _ALLOCATED), variable(_PBS[1]) if variable(_PBS[0]) else None]
    found += [count for text in said if (count := _count(text))]
    return max(1, min(found))


def memory(root: Path = Path("/")) -> int:
    """Bytes of memory that this process may use: those of the machine, or the limit of its cgroup."""
    found = [_NO_LIMIT]
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for folder in _cgroups(root):
        limits = (_count(_read(folder / name)) for name in ("memory.max", "memory.limit_in_bytes"))
        found += [limit for limit in limits if limit]
    return min(found)


@cache
def cpu_model(root: Path = Path("/")) -> str:
    """The processor's name as the system gives it."""
    return _cpu_field(root, "model name") or platform.processor() or platform.machine()


@cache
def instruction_set(root: Path = Path("/")) -> str:
    """Twelve digits that two processors share only if they understand the same instructions.

    A program that was compiled on the one ends on the other with an illegal instruction, or is slower than need be.
    """
    extensions = _cpu_field(root, "flags") or _cpu_field(root, "Features") or platform.processor()
    named = " ".join([platform.system(), platform.machine(), *sorted(extensions.split())])
    return hashlib.sha256(named.encode()).hexdigest()[:12]


def _cpu_field(root: Path, name: str) -> str:
    """A field of the first processor in ``proc/cpuinfo``; empty where there is none."""
    lines = (_read(root / "proc/cpuinfo") or "").splitlines()
    return next((value.strip() for key, _, value in (line.partition(":") for line in lines) if key.strip() == name), "")


def threads_per_run() -> int:
    """Threads for one run: what the user's OMP_NUM_THREADS says, else one.

    It does not depend on how many runs there are at the same time, because the number of threads decides the order of
    sums and with it the last digits of a result.
    """
    return _count(variable("OMP_NUM_THREADS")) or 1


def limit_threads(threads: int) -> None:
    """Let the libraries that this process loads from now on use ``threads`` threads.

    What a user has set for one library alone (MKL, OpenBLAS, XLA) stands.
    """
    os.environ["OMP_NUM_THREADS"] = os.environ["NPROC"] = str(threads)  # NPROC: the size of XLA's pool
    for name in ("MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        if _count(variable(name)) is None:
            os.environ[name] = str(threads)
    flags = os.environ.get("XLA_FLAGS", "")
    if threads == 1 and _XLA_THREADS not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --{_XLA_THREADS}=false".strip()


def xla_threads() -> int:
    """Threads with which XLA computes in this process, by the variables that :func:`limit_threads` sets."""
    single = f"--{_XLA_THREADS}=false" in os.environ.get("XLA_FLAGS", "").lower()
    return 1 if single else _count(variable("NPROC")) or cores()


def _count(text: str | None) -> int | None:
    """A positive integer; of OpenMP's lists, one entry per nesting level, and SLURM's, as 4(x2),1, the first."""
    first = (text or "").partition(",")[0].partition("(")[0].strip()
    return int(first) if first.isascii() and first.isdecimal() and int(first[:19]) > 0 else None


def _quotas(root: Path) -> Iterator[float]:
    """Cores that the CPU time of every enclosing cgroup amounts to."""
    for folder in _cgroups(root):
        quota, _, period = (_read(folder / "cpu.max") or "").partition(" ")
        if not period:
            quota, period = _read(folder / "cpu.cfs_quota_us") or "", _read(folder / "cpu.cfs_period_us") or ""
        allowed, per = _count(quota), _count(period)
        if allowed and per:
            yield max(1.0, allowed / per)


def _cgroups(root: Path) -> Iterator[Path]:
    """Folders of this process's control groups, innermost first, of version 2 and of version 1."""
    mounted = root / "sys/fs/cgroup"
    for line in (_read(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, own = line.split(":", 2)
        for base in [mounted] if not controllers else [mounted / controllers, mounted / controllers.partition(",")[0]]:
            parts = Path(own.lstrip("/")).parts
            if ".." not in parts:
                yield from (base.joinpath(*parts[:k]) for k in range(len(parts), -1, -1))


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None


def runs_at_once(devices: int = 1) -> int:
    """As many as have a core of ours for each of their threads on each of their devices, at least one."""
    return max(1, cores() // (threads_per_run() * devices))
