"""Sphinx over the mirror of the pages: HTML into a folder, or a check of the links to other hosts."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from sphinx.application import Sphinx

from ci.site import ROOT
from ci.site.sources import mirror

MARK = ".buildinfo"  # what Sphinx leaves in a folder that it built


class SiteError(Exception):
    """The site cannot be built as asked; the message says why, and what to do."""


def build(out: Path, more: Mapping[str, str] | None = None, *, builder: str = "html", root: Path = ROOT) -> None:
    """Build every page; a warning is an error, shown where it arises.

    Parameters
    ----------
    out : Path
        Takes the pages. The mirror and what Sphinx remembers lie in a hidden folder of that name beside it, so that the
        next build reads only what has changed.
    more : mapping, optional
        Path and Markdown text of pages beside those of the repository.
    builder : str
        ``html``, or ``linkcheck``, which needs a network.
    root : Path
        Of the repository.

    Raises
    ------
    SiteError
        If the folder holds something else, or a page has a warning.
    """
    work = out.with_name(f".{out.name}")
    if builder == "html":
        _make_room(out)
    mirror(work / "source", dict(more or {}), root)
    app = Sphinx(
        srcdir=work / "source",
        confdir=root / "docs",
        outdir=out if builder == "html" else work / builder,
        doctreedir=work / "doctrees",
        buildername=builder,
        warningiserror=True,
        status=None,
    )
    app.build()
    if app.statuscode:
        raise SiteError(f"the {builder} build of the site has warnings, which stand above; each names page and line.")


def _make_room(out: Path) -> None:
    """Remove what an earlier build left; nothing else is touched."""
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / MARK).exists())):
        raise SiteError(f"--out {out} is not a folder that this command built; name another, or remove it.")
    shutil.rmtree(out, ignore_errors=True)
