"""Claims about the registry of sources."""

from pathlib import Path

import pytest

from normbench import data
from normbench.errors import DataError, InvalidArgumentError

FLIGHTS = ["quadrotor-sim", "quadrotor", "neural-fly"]
OTHERS = [name for name, source in data.SOURCES.items() if source.info.classes]
FETCHED = [name for name, source in data.SOURCES.items() if source.info.files]


def test_registry_holds_the_sources_under_their_own_names() -> None:
    assert {*FLIGHTS, "digits", "mnist", "imagenet"} <= data.SOURCES.keys()
    assert all(source.info.name == name for name, source in data.SOURCES.items())


@pytest.mark.parametrize("call", [data.load, data.fetch, data.verify, data.info])
def test_unknown_name_lists_the_choices(call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidArgumentError, match=r"unknown data set 'quadrotro'; choose from quadrotor-sim, "):
        call("quadrotro")


@pytest.mark.parametrize("name", FLIGHTS)
def test_description_says_whether_the_data_are_simulated(name: str) -> None:
    info = data.info(name)
    assert info.simulated == name.endswith("-sim")
    assert info.description.startswith("Simulated, calibrated" if info.simulated else "Measured")
    assert info.url.startswith("https://github.com/")
    assert info.samples > 15_000
    groups = ("grouped",) if name == "neural-fly" else ()  # the others are one flight
    assert (info.classes, info.test_samples, info.splits) == (0, 0, ("random", "blocked", *groups))


@pytest.mark.parametrize("name", OTHERS)
def test_description_of_classes_says_how_many_and_how_they_are_split(name: str) -> None:
    info = data.info(name)
    assert not info.simulated
    assert info.classes >= 2
    assert "random" in info.splits
    assert ("official" in info.splits) == (info.test_samples > 0)
    assert "blocked" not in info.splits


@pytest.mark.parametrize("name", list(data.SOURCES))
def test_description_has_terms_and_citation(name: str) -> None:
    info = data.info(name)
    assert info.terms
    assert info.citation
    assert not (info.present and info.files)  # in a cache that is empty
    assert info.present or name != "digits"


@pytest.mark.parametrize("name", OTHERS)
def test_published_files_are_fetched_over_https_with_sha256(name: str) -> None:
    for file in data.info(name).files:
        assert file.url.startswith("https://")
        assert file.url.endswith(f"/{file.name}")
        assert (file.algorithm, len(file.digest)) == ("sha256", 64)


@pytest.mark.parametrize("name", ["quadrotor", "neural-fly", "fashion-mnist"])
def test_published_files_are_pinned_to_a_commit(name: str) -> None:
    for file in data.info(name).files:
        owner_repository_commit = file.url.removeprefix("https://raw.githubusercontent.com/").split("/")
        assert len(owner_repository_commit[2]) == 40
        assert file.url.endswith(f"/{file.name}")


@pytest.mark.parametrize("name", FETCHED)
def test_path_may_be_a_string(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lacks"):
        data.load(name, data_dir=str(tmp_path))
