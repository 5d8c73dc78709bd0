"""What lies in the site beside Sphinx's pages: the interactive page of the boards, and asv's pages."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.vendor_assets import vendor
from ci.site import ROOT
from ci.site.build import SiteError

REPORT, ASV = "results/report.html", "asv/index.html"
PAGE = "docs/interactive.md"


def page(*, report: bool, asv: bool) -> dict[str, str]:
    """Path and text of the page that leads to them; of what is not in this site it says how it is made."""
    shown = {
        "All boards, frontiers and figures": (report, f"../{REPORT}", "python -m ci.results"),
        "Time, memory and accuracy over the commits": (asv, f"../{ASV}", "asv publish"),
    }
    lines = [
        f"- <a href='{address}'>{words}</a>"
        if there
        else f"- {words}: not in this copy of the site; `{command}` makes it."
        for words, (there, address, command) in shown.items()
    ]
    return {PAGE: "\n".join(["# Interactive pages", "", *lines, ""])}


def check_report() -> None:
    """Raise :class:`SiteError` where the page with every board has not been made: before a build, not after it."""
    if not (ROOT / REPORT).is_file():
        raise SiteError(f"there is no {REPORT}. Make it with python -m ci.results, or leave it out: --without report.")


def copy_report(out: Path) -> None:
    """The page with every board; it needs no network."""
    (out / REPORT).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / REPORT, out / REPORT)


def publish_asv(out: Path) -> None:
    """asv's pages of results/asv, with the libraries and numbers that they load: they open from a folder.

    Raises
    ------
    SiteError
        If asv cannot publish, or npm cannot fetch the libraries.
    """
    site = (out / ASV).parent
    call([sys.executable, "-m", "asv", "publish", "--html-dir", str(site)], "asv publish")
    try:
        vendor(site)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        raise SiteError(f"npm did not fetch what asv's pages load: {error}. {_WITHOUT_ASV}") from error
    embed(site)


def embed(site: Path) -> None:
    """Put every number into a script that asv's pages load before their own."""
    numbers = {p.relative_to(site).as_posix(): json.loads(p.read_text("utf-8")) for p in sorted(site.rglob("*.json"))}
    (site / "files.js").write_text(_FILES % json.dumps(numbers), encoding="utf-8")
    index = (site / "index.html").read_text(encoding="utf-8")
    if index.count(_FIRST) < 1:
        raise SiteError(f"asv's index.html has no {_FIRST}; is this asv 0.6.6? {_WITHOUT_ASV}")
    index = index.replace(_FIRST, f'<script src="files.js"></script>\n    {_FIRST}', 1)
    (site / "index.html").write_text(index, encoding="utf-8")


_FIRST = '<script language="javascript"'  # of asv's own scripts, behind those of the libraries
_WITHOUT_ASV = "Leave them out: --without asv."
# Browsers refuse what a page from a folder asks for: jQuery, by which asv asks for all its files, answers from here.
_FILES = """const files = %s;
$.ajax = function (request) {
    const name = decodeURIComponent(request.url.split("?")[0]);
    const answer = $.Deferred();
    const there = !name.endsWith(".json") || Object.hasOwn(files, name);
    setTimeout(() => there ? answer.resolve(files[name]) : answer.reject(), 0);
    return answer.promise();
};
"""


def call(command: list[str], name: str) -> None:
    """Run a command at the root; where it fails, its last line is the message."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise SiteError(f"{name} failed: {said[-1]} {_WITHOUT_ASV}")
