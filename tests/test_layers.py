"""Imports point one way: every arrow between the layers of the package is read from the source and checked.

What is loaded when is in tests/cli/test_start.py.
"""

from pathlib import Path

import pytest

import normbench
from normbench.records.imports import Package, used

# a module imports its own layer and layers of lower rank; layers of equal rank do not know each other
RANKS = {
    "": 0,  # the package itself: its version, and a name that it lends
    "errors": 1,
    "machine": 1,
    "numbers": 2,
    "paths": 2,
    "arguments": 3,
    "writing": 2,
    "data": 3,
    "networks": 3,
    "certificates": 4,
    "specs": 5,
    "exports": 5,
    "problems": 6,
    "backends": 7,
    "reference": 8,
    "torch": 8,
    "jax": 8,
    "running": 9,
    "records": 10,
    "campaigns": 11,
    "analysis": 12,
    "presentation": 13,
    "papers": 13,
    "estimators": 14,
    "cli": 15,
    "calls": 16,
    "api": 17,
    "__main__": 18,
}
NEIGHBOURS = {"papers", "presentation"}  # a paper draws its pictures in the common style; the page shows them
ALLOWED = {
    "": {"api", "certificates", "estimators", "records"},  # what the package lends, imported when it is asked for
}
OWNERS = {"torch": "torch", "jax": "jax", "jaxlib": "jax", "optax": "jax"}  # library: the only layer that imports it

PACKAGE = Path(normbench.__file__).parent
MODULES = Package(PACKAGE).modules


def layer(module: str) -> str:
    """Second part of ``normbench.layer.module``; names that the package itself defines belong to the package."""
    second = module.split(".")[1] if "." in module else ""
    return second if second in RANKS or f"normbench.{second}" in MODULES else ""


def breaches(module: str, source: str, *, is_package: bool = False) -> list[str]:
    """Every wrong arrow of one module."""
    importer = layer(module)
    if importer not in RANKS:
        return [f"{module}: layer {importer!r} has no rank"]
    wrong = []
    for name in sorted(used(source, module if is_package else module.rpartition(".")[0]).modules):
        root = name.split(".")[0]
        if root == "normbench":
            target = layer(name)
            allowed = ALLOWED.get(importer, {other for other in RANKS if RANKS[other] < RANKS[importer]})
            fine = target in {importer, ""} or target in allowed or {importer, target} <= NEIGHBOURS
        else:
            fine = OWNERS.get(root, importer) == importer
        if not fine:
            wrong.append(f"{module} imports {name}")
    return wrong


@pytest.mark.quick
def test_imports_point_towards_lower_layers():
    wrong = (breaches(name, path.read_text(), is_package=path.name == "__init__.py") for name, path in MODULES.items())
    assert [breach for module in wrong for breach in module] == []


@pytest.mark.quick
def test_every_layer_of_the_picture_exists():
    assert {layer(module) for module in MODULES} == set(RANKS)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("normbench.errors", "import normbench.data"),
        ("normbench.data.files", "from normbench.problems import tasks"),
        ("normbench.data.files", "from ..specs import base"),
        ("normbench.specs.agd", "from normbench.problems.tasks import get"),
        ("normbench.certificates.certify", "from normbench.specs import get"),
        ("normbench.problems.scaling", "from normbench.backends.trajectory import Trainer"),
        ("normbench.reference.agd", "from ..torch.agd import agd"),
        ("normbench.torch.updates.agd", "def f():\n    from normbench.reference import agd"),
        ("normbench.jax.updates.agd", "import normbench.torch.updates.agd as other"),
        ("normbench.running.run", "class C:\n    def f(self):\n        import torch"),
        ("normbench.running.run", "from normbench import records"),
        ("normbench.presentation.tables", "from jax import numpy"),
        ("normbench.records.store", "import optax"),
        ("normbench.torch.updates.agd", "import jax.numpy as jnp"),
        ("normbench.records.store", "import importlib\nimportlib.import_module('normbench.cli.run')"),
        ("normbench.records.store", "if TYPE_CHECKING:\n    from normbench.presentation import tables"),
        ("normbench.novelty", "import math"),
    ],
)
def test_a_planted_wrong_arrow_is_caught(module, source, monkeypatch):
    monkeypatch.setitem(MODULES, module, PACKAGE)  # the novelty is a module that nobody ranked
    assert len(set(breaches(module, source))) >= 1


@pytest.mark.quick
@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("normbench.problems.tasks", "from normbench.specs.base import Normalisation"),
        ("normbench.certificates.plain", "from normbench.networks.activations import Relu"),
        ("normbench.torch.updates.agd", "import torch\nfrom normbench.torch.updates.spheres import radii"),
        ("normbench.running.run", "def f():\n    from normbench.torch.benchmark.trainer import TorchTrainer"),
        ("normbench.records.versions", "from normbench import __version__"),
    ],
)
def test_a_right_arrow_passes(module, source):
    assert breaches(module, source) == []
