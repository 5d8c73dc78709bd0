"""The code version changes with every module that can change a number, and with nothing else."""

import re
import shutil
import sys
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest

import normbench
from ci.changelog import FILE, releases
from normbench import backends
from normbench.errors import InvalidArgumentError
from normbench.records import libraries, versions
from normbench.records.imports import Package, used
from tests.anew import imported_anew

BACKENDS = backends.names()
SOURCES = Path(normbench.__file__).parent
RECORDS = SOURCES.parent / "results" / "records.parquet"
# a module of one of these can change a number of every backend, whoever imports it
EVERYWHERE = ("data", "specs", "problems", "backends", "numbers")
# Readers of users' files, which are hashed before a run sees them, and how the network of a user shares a bound.
OF_USERS = ("normbench.data.tables", "normbench.problems.shares")
NOWHERE = ("campaigns", "analysis", "presentation", "papers", "cli")


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A copy of the package's sources whose files a test may change."""
    copy = tmp_path_factory.mktemp("copy") / "normbench"
    shutil.copytree(SOURCES, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture
def version(package, monkeypatch):
    """The version of a backend by the sources as they are in the copy."""
    monkeypatch.setattr(versions, "_PACKAGE", package)
    monkeypatch.setattr(versions, "Package", cache(Package))  # no test adds a file: what there is is listed once
    return versions.code_version.__wrapped__


@pytest.fixture
def before(version):
    return {backend: version(backend) for backend in BACKENDS}


def changed_by(paths, version, before, asked):
    """Those of the asked backends whose runs would be made again after a change of a line in each of the files."""
    texts = {path: path.read_text() for path in paths}
    for path, text in texts.items():
        path.write_text(text + "\n# changed\n")
    try:
        return {backend for backend in asked if version(backend) != before[backend]}
    finally:
        for path, text in texts.items():
            path.write_text(text)


def test_a_changed_line_makes_the_runs_again_that_use_its_module(package, version, before, monkeypatch):
    """Every module of the package: one after another where it counts, all at once where none does.

    A module that counts for several backends is changed before one of them, in turn.
    """
    modules, covered = Package(package).modules, {backend: versions.modules_of(backend) for backend in BACKENDS}
    for backend in BACKENDS:
        others = [path for name, path in modules.items() if name not in covered[backend]]
        assert changed_by(others, version, before, [backend]) == set(), backend
    monkeypatch.setattr(versions, "modules_of", covered.get)  # a remark imports nothing
    found = {name: {backend for backend in BACKENDS if name in covered[backend]} for name in modules}
    for place, (name, path) in enumerate(modules.items()):
        second = (*name.split("."), "")[1]
        asked = sorted(found[name])[place % len(found[name]) :][:1] if found[name] else []
        assert changed_by([path], version, before, asked) == set(asked), name
        if name.startswith(OF_USERS):
            assert not found[name], name
        elif second in EVERYWHERE:
            assert found[name] == set(BACKENDS), name
        if second in NOWHERE:
            assert not found[name], name
        if second in ("torch", "jax"):
            assert found[name] <= {second}, name
    # modules that the declarations name, and no import
    for module, backend in (("torch.updates.peers", "torch"), ("jax.updates.baselines", "jax")):
        assert found[f"normbench.{module}"] == {backend}, module
    assert found["normbench.torch.updates.method1"] == {"torch"}
    assert found["normbench.jax.benchmark.trainer"] == {"jax"}
    assert found["normbench.reference.method1"] == {"reference"}
    # what the certificate, the clock and the predictors use, whatever trained
    for module in (
        "reference.network",
        "running.certificate",
        "running.batches",
        "running.schedule",
        "running.run",
    ):
        assert found[f"normbench.{module}"] == set(BACKENDS), module
    for module in ("problems.predictors", "networks.base", "networks.layers", "networks.families"):
        assert found[f"normbench.{module}"] == set(BACKENDS), module
    for module in (
        "records.store",
        "records.versions",
        "torch.backend",
        "torch.benchmark.gan",
        "torch.benchmark.plain",
        "torch.optimizers.fgsgd",
        "jax.transformations.fgsgd",
    ):
        assert found[f"normbench.{module}"] == set(), module


def test_every_module_that_a_run_loads_is_covered():
    """What is loaded after the first import and a run, against what the imports say."""
    for backend in ("reference", "torch"):
        loaded = loaded_by_a_run(backend)
        declarations = {module for each in backends.DECLARED for module in (each, each.removesuffix(".backend"))}
        assert loaded - set(versions.modules_of(backend)) <= {"normbench", *declarations}
        assert any(name.startswith(f"normbench.{backend}.") and name.endswith(".trainer") for name in loaded)


def loaded_by_a_run(backend):
    with imported_anew() as loaded:
        from normbench.problems import tasks
        from normbench.running.request import Asked
        from normbench.running.run import run

        asked = Asked(
            task="digits",
            layers=(64, 5, 10),
            optimiser="adam",
            backend=backend,
            seed=0,
            iterations=2,
            dtype="float64",
            batch_size=20,
        ).resolved()
        run(asked, tasks.get("digits").dataset().take(np.arange(100)))
        return {name for name in loaded() if name.split(".")[0] == "normbench"}


def test_an_import_within_a_function_counts(package, version):
    path = package / "running" / "certificate.py"
    text = path.read_text()
    path.write_text(text + "\n\ndef late():\n    from normbench.presentation import palette\n\n    return palette\n")
    try:
        before = {backend: version(backend) for backend in BACKENDS}
        assert changed_by([package / "presentation" / "palette.py"], version, before, BACKENDS) == set(BACKENDS)
    finally:
        path.write_text(text)


def test_a_package_in_which_modules_are_found_by_computed_names_counts_as_a_whole():
    found = used('METHODS = implementations("normbench.torch.updates", specs.on("torch"))', "normbench")
    assert found.packages == {"normbench.torch.updates"} <= found.modules
    assert used('METHODS = other("normbench.torch.updates")', "normbench").packages == set()


def test_line_ends_change_nothing(package, version):
    path = package / "problems" / "scaling.py"
    before, text = version("torch"), path.read_bytes()
    path.write_bytes(text.replace(b"\n", b"\r\n"))
    after = version("torch")
    path.write_bytes(text)
    assert after == before


def test_no_tag_and_no_commit_makes_a_record_stale(version, monkeypatch):
    """What git says of the package stands on pages and in exports; what a record says is of its numbers alone."""
    before = version("jax")
    monkeypatch.setattr(normbench, "__version__", "7.8.9.post1.dev3+g1a2b3c4", raising=False)
    assert version("jax") == before
    assert re.fullmatch(rf"{re.escape(versions.NUMBERS_OF)}\+[0-9a-f]{{12}}", before)


def test_the_release_of_the_numbers_is_one_of_the_changelog():
    assert versions.NUMBERS_OF in {release.version for release in releases(FILE.read_text(encoding="utf-8"))}


def test_the_published_runs_are_of_the_release_of_the_numbers():
    """Read from one column of the boards' file; whether their digests are today's, a run of the same command says."""
    table = pytest.importorskip("pyarrow.parquet").read_table(RECORDS, columns=["code_version"])
    assert {text.partition("+")[0] for text in table["code_version"].to_pylist()} == {versions.NUMBERS_OF}


@pytest.mark.parametrize("ask", [versions.code_version, versions.environment, versions.modules_of, versions.libraries])
def test_a_backend_that_nobody_knows_has_no_version(ask):
    with pytest.raises(InvalidArgumentError, match=r"'numpy'.*torch, jax, reference"):
        ask("numpy")


def test_an_import_is_found_in_any_statement_and_in_any_call():
    source = (
        "match a:\n case 1:\n  import b\ntry:\n pass\nexcept* E:\n import c\nelse:\n import d\nfinally:\n import e\n"
        "async def f():\n async with x:\n  for y in z:\n   pass\n  else:\n   while y:\n    from g import h\n"
    )
    found = {"b", "c", "d", "e", "g", "g.h"}
    assert used(source, "p").modules == found
    assert used(f"{source}x = [lambda: __import__('i') for _ in y]", "p").modules == found | {"i"}
    assert used(f"{source}if TYPE_CHECKING:\n class C:\n  import j", "p").running == found


def test_what_brings_a_module_is_found_without_looking_through_every_distribution(monkeypatch):
    package = Package(SOURCES)
    names = {
        name for backend in BACKENDS for module in versions.modules_of(backend) for name in package.used(module).modules
    }
    brought = packages_distributions()
    monkeypatch.setattr(libraries, "_looked_through", None)
    for root in {name.split(".")[0] for name in names} - sys.stdlib_module_names - {package.name}:
        assert libraries.distributions(root) == list(dict.fromkeys(name.replace("_", "-") for name in brought[root])), (
            root
        )


def test_what_brings_a_module_of_another_name_is_found_as_soon_as_it_is_on_the_path(tmp_path, monkeypatch):
    (tmp_path / "module_of_another_name.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert libraries.distributions("module_of_another_name") == []
    info = tmp_path / "installed" / "some_package-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-package\nVersion: 1.0\n")
    (info / "top_level.txt").write_text("module_of_another_name\n")
    monkeypatch.syspath_prepend(tmp_path / "installed")
    assert libraries.distributions("module_of_another_name") == ["some-package"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_the_environment_says_besides_libraries_is_known(backend):
    found = versions.library_versions(versions.environment(backend, "cuda") | {"jobs": "2", "rekeyed": "2026"})
    assert set(found) == {*versions.libraries(backend), "blas"}


def test_the_environment_names_every_library_that_made_the_numbers():
    shared = {"python", "numpy", "scipy", "pandas", "scikit-learn", "blas", "cpu", "cores", "platform"}
    own = {
        "torch": {"torch", "pytorch-optimizer", "geoopt", "pymanopt"},
        "jax": {"jax", "jaxlib", "optax", "optimistix", "lineax"},
        "reference": set(),
    }
    for backend, needed in own.items():
        found = versions.environment(backend)
        assert shared | needed <= found.keys()
        assert not found.keys() & set().union(*own.values()) - needed
        assert all(found.values())
        assert found["numpy"] == np.__version__
    assert set(own) == set(BACKENDS)


def test_the_gpu_and_its_driver_are_named_where_a_run_used_it(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text('#!/bin/sh\n[ "$2" = 1 ] && echo "NVIDIA H100 80GB HBM3, 570.12.01" || echo "none, 0"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    versions._gpu.cache_clear()
    found = versions.environment("torch", "cuda")
    versions._gpu.cache_clear()
    assert (found["gpu"], found["driver"]) == ("NVIDIA H100 80GB HBM3", "570.12.01")
    assert "gpu" not in versions.environment("torch")
