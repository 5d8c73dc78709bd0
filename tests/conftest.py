"""One thread per test process, and programs of XLA that compile quickly and once; so in processes that tests start."""

import atexit
import ctypes
import gc
import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from normbench.machine import instruction_set, limit_threads

# The tests' programs run for milliseconds and compile for seconds, of which these flags save four in five; what they
# compute differs by roundings.
QUICKLY = (
    "backend_optimization_level=0",
    "cpu_use_fusion_emitters=false",
    "cpu_parallel_codegen_split_count=1",
    "disable_hlo_passes=while-loop-invariant-code-motion,while-loop-constant-sinking",  # an eighth of the rest
)
os.environ.setdefault("XLA_FLAGS", " ".join(f"--xla_{flag}" for flag in QUICKLY))
limit_threads(1)  # pytest-xdist keeps the cores busy, and small matrices lose to thread hand-over


class KeptPrograms:
    """What JAX compiled in earlier sessions on such a processor, a fifth of the time of the tests that use it.

    A session has a folder of its own and hands over what is new when it ends by itself: of a write that was cut off,
    JAX would warn for ever.
    """

    _AT_MOST = 500 << 20  # bytes; then they are collected anew

    def __init__(self) -> None:
        from normbench.data.cache import cache_folder  # loads NumPy, whose threads are limited by now

        self._kept = cache_folder() / "tests" / instruction_set()
        self._own = Path(tempfile.mkdtemp(prefix="normbench-jax-"))
        atexit.register(shutil.rmtree, self._own, ignore_errors=True)
        with suppress(OSError):
            if sum(path.stat().st_size for path in self._kept.iterdir()) > self._AT_MOST:
                shutil.rmtree(self._kept)
            _bring(self._kept, self._own)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(self._own)
        os.environ["JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES"] = "none"  # else the folder's name is part of a program's
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            with suppress(OSError):
                self._kept.mkdir(parents=True, exist_ok=True)
                _bring(self._own, self._kept)


def _bring(source: Path, target: Path) -> None:
    """Every file of ``source`` that ``target`` lacks."""
    for path in source.iterdir():
        if not (wanted := target / path.name).exists():
            try:
                wanted.hardlink_to(path)
            except OSError:  # another file system
                Path(shutil.copyfile(path, target / f".{os.getpid()}-{path.name}")).replace(wanted)


# the workers of pytest-xdist inherit the folder from their controller
KEPT = None if "JAX_COMPILATION_CACHE_DIR" in os.environ else KeptPrograms()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """``-m quick`` does not import the modules in which nothing is marked so: of two in three that takes seconds."""
    asked = config.getoption("markexpr") == "quick" and collection_path.suffix == ".py"
    return True if asked and "mark.quick" not in collection_path.read_text(encoding="utf-8") else None


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """The modules and cases that collection makes stay: no garbage collection looks through them, now or later.

    Later ones are rare: tracing makes thousands of objects a program, and most of them live.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(200_000, 50, 100)
        gc.enable()


class Programs:
    """Lets JAX forget the programs of modules that are over, which were most of the 3 GB of each process."""

    _MAY_GROW = 800 << 20  # bytes; to forget takes a second

    def __init__(self) -> None:
        self._left = _resident()

    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        if "jax" not in sys.modules or nextitem is None or nextitem.path == item.path:
            return
        if _resident() > self._left + self._MAY_GROW:
            sys.modules["jax"].clear_caches()
            gc.collect()
            if sys.platform == "linux":
                ctypes.CDLL(None).malloc_trim(0)
            self._left = _resident()


def _resident() -> int:
    return psutil.Process().memory_info().rss


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Programs())
    if KEPT:
        config.pluginmanager.register(KEPT)


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium from the system; tests that need it are skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no chromium, chromium-browser or google-chrome on PATH; on Debian: apt-get install chromium")
    with sync_api.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])  # the page is our own
        yield running
        running.close()
