"""A folder of results, and jobs in this process for commands whose claim is not about their workers."""

import pytest

from tests.cli.calls import RUN, call
from tests.this_process import in_this_process, without_workers  # noqa: F401


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """A results folder with a blank in its name."""
    out = tmp_path_factory.mktemp("made here") / "my results; echo $HOME"
    with pytest.MonkeyPatch.context() as patch:
        without_workers(patch)
        result = call(*RUN, "--out", out)
    assert result.exit_code == 0, result.output
    return out
