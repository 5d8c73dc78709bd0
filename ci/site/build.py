"""Sphinx over the mirror of the pages: HTML into a folder, or a check of the links to other hosts."""

import gc
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from ci.site import ROOT
from ci.site.sources import mirror

MARK = ".buildinfo"  # what Sphinx leaves in a folder that it built


class SiteError(Exception):
    """The site cannot be built as asked; the message says why, and what to do."""


def build(out: Path, more: Mapping[str, str]) -> None:
    """Build every page anew into a folder.

    Parameters
    ----------
    out : Path
    more : mapping
        Path and Markdown text of pages beside those of the repository.

    Raises
    ------
    SiteError
        If the folder holds something else, or a page has a warning.
    """
    _make_room(out)
    with TemporaryDirectory() as work:
        mirror(Path(work, "source"), more)
        _judge(sphinx(Path(work, "source"), out, Path(work, "doctrees")))


def check_links(more: Mapping[str, str]) -> None:
    """Ask the other hosts that pages link to; :class:`SiteError` where one does not answer."""
    with TemporaryDirectory() as work:
        mirror(Path(work, "source"), more)
        _judge(sphinx(Path(work, "source"), Path(work, "out"), Path(work, "doctrees"), builder="linkcheck"))


def sphinx(source: Path, out: Path, doctrees: Path, *, builder: str = "html", warnings: TextIO | None = None) -> Sphinx:
    """Sphinx with our settings, after its build; warnings, which are errors, go to standard error unless caught."""
    with docutils_namespace(), patch_docutils(ROOT / "docs"), _no_collection():
        app = Sphinx(
            srcdir=source,
            confdir=ROOT / "docs",
            outdir=out,
            doctreedir=doctrees,
            buildername=builder,
            status=None,
            warning=warnings or sys.stderr,
            warningiserror=True,
        )
        app.build()
    return app


@contextmanager
def _no_collection() -> Iterator[None]:
    """The nodes of all pages live to the end of a build: looking among them for garbage takes a quarter of its time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _judge(app: Sphinx) -> None:
    if app.statuscode:
        raise SiteError(f"the pages ({app.builder.name}) have warnings, which stand above; each names page and line.")


def _make_room(out: Path) -> None:
    """Remove what an earlier build left; nothing else is touched."""
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / MARK).exists())):
        raise SiteError(f"--out {out} is not a folder that this command built; name another, or remove it.")
    shutil.rmtree(out, ignore_errors=True)
