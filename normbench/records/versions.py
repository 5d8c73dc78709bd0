"""What a record says about the code and the machine that made it."""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import normbench
from normbench.errors import InvalidArgumentError
from normbench.machine import cores
from normbench.records.imports import Package
from normbench.specs import BACKENDS

_PACKAGE = Path(normbench.__file__).parent
_RUN = "normbench.running.run"  # what makes the numbers of a record
_COMPANIONS = {"jax": ("jaxlib",)}  # installed with a library and a part of it, imported by nobody here
_NAMED_OTHERWISE = {"sklearn": "scikit-learn"}
NOT_RECORDED = "not recorded"
_NOT_OF_THE_MACHINE = ("rekeyed",)  # said about a record, not about what made it


def _check(backend: str) -> None:
    if backend not in BACKENDS:
        raise InvalidArgumentError(f"no backend {backend!r}; the benchmark knows {', '.join(BACKENDS)}.")


def modules_of(backend: str) -> tuple[str, ...]:
    """Modules of the package that can change a number of ``backend``: what trainer, data and certificate use.

    Read from the imports of the run, of which those of the other backends' trainers do not count; what a backend
    borrows from another one, as the certificate does from the reference, counts.

    Raises
    ------
    InvalidArgumentError
        If there is no such backend.
    """
    _check(backend)
    others = tuple(f"normbench.{other}" for other in BACKENDS if other != backend)

    def follows(module: str, name: str) -> bool:
        return module != _RUN or not name.startswith(others)

    return tuple(sorted(Package(_PACKAGE).closure((_RUN,), follows)))


@cache
def code_version(backend: str) -> str:
    """Package version and a short SHA-256 over the source files that can change a number of ``backend``.

    See :func:`modules_of`; a change to the command line, to a report or to another backend leaves records valid.

    Raises
    ------
    InvalidArgumentError
        If there is no such backend.
    """
    digest = hashlib.sha256()
    files = Package(_PACKAGE).modules
    for name in modules_of(backend):
        digest.update(name.encode() + b"\0")
        digest.update(files[name].read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return f"{normbench.__version__}+{digest.hexdigest()[:12]}"


@cache
def libraries(backend: str) -> tuple[str, ...]:
    """Distributions that the modules of :func:`modules_of` import anywhere, peers' included; installed ones only.

    The same for every run of a backend on one installation, whatever its process has loaded before.
    """
    package = Package(_PACKAGE)
    found = [package.used(module) for module in modules_of(backend)]
    roots = {name.split(".")[0] for each in found for name in each.modules}
    named = {name for each in found for name in each.distributions}
    for root in roots - sys.stdlib_module_names - {package.name}:
        named |= {*_distributions(root), *_COMPANIONS.get(root, ())}
    return tuple(sorted(name for name in named if _installed(name)))


def _distributions(module: str) -> list[str]:
    """What brings a module: mostly the distribution of its name; to look through all of them takes a second."""
    if find_spec(module) is None:
        return []
    name = _NAMED_OTHERWISE.get(module, module.replace("_", "-"))
    return [name] if _installed(name) else packages_distributions().get(module, [])


@cache
def _installed(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


@cache
def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


@cache
def _blas() -> str:
    """Name and version of the BLAS that NumPy was built with, as it says itself."""
    found = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    return " ".join(str(found[key]) for key in ("name", "version") if found.get(key)) or NOT_RECORDED


@cache
def _gpu() -> dict[str, str]:
    """Model and driver of the first GPU that this process may use, from the driver's own tool."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return {"gpu": NOT_RECORDED, "driver": NOT_RECORDED}
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip()
    chosen = ["-i", visible] if visible else []
    call = [tool, *chosen, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        text = subprocess.run(call, capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        text = ""
    name, _, driver = next(iter(text.splitlines()), "").partition(",")
    return {"gpu": name.strip() or NOT_RECORDED, "driver": driver.strip() or NOT_RECORDED}


def environment(backend: str, device: str = "cpu") -> dict[str, str]:
    """Versions of Python and of every library that makes numbers, BLAS, platform, CPU and cores; on CUDA GPU, driver.

    Raises
    ------
    InvalidArgumentError
        If there is no such backend.
    """
    return {
        "python": platform.python_version(),
        **{name: _installed(name) for name in libraries(backend)},
        "blas": _blas(),
        "platform": platform.platform(),
        "cpu": _cpu_model(),
        "cores": str(cores()),
        **({} if device == "cpu" else _gpu()),
    }


def machine(environment: dict[str, str], threads: int) -> tuple[tuple[str, str], ...]:
    """What two runs must share for their times to be comparable: everything that the environment says, and threads."""
    said = ((name, value) for name, value in environment.items() if name not in _NOT_OF_THE_MACHINE)
    return (*sorted(said), ("threads", str(threads)))
