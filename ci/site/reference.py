"""The pages of the API: a page a module, its names those that the module itself declares public."""

import inspect
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import Any

FOLDER = "docs/reference"
# where users import from, in the order of the list of pages; what each offers, it says itself
MODULES = (
    "normbench",
    "normbench.torch",
    "normbench.jax",
    "normbench.estimators",
    "normbench.networks",
    "normbench.certificates",
    "normbench.errors",
)


def public_names(module: ModuleType) -> list[str]:
    """``__all__`` where there is one, else every name without an underscore that the package defines or lends."""
    declared = getattr(module, "__all__", None)
    if declared is not None:
        return [name for name in declared if name != "__version__"]  # the title of every page has it
    return [name for name, value in vars(module).items() if not name.startswith("_") and _ours(value)]


def _ours(value: Any) -> bool:
    return not inspect.ismodule(value) and str(getattr(value, "__module__", "")).startswith("normbench")


def pages() -> dict[str, str]:
    """Path in the repository and Markdown text of every page of the API; each object is described on one of them."""
    return {f"{FOLDER}/index.md": _overview(), **{f"{FOLDER}/{name}.md": _page(name) for name in MODULES}}


def _overview() -> str:
    """The modules, each with the first line of its docstring."""
    about = {name: inspect.getdoc(import_module(name)) or "" for name in MODULES}
    rows = [
        f"| [{name}]({name}.md) | {text.splitlines()[0].removeprefix('normbench: ')} |" for name, text in about.items()
    ]
    tree = ["```{toctree}", ":hidden:", "", *MODULES, "```", ""]
    return "\n".join(["# Python API", "", "| from | |", "| --- | --- |", *rows, "", *tree])


def home(module: str, name: str) -> str:
    """The module of ours on whose page an object is described: of those that offer it, the nearest to its source."""
    value = getattr(import_module(module), name)
    source = getattr(value, "__module__", module)
    offering = [other for other in MODULES if getattr(import_module(other), name, None) is value]
    return max(offering, key=lambda other: len(other) if f"{source}.".startswith(f"{other}.") else 0)


def _page(name: str) -> str:
    module = import_module(name)
    homes = {public: home(name, public) for public in public_names(module)}
    lines = [f".. automodule:: {name}", "", f".. currentmodule:: {name}", ""]
    lines += [_line(module, public, where) for public, where in homes.items()]
    for public in (public for public, where in homes.items() if where == name):
        lines += ["", *_directive(name, public, getattr(module, public))]
    return "\n".join([f"# {name}", "", "```{eval-rst}", *lines, "```", ""])


def _line(module: ModuleType, name: str, where: str) -> str:
    about = (inspect.getdoc(getattr(module, name)) or "").partition("\n\n")[0]
    return f"* :py:obj:`~{where}.{name}`: {' '.join(about.split())}"


def _directive(module: str, name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        yield f".. autoclass:: {module}::{name}"
        for member, kind in members(value).items():
            yield from ("", f"   .. auto{kind}:: {module}::{name}.{member}")
    elif callable(value):
        yield f".. autofunction:: {module}::{name}"
    else:
        yield f".. autodata:: {module}::{name}"
        yield "   :no-value:"


def members(found: type) -> dict[str, str]:
    """Documented public methods and properties of a class and what each is; of its bases those that are ours."""
    kinds: dict[str, str] = {}
    for base in found.__mro__:
        if base.__module__.startswith("normbench"):
            for name, value in vars(base).items():
                kind = "property" if isinstance(value, property | cached_property) else "method"
                about = getattr(value, "__func__", value)  # of a class method or a static one
                if not name.startswith("_") and (inspect.isfunction(about) or kind == "property") and about.__doc__:
                    kinds.setdefault(name, kind)
    return kinds
