"""What a record says about the code and the machine that made it."""

import hashlib
import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import normbench

_PACKAGE = Path(normbench.__file__).parent
_CHANGES_NUMBERS = (
    "data",
    "normalisation.py",
    "tasks.py",
    "specs",
    "trajectory.py",
    "training/certificate.py",
    "training/request.py",
    "training/run.py",
)
_LIBRARIES = {"torch": ("torch",), "jax": ("jax", "jaxlib", "optax"), "reference": ()}


def _sources(name: str) -> list[Path]:
    path = _PACKAGE / name
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


@cache
def code_version(backend: str) -> str:
    """Package version and a short SHA-256 over the source files that can change a number of ``backend``.

    Covered are data, normalisation, tasks, specs, trajectory, the training loop and the backend's own folder, so that a
    change to the command line, to a report or to another backend leaves stored records valid.
    """
    digest = hashlib.sha256()
    for name in (*_CHANGES_NUMBERS, backend):
        for path in _sources(name):
            digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0")
            digest.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return f"{normbench.__version__}+{digest.hexdigest()[:12]}"


def _installed(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


@cache
def environment(backend: str) -> dict[str, str]:
    """Versions of Python, NumPy and the backend's libraries, platform, CPU model and number of cores."""
    libraries = {name: _installed(name) for name in ("numpy", *_LIBRARIES[backend])}
    return {
        "python": platform.python_version(),
        **libraries,
        "platform": platform.platform(),
        "cpu": _cpu_model(),
        "cores": str(os.cpu_count() or 1),
    }
