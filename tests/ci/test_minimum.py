"""Claims about ci/minimum.py: the lowest versions that are declared, whole and once each."""

import re
import tomllib

import pytest

from ci.minimum import PROJECT, lowest, main

pytestmark = pytest.mark.quick

SMALL = {
    "name": "small",
    "dependencies": ["numpy>=2.0", "scipy >= 1.15, <2"],
    "optional-dependencies": {"a": ["torch>=2.9"], "b": ["small[a]", "optax>=0.2.6", "numpy>=2.1"], "c": ["click"]},
}


def test_pins_are_the_lower_ends_of_the_ranges_each_package_once() -> None:
    assert lowest(SMALL, []) == ["numpy==2.0", "scipy==1.15"]
    assert lowest(SMALL, ["b"]) == ["numpy==2.1", "scipy==1.15", "torch==2.9", "optax==0.2.6"]


def test_requirement_without_a_lowest_version_is_refused() -> None:
    with pytest.raises(ValueError, match="'click' declares no lowest version"):
        lowest(SMALL, ["c"])


def test_unknown_extra_lists_the_choices() -> None:
    with pytest.raises(ValueError, match="unknown extra 'd'; choose from a, b, c"):
        lowest(SMALL, ["d"])


def test_every_requirement_of_the_project_declares_its_lowest_version() -> None:
    project = tomllib.loads(PROJECT.read_text("utf-8"))["project"]
    pins = lowest(project, project["optional-dependencies"])
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)
    assert len(pins) == len({pin.partition("==")[0].lower() for pin in pins}) > 25


def test_a_pin_may_be_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["torch", "--instead", "torch==2.13.0"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert "torch==2.13.0" in printed
    assert len([pin for pin in printed if pin.startswith("torch")]) == 1
