"""What the sources say of an optimiser, read without importing them: docstrings, references, calls of libraries."""

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

_DECLARED_NAME = re.compile(r"\b(?:torch\.optim|optax|optimistix|pytorch_optimizer|geoopt|pymanopt)(?:\.\w+)+")
_SECTION = re.compile(r"^(\w+)\n-+$", re.MULTILINE)

Definition = ast.ClassDef | ast.FunctionDef


@dataclass(frozen=True)
class Documented:
    """A public class or function.

    Attributes
    ----------
    name : str
    summary : str
        First line of its docstring.
    display : str
        The equations that stand under it; empty if the next paragraph has none.
    example : str
        Its section Examples.
    """

    name: str
    summary: str
    display: str
    example: str


def torch_class(path: Path, key: str) -> Documented | None:
    """The class of a module whose attribute ``key`` is that of the optimiser; None where there is none."""
    return _first(path, lambda node: isinstance(node, ast.ClassDef) and _key(node) == key)


def function(path: Path, name: str) -> Documented | None:
    """The function of that name in a module, or None."""
    return _first(path, lambda node: isinstance(node, ast.FunctionDef) and node.name == name)


def _first(path: Path, wanted: Callable[[ast.stmt], bool]) -> Documented | None:
    return next((documented(node) for node in _module(path).body if _is_definition(node) and wanted(node)), None)


def _module(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8") if path.exists() else "")


def _is_definition(node: ast.stmt) -> bool:
    return isinstance(node, ast.ClassDef | ast.FunctionDef)


def _key(node: ast.ClassDef) -> object:
    """The constant that a class assigns to ``key``."""
    for line in node.body:
        if isinstance(line, ast.Assign) and [ast.unparse(target) for target in line.targets] == ["key"]:
            return ast.literal_eval(line.value)
    return None


def documented(node: ast.stmt) -> Documented:
    """Summary, equations and example of a definition's docstring, which is numpydoc's."""
    assert isinstance(node, ast.ClassDef | ast.FunctionDef)
    said = inspect.cleandoc(ast.get_docstring(node) or "")
    head, *parts = _SECTION.split(said)
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    paragraphs = [*re.split(r"\n\s*\n", head.strip()), ""]
    display = paragraphs[1] if re.search(r"<-| [=<]=? ", paragraphs[1]) else ""
    return Documented(node.name, " ".join(paragraphs[0].split()), display, sections.get("Examples", "").strip())


def source(path: Path, name: str) -> str:
    """The lines of a module that define a name; empty where it does not."""
    lines = path.read_text(encoding="utf-8") if path.exists() else ""
    for node in ast.parse(lines).body:
        assigned = isinstance(node, ast.Assign) and name in [ast.unparse(target) for target in node.targets]
        if assigned or (isinstance(node, ast.FunctionDef) and node.name == name):
            return ast.get_source_segment(lines, node) or ""
    return ""


def library_names(declared: str) -> list[str]:
    """``torch.optim.Adam``, ``optax.adam``: the names of libraries in the text of a declaration."""
    return list(dict.fromkeys(_DECLARED_NAME.findall(declared)))


def library_call(path: Path, name: str) -> str:
    """The call of a library's class or function in a module, as it stands there; empty where there is none.

    ``partial(name, ...)`` is a call with what follows; a name that is handed on alone gets the learning rate.
    """
    found = ""
    for node in ast.walk(_module(path)):
        if not isinstance(node, ast.Call):
            continue
        if _dotted(node.func) == name:
            return _written(name, node.args, node.keywords)
        if node.args and _dotted(node.args[0]) == name:
            is_partial = _dotted(node.func) == "partial"
            found = _written(name, node.args[1:], node.keywords) if is_partial else f"{name}(learning_rate)"
    return found


def _dotted(node: ast.expr) -> str:
    """``torch.optim.Adam`` of an expression, also where the module is imported in it; empty for anything else."""
    return ".".join(reversed(list(_parts(node))))


def _parts(node: ast.expr) -> Iterator[str]:
    while isinstance(node, ast.Attribute):
        yield node.attr
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Call) and ast.unparse(node.func) == "import_module":
        yield ast.literal_eval(node.args[0])


def _written(name: str, args: list[ast.expr], keywords: list[ast.keyword]) -> str:
    given = ", ".join([*map(ast.unparse, args), *map(ast.unparse, keywords)])
    return f"{name}({re.sub(r'self[.]_?', '', given)})"  # an attribute is a variable to a reader
