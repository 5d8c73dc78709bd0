"""The list of pages beside every page, made of their titles alone.

Furo asks Sphinx for it once a page, and Sphinx copies every heading and every name of the API to drop them again: with
84 pages a sixth of the time of a build. Here they are dropped once.
"""

from collections.abc import Callable
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx


def titles_only(toc: nodes.bullet_list) -> nodes.bullet_list:
    """A page's contents without its headings; lists of further pages stay."""
    copy = toc.deepcopy()
    for page in copy.children:
        if len(page) > 1:
            further = list(page.findall(addnodes.toctree))
            if further:
                page[1][:] = further
            else:
                page.pop(1)
    return copy


def setup(app: Sphinx) -> dict[str, bool]:
    """Give the theme a shorter way to the list, before it asks for it at the priority of 500."""
    titles: dict[str, nodes.bullet_list] = {}

    def shortened(whole: Callable[..., str]) -> Callable[..., str]:
        def toctree(**options: Any) -> str:
            every = app.env.tocs
            if options.get("titles_only"):
                app.env.tocs = titles or {name: titles_only(toc) for name, toc in every.items()}
                titles.update(app.env.tocs)
            try:
                return whole(**options)
            finally:
                app.env.tocs = every

        return toctree

    def enter(_app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
        if "toctree" in context:
            context["toctree"] = shortened(context["toctree"])

    app.connect("html-page-context", enter, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
