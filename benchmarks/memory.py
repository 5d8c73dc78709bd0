"""Memory of training: the peak of the whole process, and what a trainer adds to what the process held before."""

import ctypes
import sys
from pathlib import Path

from .common import BACKENDS, advance, problem, require_device, spec, trainer

MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of glibc's malloc.h
ITERATIONS = 5


def _steady_malloc():
    """Return every block of 64 KiB and more to the system when it is freed, or the peak depends on the heap's past.

    The same as MALLOC_MMAP_THRESHOLD_=65536 in the environment, for the processes of these benchmarks alone.
    """
    if sys.platform.startswith("linux"):
        getattr(ctypes.CDLL(None), "mallopt", lambda *given: 0)(MMAP_THRESHOLD, 65536)


def _status(field):
    """A number of /proc/self/status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


class Training:
    """Five iterations of method 1 on the deep network: width 35, depth 12, all training samples."""

    params = (BACKENDS,)
    param_names = ("backend",)

    def setup(self, backend):
        """Import, load the data and compile nothing: both belong to a run."""
        _steady_malloc()
        require_device(backend, "cpu")
        trainer("E1", "method1", backend, samples=64)  # pays for imports; skips where the commit has no trainer
        problem("E2", spec("method1").normalisation)

    def peakmem_training(self, backend):
        """Peak of the process, libraries included."""
        advance(trainer("E2", "method1", backend), ITERATIONS)

    def track_training_memory(self, backend):
        """What training needs: for torch, the growth of the process; for JAX, what the largest program was compiled to.

        JAX's allocator keeps what compilation left, so that the process's growth says half or double from run to run.
        """
        if backend == "jax":
            return _largest_program(trainer("E2", "method1", backend))
        before = _reset_peak()
        advance(trainer("E2", "method1", backend), ITERATIONS)
        return _status("VmHWM") - before

    track_training_memory.unit = "bytes"


def _largest_program(compiled):
    """Arguments (the data among them), results and temporaries of the trainer's largest program, by XLA, in bytes."""
    import jax

    programs = [program.get_compiled_memory_stats() for program in jax.devices("cpu")[0].client.live_executables()]
    del compiled  # alive until here: so were its programs
    return max(
        p.argument_size_in_bytes + p.output_size_in_bytes - p.alias_size_in_bytes + p.temp_size_in_bytes
        for p in programs
    )


def _reset_peak():
    """Set the peak of this process to its present size; return that size in bytes."""
    switch = Path("/proc/self/clear_refs")
    if not switch.exists():
        raise RuntimeError("the peak can only be reset on Linux")
    switch.write_text("5")
    return _status("VmRSS")
