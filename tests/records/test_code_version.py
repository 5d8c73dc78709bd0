"""The code version changes with what changes numbers, and with nothing else."""

import shutil
from pathlib import Path

import pytest

import normbench
from normbench.records import versions


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package's sources whose files a test may change."""
    copy = tmp_path / "normbench"
    shutil.copytree(Path(normbench.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(versions, "_PACKAGE", copy)
    return copy


def version(backend):
    return versions.code_version.__wrapped__(backend)


@pytest.mark.parametrize("changed", ["torch/method1.py", "specs/fromage.py", "normalisation.py", "data/splits.py"])
def test_a_change_to_what_computes_torch_numbers_changes_torchs_version(package, changed):
    before = version("torch")
    path = package / changed
    path.write_text(path.read_text() + "\n# changed\n")
    assert version("torch") != before


@pytest.mark.parametrize("changed", ["jax/method1.py", "reference/method1.py", "cli/run.py", "report/tables.py"])
def test_a_change_elsewhere_leaves_torchs_version(package, changed):
    before = version("torch")
    path = package / changed
    path.write_text(path.read_text() + "\n# changed\n")
    assert version("torch") == before


def test_the_version_begins_with_the_packages():
    assert versions.code_version("jax").startswith(f"{normbench.__version__}+")


def test_the_environment_names_the_backends_libraries():
    assert {"python", "numpy", "torch", "cpu", "platform"} <= versions.environment("torch").keys()
    assert "torch" not in versions.environment("jax")
