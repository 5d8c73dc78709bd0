"""A dask scheduler and workers that a user has started, each in a folder, cache and home of its own."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.pages import ROOT

SECONDS = 60.0


def until(found, seconds=SECONDS):
    """Wait until it is true, and return that."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, f"nothing after {seconds} s"
        time.sleep(0.02)
    return value


class Machines:
    """One scheduler and its workers; use it as a context manager.

    Attributes
    ----------
    tls : sequence of str
        Options that name certificates, where it is encrypted.
    file : str
        The scheduler.json.
    workers : dict of str to subprocess.Popen
        Those that live, by the name that they were given.
    """

    def __init__(self, folder, tls=()):
        self.folder, self.workers, self.tls = folder, {}, tls
        self.file = str(folder / "scheduler.json")
        self.scheduler = None

    def __enter__(self):
        at_any_port = ["--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0"]
        encrypted = ["--protocol", "tls", *self.tls] if self.tls else []
        self.scheduler = self._started(
            "scheduler", "scheduler", "--scheduler-file", self.file, *at_any_port, *encrypted
        )
        until(lambda: Path(self.file).exists() and Path(self.file).stat().st_size)
        return self

    def __exit__(self, *exception):
        for process in (*self.workers.values(), self.scheduler):
            process.kill()
            process.wait()

    @property
    def address(self):
        return json.loads(Path(self.file).read_text(encoding="utf-8"))["address"]

    def start(self, name, *options, python_path=(), nanny=False):
        """Start a worker; it is there once a job waits for it."""
        usual = ["--scheduler-file", self.file, "--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard"]
        watched = "--nanny" if nanny else "--no-nanny"
        self.workers[name] = self._started(
            name, "worker", watched, *usual, *self.tls, *options, python_path=python_path
        )
        return self.workers[name]

    def end(self, *names):
        for name in names:
            process = self.workers.pop(name)
            process.kill()
            process.wait()

    def _started(self, name, kind, *options, python_path=()):
        own = self.folder / name
        own.mkdir()
        places = {"HOME": own, "NORMBENCH_CACHE": own / "cache", "DASK_TEMPORARY_DIRECTORY": own / "dask"}
        path = os.pathsep.join(map(str, [*python_path, ROOT]))
        with (own / "log").open("w", encoding="utf-8") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", kind, *options],
                cwd=own,
                env=os.environ | {"PYTHONPATH": path} | {key: str(value) for key, value in places.items()},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
