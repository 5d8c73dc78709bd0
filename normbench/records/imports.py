"""Which modules of the package a module uses: imports read from the source, at any depth, without running anything."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.util import resolve_name
from pathlib import Path
from typing import NamedTuple

_BY_NAME = ("import_module", "__import__")
_WHOLE = ("implementations",)  # see normbench.backends.method: modules are found in the package by computed names
_OPENED = ("distribution",)
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")  # the fields of a node in which statements lie


class Used(NamedTuple):
    """What a module uses.

    Attributes
    ----------
    modules : frozenset of str
        Dotted names that it imports, at any depth; for ``from a import b`` both a and a.b.
    running : frozenset of str
        Those of them that it imports when it runs, and not for type checkers alone.
    packages : frozenset of str
        Packages any of whose modules it may import, because the names are computed.
    distributions : frozenset of str
        What it opens by name: ``metadata.distribution("scikit-learn")``.
    """

    modules: frozenset[str]
    running: frozenset[str]
    packages: frozenset[str]
    distributions: frozenset[str]


@lru_cache(maxsize=1024)
def used(source: str, package: str) -> Used:
    """What a module of ``package`` with this source uses."""
    tree = ast.parse(source)
    # nine nodes in ten lie within expressions, where only a call by one of these names imports
    walk = ast.walk if any(name in source for name in (*_BY_NAME, *_WHOLE, *_OPENED)) else _statements
    every = list(walk(tree))
    typing_only = {id(node) for block in every if _is_for_types(block) for node in walk(block)}
    modules: set[str] = set()
    running: set[str] = set()
    packages: set[str] = set()
    distributions: set[str] = set()
    for node in every:
        found = _imported(node, package)
        modules |= found
        running |= set() if id(node) in typing_only else found
        if isinstance(node, ast.Call) and _called(node) in _WHOLE:
            packages |= _texts(node)
        if isinstance(node, ast.Call) and _called(node) in _OPENED:
            distributions |= _texts(node)
    return Used(frozenset(modules | packages), frozenset(running), frozenset(packages), frozenset(distributions))


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """The tree and every statement in it, with the handlers and cases that hold some."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for block in _BLOCKS:
            waiting += getattr(node, block, ())


def _is_for_types(node: ast.AST) -> bool:
    """``if TYPE_CHECKING:``"""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _imported(node: ast.AST, package: str) -> set[str]:
    """Dotted names that a statement or call imports."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        base = resolve_name("." * node.level + (node.module or ""), package)
        return {base} | {f"{base}.{alias.name}" for alias in node.names}
    return _texts(node) if isinstance(node, ast.Call) and _called(node) in _BY_NAME else set()


def _called(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def _texts(call: ast.Call) -> set[str]:
    return {arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)}


@dataclass(frozen=True)
class Package:
    """The modules of a package by their dotted names.

    Attributes
    ----------
    folder : Path
        Its name is that of the package.
    """

    folder: Path

    @property
    def name(self) -> str:
        """What its modules' names begin with."""
        return self.folder.name

    @cached_property
    def modules(self) -> dict[str, Path]:
        """Every module and its file."""
        return {
            ".".join((self.name, *path.relative_to(self.folder).with_suffix("").parts)).removesuffix(".__init__"): path
            for path in sorted(self.folder.rglob("*.py"))
        }

    def used(self, module: str) -> Used:
        """What one of the modules uses."""
        path = self.modules[module]
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        return used(path.read_text(encoding="utf-8"), package)

    def closure(self, roots: Iterable[str]) -> set[str]:
        """The modules that these use when they run, directly or through others, with the packages in which they lie."""
        found: set[str] = set()
        waiting = list(roots)
        while waiting:
            module = waiting.pop()
            if module in found or module not in self.modules or module == self.name:
                continue  # the package itself lends names of its modules and computes nothing
            found.add(module)
            names = self.used(module).running | self._inside(self.used(module).packages)
            waiting += [module.rpartition(".")[0], *names]
        return found

    def _inside(self, packages: Iterable[str]) -> set[str]:
        """Every module of some packages."""
        return {name for package in packages for name in self.modules if name.startswith(f"{package}.")}
