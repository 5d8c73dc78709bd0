"""The example package as its sources lie here, and a call of the command line whose jobs are done in this process."""

from pathlib import Path

import pytest

from normbench.specs import plug_ins
from tests.records.conftest import dataset, record  # noqa: F401
from tests.this_process import in_this_process  # noqa: F401

EXAMPLE = Path(__file__).parent / "normbench_example"


@pytest.fixture(autouse=True)
def _nothing_is_known():
    """What one test has adopted is unknown to the next."""
    before = dict(plug_ins._known)
    plug_ins._known.clear()
    yield
    plug_ins._known.clear()
    plug_ins._known.update(before)


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
