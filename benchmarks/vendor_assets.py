"""Make a published asv site self-contained: ``python benchmarks/vendor_assets.py`` after ``asv publish``.

asv's pages load their libraries from content delivery networks. This fetches the same versions with ``npm pack`` into
the site and points index.html at them; nothing of it is kept in the repository. It stops where a page still refers to
another host.
"""

import argparse
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

# package, then address in asv 0.6.6's index.html (a regular expression) to file in the package
PACKAGES = {
    "jquery@3.3.1": {r"jquery-3\.3\.1\.min\.js": "dist/jquery.min.js"},
    "flot@0.8.3": {
        r"jquery\.flot\.min\.js": "jquery.flot.js",
        r"jquery\.flot\.time\.min\.js": "jquery.flot.time.js",
        r"jquery\.flot\.selection\.min\.js": "jquery.flot.selection.js",
        r"jquery\.flot\.categories\.min\.js": "jquery.flot.categories.js",
    },
    "flot-orderbars@1.0.0": {r"jquery\.flot\.orderBars\.js": "js/jquery.flot.orderBars.js"},
    "stupid-table-plugin@1.1.3": {r"stupidtable\.min\.js": "stupidtable.js"},
    "blueimp-md5@2.19.0": {r"md5\.min\.js": "js/md5.min.js"},
    "bootstrap@3.1.1": {
        r"bootstrap\.min\.js": "dist/js/bootstrap.min.js",
        r"bootstrap\.min\.css": "dist/css/bootstrap.min.css",
    },
}
FONTS = "bootstrap@3.1.1", "dist/fonts/"  # bootstrap's style sheet asks for ../fonts
FOLDER = "vendor"

_TAG = r'<(?:script|link)\b[^>]*?(?:src|href)="https?://[^"]*/{name}"[^>]*>'
_ANY_HOST = re.compile(r'<(?:script|link)\b[^>]*?(?:src|href)="(?:https?:)?//[^"]+"[^>]*>')


def pack(package: str, folder: Path) -> Path:
    """Download one package; return its archive."""
    command = ["npm", "pack", package, "--silent", "--pack-destination", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return folder / done.stdout.split()[-1]


def extract(archive: Path, wanted: list[str], target: Path) -> None:
    """Copy the wanted files of an npm archive to ``target``, under their own names.

    A wanted name that ends in a slash is a folder, kept as such beside the files.
    """
    with tarfile.open(archive) as package:
        for name in wanted:
            members = [m for m in package.getmembers() if m.isfile() and _matches(m.name, name)]
            if not members:
                raise FileNotFoundError(f"{archive.name} has no {name}")
            for member in members:
                content = package.extractfile(member)
                place = target / Path(name).name if name.endswith("/") else target
                place.mkdir(parents=True, exist_ok=True)
                (place / Path(member.name).name).write_bytes(content.read() if content else b"")


def _matches(member: str, wanted: str) -> bool:
    inside = member.partition("/")[2]  # archives of npm start with package/
    return inside.startswith(wanted) if wanted.endswith("/") else inside == wanted


def rewrite(page: str) -> str:
    """The page with every known address replaced by the local file, and no integrity attributes on those.

    Raises
    ------
    ValueError
        If the page lacks a known address or refers to another host still.
    """
    for files in PACKAGES.values():
        for name, path in files.items():
            local = f"{FOLDER}/{'css/' if path.endswith('.css') else ''}{Path(path).name}"
            tag = f'<link rel="stylesheet" href="{local}">' if path.endswith(".css") else f'<script src="{local}">'
            page, count = re.subn(_TAG.format(name=name), tag, page)
            if count != 1:
                raise ValueError(f"{count} tags for {name} in index.html, expected one; is this asv 0.6.6?")
    left = _ANY_HOST.findall(page)
    if left:
        raise ValueError(f"index.html still refers to {left}; add them to PACKAGES.")
    return page


def vendor(site: Path) -> None:
    """Fetch everything into ``site`` and rewrite its index.html; a second call does nothing."""
    index = site / "index.html"
    page = index.read_text(encoding="utf-8")
    if not _ANY_HOST.search(page):
        return
    rewritten = rewrite(page)
    with tempfile.TemporaryDirectory() as temporary:
        for package, files in PACKAGES.items():
            archive = pack(package, Path(temporary))
            scripts = [path for path in files.values() if not path.endswith(".css")]
            styles = [path for path in files.values() if path.endswith(".css")]
            extract(archive, scripts, site / FOLDER)
            extract(archive, styles, site / FOLDER / "css")
            if package == FONTS[0]:
                extract(archive, [FONTS[1]], site / FOLDER)
    index.write_text(rewritten, encoding="utf-8")


def main() -> int:
    """Command line: the folder of the site, .asv/html by default."""
    parser = argparse.ArgumentParser(description="Make a published asv site work without a network.")
    parser.add_argument("site", nargs="?", type=Path, default=Path(".asv/html"))
    site = parser.parse_args().site
    if not (site / "index.html").is_file():
        parser.error(f"{site} holds no index.html; run 'asv publish' first.")
    vendor(site)
    print(f"{site}: every script and style sheet is local now")
    return 0


if __name__ == "__main__":
    sys.exit(main())
