"""The example package as its sources lie here, and a call of the command line whose jobs are done in this process."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from normbench.problems import plug_ins as tasks_of_others
from normbench.specs import plug_ins
from tests.records.conftest import dataset, record  # noqa: F401
from tests.this_process import in_this_process  # noqa: F401

EXAMPLE = Path(__file__).parent / "normbench_example"


@pytest.fixture(autouse=True)
def _nothing_is_known():
    """What one test has adopted or imported is unknown to the next, which may have the package from elsewhere."""
    before = dict(plug_ins._known)
    plug_ins._known.clear()
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == EXAMPLE.name]:
        del sys.modules[name]
    plug_ins._known.clear()
    plug_ins._known.update(before)


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """A folder into which pip has installed the package."""
    folder = tmp_path_factory.mktemp("installed")
    sources = folder / "sources"
    shutil.copytree(EXAMPLE, sources, ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    made = subprocess.run(
        [*pip, "--disable-pip-version-check", "--target", str(folder / "site"), str(sources)],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    return folder / "site"


@pytest.fixture
def on_path(monkeypatch):
    """Puts a folder with installed packages on the path of this process, whose entry points are looked for anew."""
    caches = plug_ins.offered, tasks_of_others.declared, tasks_of_others.dataset

    def put(folder):
        monkeypatch.syspath_prepend(folder)
        for cache in caches:
            cache.cache_clear()

    yield put
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def example(monkeypatch):
    """The package can be imported, and is not installed."""
    monkeypatch.syspath_prepend(EXAMPLE)
    return EXAMPLE


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a loose module whose name no other test has."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)

    def write(name, source):
        (folder / f"{name}.py").write_text(source)
        return folder / f"{name}.py"

    return write
