"""What a page of docs/clients defines, and the skip where its library is not installed."""

from typing import Any

from tests.pages import SECTIONS, require_clients


def defined(page: str, what: str) -> dict[str, Any]:
    """The namespace behind the snippets of a page that hold the words ``what``, alone."""
    space: dict[str, Any] = {"__name__": "__main__"}
    for (name, _), shown in SECTIONS.items():
        for snippet in shown if name == page else ():
            require_clients(snippet)
            if what in snippet.code:
                exec(compile("\n" * snippet.line + snippet.code, f"{page}.md", "exec"), space)
    return space
