"""What backends say of themselves, and that a new one is its folder and one entry."""

import dataclasses
import json
import os
import re
import shutil
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner

from normbench import backends
from normbench.campaigns.plan import sweep
from normbench.errors import BackendUnavailableError, InvalidArgumentError
from normbench.presentation.page.assets import vega
from normbench.presentation.palette import _MARKS, backend_keys
from normbench.problems import tasks
from normbench.running.request import DEVICES, DTYPES, Asked
from normbench.running.validation import Scope, validate
from tests.anew import imported_anew

SOURCES = Path(backends.__file__).parents[1]


def test_backends_are_found_without_importing_them():
    assert backends.available() == {"torch": "", "jax": "", "reference": ""}


def test_an_unknown_backend_is_refused_with_the_names_of_those_that_are():
    with pytest.raises(InvalidArgumentError, match=r"no backend 'numpy'.*torch, jax, reference"):
        backends.get("numpy")


def test_a_backend_without_its_libraries_is_refused_with_the_remedy(monkeypatch):
    module = import_module("normbench.jax.backend")
    needy = dataclasses.replace(module.BACKEND, libraries=("jax", "a_library_that_nobody_has"))
    monkeypatch.setattr(module, "BACKEND", needy)
    with pytest.raises(BackendUnavailableError, match=r'nobody_has not .* pip install "\.\[jax\]"'):
        backends.usable("jax")


def test_there_is_one_oracle_and_the_others_are_judged_by_it():
    assert backends.oracle().name == "reference"
    assert {backend.name for backend in backends.usual()} == {"torch", "jax"}


@pytest.mark.parametrize("backend", backends.every(), ids=lambda backend: backend.name)
def test_a_declaration_is_true(backend):
    assert all(callable(found.load()) for found in (backend.trainer, backend.plain, backend.players) if found)
    assert set(backend.dtypes) <= set(DTYPES)
    assert set(backend.devices) <= set(DEVICES)
    assert backend.threads() >= 1
    assert {backend.dtype_for(dtype) for dtype in DTYPES} == set(backend.dtypes)


@pytest.mark.skipif(os.environ["MKL_NUM_THREADS"] != "1", reason="the user's own variable says how many threads")
def test_what_a_record_says_about_threads_is_what_torch_says():
    """It was loaded after conftest.py had limited it as a worker is; of NumPy test_machine.py has this."""
    torch = pytest.importorskip("torch")
    threads = backends.get("torch").threads
    assert threads() == 1
    try:
        torch.set_num_threads(2)
        assert threads() == 2
    finally:
        torch.set_num_threads(1)


def test_no_two_backends_look_alike():
    assert len({backend.dash for backend in backends.every()}) == len(backends.every())
    assert len({backend.shape for backend in backends.every()}) == len(backends.every())


NAMED = re.compile("[\"'](torch|jax|reference)[\"']")
# file outside the folders of the backends: why it may name one
EXCUSED = {
    "specs/peers.py": "which libraries have a peer",
    "specs/plug_in.py": "which library a class or function of another package is of",
    "api.py": "an example of a call",
    "calls.py": "an example of a call",
    "papers/neural_lander/experiments.py": "the authors' network is written in PyTorch, once",
    "estimators/base.py": "to_torch makes a module of that library",
    "estimators/regressor.py": "an example that gives the same figures everywhere",
    "papers/fromage/gan.py": "a column of images that no generator made",
    "papers/fromage/gan_figure.py": "the same column",
}


def naming(sources):
    """Files outside the folders of the backends that name one of them."""
    files = (path.relative_to(sources) for path in sources.rglob("*.py"))
    return {str(f) for f in files if f.parts[0] not in backends.names() and NAMED.search((sources / f).read_text())}


def test_nobody_else_names_a_backend(tmp_path):
    assert naming(SOURCES) <= EXCUSED.keys()
    (tmp_path / "planted.py").write_text('if backend == "jax":\n    pass\n')
    assert naming(tmp_path) == {"planted.py"}


PLANTED = """
from dataclasses import replace

from normbench.reference.backend import BACKEND as REFERENCE

BACKEND = replace(REFERENCE, name="planted", title="Planted", oracle=False, slowness=0.5, dash=(4, 1), shape="square")
"""
CALL = "run --task digits --layers 64,4,10 --iterations 2 --seeds 1 --jobs 1 --format json"
WHAT = "--backend planted --backend reference --optimiser agd --optimiser method2_exp"


def test_a_backend_is_its_folder_and_one_entry(tmp_path, monkeypatch):
    """A copy of the package with both: listed, trained and drawn."""
    package = tmp_path / "normbench"
    shutil.copytree(SOURCES, package)  # with what Python has compiled of it
    (package / "planted").mkdir()
    (package / "planted" / "backend.py").write_text(PLANTED)
    registry, entry = package / "backends" / "__init__.py", '"normbench.reference.backend"'
    registry.write_text(registry.read_text().replace(entry, f'{entry}, "normbench.planted.backend"'))
    printed, out = "", str(tmp_path / "out")
    with imported_anew(tmp_path):
        from tests.this_process import without_workers

        without_workers(monkeypatch)
        from normbench.cli import main
        from normbench.presentation.page import assets

        assets.vega = vega  # of no backend, and made once

        for call in (
            ["list", "backends", "--format", "json"],
            [*CALL.split(), *WHAT.split(), "--out", out],
            ["report", "--out", out],
        ):
            printed += CliRunner().invoke(main, call, catch_exceptions=False).stdout
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert [line["backend"] for line in lines[:4]] == ["torch", "jax", "reference", "planted"]
    assert {(line["backend"], line["status"], line["dtype"]) for line in lines[4:]} == {
        ("planted", "done", "float64"),
        ("reference", "done", "float64"),
    }
    assert lines[4]["train_rms"] == lines[5]["train_rms"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert backend_keys({"reference": backends.get("reference")})["reference"]["mark"] in page
    assert _MARKS["square"] in page


@pytest.fixture
def planted(monkeypatch):
    """The reference under another name, twice as fast as the fastest."""
    module = ModuleType("planted_backend")
    exec(PLANTED, module.__dict__)
    monkeypatch.setitem(sys.modules, "planted_backend", module)
    monkeypatch.setattr(backends, "DECLARED", (*backends.DECLARED, "planted_backend"))


@pytest.mark.usefixtures("planted")
def test_a_new_backend_is_searched_on_and_judged_like_the_others():
    asked = Asked(task="digits", layers=(64, 4, 10), optimiser="", backend="", seed=0)
    plan = sweep(asked, optimisers=["sgd"], backends=["jax", "planted"], seeds=[0])
    assert plan.searches[0].trial.backend == "planted"
    few = tasks.get("digits").dataset().take(np.arange(50))
    (found,) = validate(
        tasks.get("digits"), few, optimisers=["agd"], backends=["planted"], scope=Scope(iterations=2, hidden=(4,))
    )
    assert (found.backend, found.path, found.dtype, found.passed) == ("planted", "fast", "float64", True)
