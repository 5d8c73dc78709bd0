"""Links to files that are no pages: to the repository where its address is known, to the source in the site, or none.

The address is read from the environment that GitHub gives its workflows, never written down. A link to something that
does not exist is left as it is: the build then fails on it.
"""

import os
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

from ci.site import ROOT


def repository() -> str | None:
    """Address of the repository's files at the commit that is built; None outside GitHub's workflows."""
    server, name, commit = (os.environ.get(f"GITHUB_{key}") for key in ("SERVER_URL", "REPOSITORY", "SHA"))
    return f"{server}/{name}/blob/{commit}" if server and name and commit else None


class LinksToFiles(SphinxPostTransform):
    """Resolve them before MyST does, which knows pages alone."""

    default_priority = 8

    def run(self, **_: Any) -> None:
        """Replace every link of the page that leads to a file or folder of the repository."""
        for node in list(self.document.findall(addnodes.pending_xref)):
            if node["reftype"] == "myst" and node.get("refdomain") is None and (found := self._file(node)):
                node.replace_self(self._link(found, node))

    def _file(self, node: addnodes.pending_xref) -> Path | None:
        target = node["reftarget"].partition("#")[0]
        if not {"/", "."} & {*target}:  # an anchor, which MyST gives without its mark; the name of a folder may be one
            return None
        above = ROOT if target.startswith("/") else (ROOT / node["refdoc"]).parent
        found = (above / target.lstrip("/")).resolve()
        return found if found.exists() and found.is_relative_to(ROOT) else None

    def _link(self, path: Path, node: addnodes.pending_xref) -> nodes.Node:
        name, address = path.relative_to(ROOT).as_posix(), repository()
        words = node[0].deepcopy()
        if address:
            return nodes.reference("", "", words, refuri=f"{address}/{name}", internal=False)
        module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        if name.endswith(".py") and getattr(self.env, "_viewcode_modules", {}).get(module):
            page = os.path.relpath(f"_modules/{module.replace('.', '/')}.html", Path(node["refdoc"]).parent)
            return nodes.reference("", "", words, refuri=page, internal=True)
        return words


def setup(app: Sphinx) -> dict[str, bool]:
    """Enter the transform."""
    app.add_post_transform(LinksToFiles)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
