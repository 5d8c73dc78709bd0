"""Which installed packages bring a module, and their versions."""

import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec

_NAMED_OTHERWISE = {"sklearn": "scikit-learn", "PIL": "pillow"}


def distributions(module: str) -> list[str]:
    """What brings a module: mostly the distribution of its name; to look through all of them takes a second."""
    if find_spec(module) is None:
        return []
    name = _NAMED_OTHERWISE.get(module, module.replace("_", "-"))
    return [name] if installed(name) else _looked_through(tuple(sys.path)).get(module, [])


@cache
def _looked_through(path: tuple[str, ...]) -> Mapping[str, list[str]]:
    """What every module is brought by; the same for every record of a user's own module, until the path changes."""
    return packages_distributions()


@cache
def installed(library: str) -> str:
    """The version of a distribution, or "" where it is not installed."""
    try:
        return version(library)
    except PackageNotFoundError:
        return ""
