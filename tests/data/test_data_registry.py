"""Claims about the registry of sources."""

from pathlib import Path

import pytest

from normbench import data
from normbench.errors import DataError, InvalidArgumentError


def test_registry_holds_the_three_sources_under_their_own_names() -> None:
    assert list(data.SOURCES) == ["quadrotor-sim", "quadrotor", "neural-fly"]
    assert all(source.info.name == name for name, source in data.SOURCES.items())


@pytest.mark.parametrize("call", [data.load, data.fetch, data.verify, data.info])
def test_unknown_name_lists_the_choices(call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidArgumentError, match=r"unknown data set 'quadrotro'; choose from quadrotor-sim, "):
        call("quadrotro")


@pytest.mark.parametrize("name", list(data.SOURCES))
def test_description_says_whether_the_data_are_simulated(name: str) -> None:
    info = data.info(name)
    assert info.simulated == name.endswith("-sim")
    assert info.description.startswith("Simulated, calibrated" if info.simulated else "Measured")
    assert info.terms
    assert info.citation
    assert info.url.startswith("https://github.com/")
    assert info.samples > 15_000
    assert not info.present


@pytest.mark.parametrize("name", ["quadrotor", "neural-fly"])
def test_published_files_are_pinned_to_a_commit(name: str) -> None:
    for file in data.info(name).files:
        owner_repository_commit = file.url.removeprefix("https://raw.githubusercontent.com/").split("/")
        assert len(owner_repository_commit[2]) == 40
        assert file.url.endswith(f"/{file.name}")


@pytest.mark.parametrize("name", ["quadrotor", "neural-fly"])
def test_path_may_be_a_string(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lacks"):
        data.load(name, data_dir=str(tmp_path))
