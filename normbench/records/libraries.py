"""Which installed packages bring a module, and their versions."""

from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec

_NAMED_OTHERWISE = {"sklearn": "scikit-learn", "PIL": "pillow"}


def distributions(module: str) -> list[str]:
    """What brings a module: mostly the distribution of its name; to look through all of them takes a second."""
    if find_spec(module) is None:
        return []
    name = _NAMED_OTHERWISE.get(module, module.replace("_", "-"))
    return [name] if installed(name) else packages_distributions().get(module, [])


@cache
def installed(library: str) -> str:
    """The version of a distribution, or "" where it is not installed."""
    try:
        return version(library)
    except PackageNotFoundError:
        return ""
