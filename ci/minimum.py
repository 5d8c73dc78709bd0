"""The lowest versions that pyproject.toml declares, as pins for pip: ``numpy>=2.0`` becomes ``numpy==2.0``."""

import argparse
import re
import sys
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[(?P<extras>[^\]]*)\])?\s*(?P<range>.*)")


def lowest(project: dict, extras: Iterable[str]) -> list[str]:
    """Pins of the project's own requirements and of some extras, each package once.

    Parameters
    ----------
    project : dict
        The table ``project`` of a pyproject.toml.
    extras : iterable of str

    Returns
    -------
    list of str
        ``name==version``, in the order of the file.

    Raises
    ------
    ValueError
        If an extra is unknown, or a requirement has no lowest version.
    """
    optional = project.get("optional-dependencies", {})
    pins: dict[str, str] = {}
    for requirement in [*project["dependencies"], *_of_extras(optional, extras, project["name"])]:
        name, version = _lowest_of(requirement)
        pins[name.lower()] = f"{name}=={version}"
    return list(pins.values())


def _of_extras(optional: dict[str, list[str]], extras: Iterable[str], own: str) -> list[str]:
    found = []
    for extra in extras:
        if extra not in optional:
            raise ValueError(f"unknown extra {extra!r}; choose from {', '.join(optional)}.")
        for requirement in optional[extra]:
            match = _REQUIREMENT.fullmatch(requirement)
            if match and match["name"] == own and match["extras"]:
                found += _of_extras(optional, [inner.strip() for inner in match["extras"].split(",")], own)
            else:
                found.append(requirement)
    return found


def _lowest_of(requirement: str) -> tuple[str, str]:
    match = _REQUIREMENT.fullmatch(requirement)
    version = re.search(r">=\s*([\w.]+)", match["range"]) if match else None
    if match is None or version is None:
        raise ValueError(f"{requirement!r} declares no lowest version; write name>=version.")
    return match["name"], version[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the pins, one a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("extras", nargs="*", help="extras of pyproject.toml, as torch jax report")
    parser.add_argument(
        "--instead", action="append", default=[], metavar="NAME==VERSION", help="a pin to use for that package"
    )
    options = parser.parse_args(arguments)
    others = {pin.partition("==")[0].lower(): pin for pin in options.instead}
    for pin in lowest(tomllib.loads(PROJECT.read_text("utf-8"))["project"], options.extras):
        print(others.get(pin.partition("==")[0].lower(), pin))
    return 0


if __name__ == "__main__":
    sys.exit(main())
