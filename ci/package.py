"""Builds what is released and tries it: ``python -m ci.package [FOLDER]``, FOLDER (dist) taking sdist and wheel.

Builds both as a release does, checks what is in them and how PyPI will read it, builds the wheel again from the sdist,
which must give the same, and installs it into a fresh environment, where the README's first look, ``normbench run
--quick``, is run. Needs the dependency group ``release``; --extra names what is installed beside the wheel (torch).
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
import zipfile
from collections.abc import Iterable
from email.parser import HeaderParser
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIRST_BOARD = ("run", "--quick")  # the README's first look
METADATA = "2.4"  # what pypa/gh-action-pypi-publish can read, whose twine is older than the one that checks here
IN_SDIST = (
    "LICENSE",
    "tests/conftest.py",
    "constraints.txt",
    "CHANGELOG.md",
    "CITATION.cff",
    "PKG-INFO",
    "ci/package.py",
)
_TOOLS = ("build", "twine", "check_wheel_contents")  # the dependency group release
_RUBBISH = ("__pycache__", ".pyc", ".pytest_cache", ".ruff_cache", ".mypy_cache", ".venv", ".parquet", ".npz")


class PackageError(Exception):
    """What is released is not what it should be."""


def contents(archive: Path) -> dict[str, str]:
    """SHA-256 of every file of a wheel or an sdist, by name; of an sdist without its folder."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return {name: _sha256(wheel.read(name)) for name in wheel.namelist()}
    with tarfile.open(archive) as sdist:
        files = [(member.name, sdist.extractfile(member)) for member in sdist.getmembers()]
        return {name.partition("/")[2]: _sha256(file.read()) for name, file in files if file is not None}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def of_the_package() -> set[str]:
    """What the package holds in this tree, data files and the mark of its types included, as a wheel names it."""
    found = (path.relative_to(ROOT) for path in (ROOT / "normbench").rglob("*") if path.is_file())
    return {path.as_posix() for path in found if "__pycache__" not in path.parts}


def check_contents(names: Iterable[str], needed: Iterable[str], tops: Iterable[str] | None = None) -> None:
    """Raise where something is missing, or is in the archive that nobody needs.

    Parameters
    ----------
    names : iterable of str
        Of the archive's files.
    needed : iterable of str
    tops : iterable of str, optional
        The only folders that may be there.

    Raises
    ------
    PackageError
    """
    names = set(names)
    if missing := sorted(set(needed) - names):
        raise PackageError(f"missing: {', '.join(missing)}.")
    if found := sorted(name for name in names if any(mark in name for mark in _RUBBISH)):
        raise PackageError(f"should not be there: {', '.join(found[:5])}.")
    if tops is not None and (found := sorted({name.partition("/")[0] for name in names} - set(tops))):
        raise PackageError(f"should not be there: {', '.join(found)}.")


def check_metadata(archive: Path, own: str) -> None:
    """Raise where a wheel or an sdist has its metadata in another version than the upload can read.

    Parameters
    ----------
    archive : Path
    own : str
        Name of the file of its metadata, as :func:`contents` has it.

    Raises
    ------
    PackageError
    """
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            text = wheel.read(own).decode("utf-8")
    else:
        with tarfile.open(archive) as sdist:
            found = [sdist.extractfile(m) for m in sdist.getmembers() if m.name.partition("/")[2] == own]
            text = "".join(file.read().decode("utf-8") for file in found if file is not None)
    if (version := HeaderParser().parsestr(text)["Metadata-Version"]) != METADATA:
        raise PackageError(
            f"{archive.name} has metadata {version}, and the upload reads {METADATA}. Have pyproject.toml say so: "
            f'core-metadata-version = "{METADATA}" for every target of hatch.'
        )


def same(first: dict[str, str], second: dict[str, str]) -> None:
    """Raise unless two archives hold the same files with the same content.

    Raises
    ------
    PackageError
    """
    different = sorted(name for name in {*first, *second} if first.get(name) != second.get(name))
    if different:
        raise PackageError(f"the wheel of the sdist is another than that of the tree: {', '.join(different[:5])}.")


def _build(source: Path, folder: Path, *what: str) -> None:
    _call(sys.executable, "-m", "build", *what, "--outdir", str(folder), str(source))


def _call(*command: str, **environment: str) -> str:
    print("+", *command, flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT.parent, env=os.environ | environment)
    if done.returncode:
        raise PackageError(f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout}")
    return done.stdout


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise PackageError(f"expected one {pattern} in {folder}, found {len(found)}. Empty the folder first.")
    return found[0]


def built(folder: Path, scratch: Path) -> tuple[Path, Path]:
    """Sdist and wheel in the folder, both of this tree and checked."""
    lacking = [name for name in _TOOLS if find_spec(name) is None]
    if lacking:
        raise PackageError(f"there is no {', '.join(lacking)} here. Install them: pip install --group release")
    _build(ROOT, folder, "--sdist", "--wheel")
    wheel, sdist = _only(folder, "*.whl"), _only(folder, "*.tar.gz")
    inside, source = contents(wheel), contents(sdist)
    info = next(name.partition("/")[0] for name in inside if ".dist-info/" in name)
    licence = f"{info}/licenses/LICENSE"
    check_contents(inside, {*of_the_package(), licence}, tops=("normbench", info))
    check_contents(source, {*of_the_package(), *IN_SDIST})
    check_metadata(wheel, f"{info}/METADATA")
    check_metadata(sdist, "PKG-INFO")
    _call(sys.executable, "-m", "twine", "check", "--strict", str(wheel), str(sdist))
    _call(sys.executable, "-m", "check_wheel_contents", str(wheel))
    with tarfile.open(sdist) as packed:
        packed.extractall(scratch, filter="data")
    _build(_only(scratch, "normbench-*"), scratch / "again", "--wheel")
    same(inside, contents(_only(scratch / "again", "*.whl")))
    return sdist, wheel


def first_board(wheel: Path, extra: str, scratch: Path) -> str:
    """What the README's first look prints where the wheel alone is installed, with nothing in any cache."""
    environment = scratch / "environment"
    venv.create(environment, with_pip=True)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    _call(str(python), "-m", "pip", "install", "--quiet", "-c", str(ROOT / "constraints.txt"), f"{wheel}[{extra}]")
    begun = time.monotonic()
    caches = {"XDG_CACHE_HOME": str(scratch / "caches"), "PYTHONPATH": "", "PYTHONSAFEPATH": "1"}
    shown = _call(str(python), "-m", "normbench.cli", *FIRST_BOARD, "--out", str(scratch / "results"), **caches)
    seconds = time.monotonic() - begun
    return f"{shown.partition('How to read it')[0].rstrip()}\n\nThe first board took {seconds:.0f} s."


def main() -> int:
    """Build and try; exit code 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m ci.package", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "dist")
    parser.add_argument("--extra", default="torch", help="backend that is installed beside the wheel")
    given = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            sdist, wheel = built(given.folder.resolve(), Path(scratch))
            print(first_board(wheel, given.extra, Path(scratch)))
    except PackageError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    print(f"{sdist.name} and {wheel.name} are ready.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
