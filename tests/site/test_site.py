"""The site as a reader has it, opened from a folder: every page found, every link alive, no other host asked."""

import re
from importlib import import_module

import click
import pytest

from ci.site.reference import FOLDER, MODULES
from ci.site.sources import PAGES
from normbench.cli import main
from tests.pages import ROOT

# napoleon, MyST and furo use what Sphinx 9 deprecates
pytestmark = pytest.mark.filterwarnings("ignore::sphinx.deprecation.RemovedInSphinx11Warning")
SOURCES = {"_modules/index.html"}  # a list of the pages of sources, each of which is linked where it is described


def test_every_page_is_reached_from_the_start(site):
    seen, waiting = {"index.html"}, ["index.html"]
    while waiting:
        page = waiting.pop()
        found = {where[0] for link in site.pages[page].links if (where := site.local(page, link))}
        new = (found & site.pages.keys()) - seen
        seen |= new
        waiting += new
    assert site.pages.keys() - seen - SOURCES == set()
    assert len(seen) > 40


def test_the_list_beside_a_page_has_every_page_and_no_headings(site):
    deep = "docs/own_networks/torch.html"
    for page in ("index.html", deep, "_modules/normbench/api.html"):
        found = [where for link in site.pages[page].links if (where := site.local(page, link))]
        listed = {path for path, _ in found}
        assert {name for name in site.pages if not name.startswith("_modules/")} - listed == set()
        assert [path for path, anchor in found if anchor and path == f"{FOLDER}/normbench.torch.html"] == []


def test_every_written_page_is_in_the_site(site):
    written = {path.relative_to(ROOT).with_suffix(".html").as_posix() for p in PAGES for path in ROOT.glob(p)}
    assert written - site.pages.keys() == {"docs/index.html"}  # which is the start page


def test_every_link_leads_to_a_file_and_an_anchor(site):
    dead = []
    for page, read in site.pages.items():
        for link in {*read.links, *read.loads}:
            where = site.local(page, link)
            if where is None:
                continue
            path, anchor = where
            known = site.pages.get(path)
            if not (site.folder / path).exists() or (anchor and known and anchor not in known.anchors):
                dead.append(f"{page}: {link}")
    assert dead == []


def test_a_browser_asks_no_other_host(site):
    outside = [f"{page}: {load}" for page, read in site.pages.items() for load in read.loads if "//" in load]
    styles = {path: path.read_text(encoding="utf-8") for path in site.folder.rglob("*.css")}
    outside += [f"{path.name}: {found}" for path, css in styles.items() for found in _asked_by(css)]
    assert outside == []
    assert styles


def _asked_by(css: str) -> list[str]:
    return re.findall(r"(?:@import\s+|url\()[\"']?(?:https?:)?//[^\"')]+", css)


def test_the_check_of_styles_notices_another_host():
    assert len(_asked_by("a {b: url(//x.org/f)} @import 'https://x.org/g'; c {d: url(e.png)}")) == 2


def _commands(command: click.Command, path: str) -> dict[str, click.Command]:
    found = {path: command}
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            below = command.get_command(click.Context(command), name)
            if below and not below.hidden:
                found |= _commands(below, f"{path} {name}")
    return found


@pytest.mark.parametrize(("path", "command"), _commands(main, "normbench").items(), ids=lambda value: str(value)[:40])
def test_every_command_is_described_with_its_options(site, path, command):
    page = site.pages[f"{FOLDER}/commands.html"]
    assert path.replace(" ", "-") in page.anchors
    shown = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    assert [option for p in shown for option in p.opts if option not in page.text] == []


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_described(site, module):
    offering = import_module(module)
    names = getattr(offering, "__all__", None) or [n for n in vars(offering) if not n.startswith("_")]
    page, everywhere = site.pages[f"{FOLDER}/{module}.html"], set().union(*(p.anchors for p in site.pages.values()))
    ours = [n for n in names if getattr(getattr(offering, n), "__module__", "").startswith("normbench")]
    assert ours
    assert [name for name in ours if name not in page.text] == []  # named on the page of its module
    assert [n for n in ours if not any(f"{other}.{n}" in everywhere for other in MODULES)] == []  # described on one


def test_equations_of_docstrings_keep_their_lines(site):
    html = (site.folder / FOLDER / "normbench.torch.html").read_text(encoding="utf-8")
    assert "Gamma_i(t) = W_i cos t + mu_i V_i sin t, with t chosen by Algorithm 2       (arXiv" in html
