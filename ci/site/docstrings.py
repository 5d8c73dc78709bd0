"""How our docstrings are read: layout made by hand, properties, and objects that have no entry of their own.

A reference to an object of ours that is described under another name leads there; one that is described nowhere leads
to its source, or stays words. One that names nothing is left: the build then fails on it.
"""

import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from inspect import getdoc, getmodule, ismodule
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.napoleon.docstring import NumpyDocstring
from sphinx.util.nodes import make_refnode

from ci.site import ROOT
from ci.site.reference import FOLDER, MODULES, home, public_names

_SOURCE = re.compile(rf"{re.escape(str(ROOT))}/(normbench/[\w/]*?)(?:/__init__)?\.py:docstring of")
_APART = re.compile(r"\S {2,}\S|\n +\S")
_OTHER = ("- ", "* ", ">>>", "..", " ", "\n")  # lists, examples, directives


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, words: nodes.TextElement) -> nodes.Node | None:
    """A reference of the Python domain that the domain could not resolve itself."""
    if node.get("refdomain") != "py":
        return None
    for name in _candidates(node):
        try:
            found = pkgutil.resolve_name(name)
        except (ImportError, AttributeError, ValueError):
            continue
        if described := _entry(found):
            return make_refnode(app.builder, node["refdoc"], *described, words)
        return _source(app, env, node, found, words) or words
    return None


def _candidates(node: pending_xref) -> Iterator[str]:
    """The name as it stands, and as the module reads it that the docstring is in."""
    target = node["reftarget"]
    if target.startswith("normbench"):
        yield target
    written = _SOURCE.match(str(node.source or ""))
    if written:
        yield f"{written[1].replace('/', '.')}.{target}"


def _entry(found: Any) -> tuple[str, str] | None:
    """Page and anchor of a public object."""
    for module in MODULES:
        if found is import_module(module):
            return f"{FOLDER}/{module}", f"module-{module}"
        for name in public_names(import_module(module)):
            if getattr(import_module(module), name) is found:
                where = home(module, name)
                return f"{FOLDER}/{where}", f"{where}.{name}"
    return None


def _source(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, found: Any, words: nodes.TextElement
) -> nodes.Node | None:
    module = found if ismodule(found) else getmodule(found)
    name = getattr(module, "__name__", "")
    if not getattr(env, "_viewcode_modules", {}).get(name):
        return None
    return make_refnode(app.builder, node["refdoc"], f"_modules/{name.replace('.', '/')}", "", words)


def lay_out(_app: Sphinx, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Keep the line ends and spaces of equations and tables, which docstrings align by hand.

    A paragraph above the first section in which words stand apart, or a later line is indented, is one of those.
    """
    heads = (k - 1 for k, line in enumerate(lines) if k and re.fullmatch("-{3,}", line))
    above = next(heads, len(lines))
    laid: list[str] = []
    for paragraph in "\n".join(lines[:above]).split("\n\n"):
        rows = paragraph.split("\n")
        if _APART.search(paragraph) and not paragraph.startswith(_OTHER):
            block = ".. parsed-literal::" if "`" in paragraph else ".. code-block:: none"  # no colours of Python's
            rows = [block, "", *(f"   {row}" for row in rows)]
        laid += [*rows, ""]
    lines[:above] = laid


def as_method(app: Sphinx, what: str, name: str, found: Any, options: Any, lines: list[str]) -> None:
    """Read a property as a method: napoleon takes what stands before a colon in its first line for a type."""
    if what == "property":
        read = (getdoc(found) or "").splitlines()
        lay_out(app, what, name, found, options, read)
        lines[:] = NumpyDocstring(read, app.config, app, "method", name, found, options).lines()


def dashes(_app: Sphinx, page: nodes.document) -> None:
    """Between a parameter and what is said of it, where Sphinx and napoleon put two hyphens."""
    for field in page.findall(nodes.field):
        for text in list(field.findall(nodes.Text)):
            if " -- " in text:
                text.parent.replace(text, nodes.Text(text.replace(" -- ", " – ")))


def setup(app: Sphinx) -> dict[str, bool]:
    """Enter what is done before and after napoleon, whose priority is 500."""
    app.connect("missing-reference", resolve)
    app.connect("autodoc-process-docstring", lay_out, priority=400)
    app.connect("autodoc-process-docstring", as_method, priority=600)
    app.connect("doctree-read", dashes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
