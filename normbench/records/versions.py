"""What a record says about the code and the machine that made it."""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np

import normbench
import normbench.data
from normbench import backends
from normbench.machine import cores, cpu_model
from normbench.records import plug_ins
from normbench.records.imports import Package
from normbench.records.libraries import distributions, installed
from normbench.running.request import RunRequest

_PACKAGE = Path(normbench.__file__).parent
_RUN = "normbench.running.run"  # what makes the numbers of a record
# The release whose numbers these are, as every record says it. Not the version of the package, which changes with every
# commit and tag: the digest beside it covers what can change a number, and records stay while that stays. Raised by
# hand, to the version of a release with another minor or major version, where that computes otherwise than the last.
NUMBERS_OF = "0.1.0"
NOT_RECORDED = "not recorded"
_NOT_OF_LIBRARIES = ("python", "platform", "cpu", "cores", "gpu", "driver", "jobs", "rekeyed")
_NOT_OF_THE_MACHINE = ("rekeyed",)  # said about a record, not about what made it


def modules_of(backend: str) -> tuple[str, ...]:
    """Modules of the package that can change a number of ``backend``: what trainer, data and certificate use.

    Read from the imports of the run, of the predictors and of the backend's trainer. The backend's declaration is not
    among them: of what it says only the trainer makes numbers.

    Raises
    ------
    InvalidArgumentError
        If there is no such backend.
    """
    return tuple(sorted(Package(_PACKAGE).closure((_RUN, backends.get(backend).trainer.module))))


@cache
def code_version(backend: str) -> str:
    """The release whose numbers these are and a short SHA-256 over the files that can change one of ``backend``.

    The same for a clone with tags, one without, a wheel and an sdist of the same sources. See :func:`modules_of`; a
    change to the command line, to a report or to another backend leaves records valid.

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
    return f"{NUMBERS_OF}+{digest.hexdigest()[:12]}"


def run_version(request: RunRequest) -> str:
    """:func:`code_version` of its backend and, for an optimiser of another package, a mark of the state of that.

    See :func:`normbench.records.plug_ins.mark`; the runs of no other optimiser change with it.

    Raises
    ------
    PlugInError
        If the optimiser is another package's and cannot be imported.
    """
    return ".".join(filter(None, (code_version(request.backend), plug_ins.mark(request.optimiser))))


@cache
def libraries(backend: str) -> tuple[str, ...]:
    """The backend's own, and what the modules of :func:`modules_of` import anywhere, peers' included; installed ones.

    The same for every run of a backend on one installation, whatever its process has loaded before.
    """
    named = {*backends.get(backend).libraries, *_imported(modules_of(backend))}
    return tuple(sorted(name for name in named if installed(name)))


def _imported(modules: Iterable[str]) -> set[str]:
    """Distributions that these modules of the package import anywhere."""
    package = Package(_PACKAGE)
    found = [package.used(module) for module in modules]
    roots = {name.split(".")[0] for each in found for name in each.modules}
    named = {name for each in found for name in each.distributions}
    for root in roots - sys.stdlib_module_names - {package.name}:
        named |= {*distributions(root)}
    return named


@cache
def _of_data_alone(backend: str) -> frozenset[str]:
    """Libraries that read the samples and do nothing else: their versions change no number, for samples have a hash."""
    modules = modules_of(backend)
    reading = {name for name in modules if name.startswith(f"{normbench.data.__name__}.")}
    others = {*backends.get(backend).libraries, *_imported(set(modules) - reading)}
    return frozenset(_imported(reading) - others)


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
        **{name: installed(name) for name in libraries(backend)},
        "blas": _blas(),
        "platform": platform.platform(),
        "cpu": cpu_model(),
        "cores": str(cores()),
        **({} if device == "cpu" else _gpu()),
    }


def machine(environment: dict[str, str], threads: int) -> tuple[tuple[str, str], ...]:
    """What two runs must share for their times to be comparable: everything that the environment says, and threads."""
    said = ((name, value) for name, value in environment.items() if name not in _NOT_OF_THE_MACHINE)
    return (*sorted(said), ("threads", str(threads)))


def library_versions(environment: dict[str, str]) -> dict[str, str]:
    """Of what the environment says, the versions of libraries, BLAS among them, as far as they were recorded."""
    return {k: text for k, text in environment.items() if k not in _NOT_OF_LIBRARIES and text != NOT_RECORDED}


def contradictions(a: dict[str, str], b: dict[str, str], backend: str) -> tuple[str, ...]:
    """Libraries of two environments whose versions differ and can change a number of a run on the same samples.

    What either does not say, contradicts nothing: environments say more now than they did, and what is installed for
    one purpose need not be for another.
    """
    ours, theirs = library_versions(a), library_versions(b)
    differing = [name for name in ours if theirs.get(name, ours[name]) != ours[name]]
    return tuple(sorted({*differing} - _of_data_alone(backend))) if differing else ()
