"""``submission.toml``: who submits which optimisers, and from where they are installed."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ci.submission.breach import Breach
from normbench.records.plug_ins import PACKAGE, UNKNOWN, VERSION
from normbench.records.sense import legible
from normbench.specs import SPECS, suggestion

FILE = "submission.toml"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_OPTIMISER = re.compile(r"[A-Za-z0-9_.:-]+")  # what tables, pages and shells show and take as it is
_PROJECT = "pyproject.toml"
LARGEST = 20_000_000  # bytes of a folder, as much as all frontiers have; git keeps them for ever


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What ``submission.toml`` says.

    Attributes
    ----------
    title, description : str
        For people.
    optimisers : list of str
        As ``normbench run --optimiser`` takes them.
    install : str
        A requirement for pip, or a folder inside the submission.
    source, contact : str
        Addresses of the code and of who answers for it.
    """

    title: str
    optimisers: list[str]
    install: str
    source: str
    contact: str
    description: str


@dataclass(frozen=True)
class Submission:
    """A folder and what its ``submission.toml`` says."""

    folder: Path
    metadata: Metadata

    @property
    def package_folder(self) -> Path | None:
        """The folder that brings the optimisers; None where a requirement does."""
        folder = self.folder / self.metadata.install
        try:
            return folder.resolve() if folder.is_dir() else None
        except OSError:  # longer than names of files are
            return None

    @property
    def loose_folder(self) -> Path | None:
        """The folder of modules that are no package, and are imported from where they lie."""
        folder = self.package_folder
        return folder if folder and not (folder / _PROJECT).exists() else None

    @property
    def pip_installs(self) -> str:
        """What pip is given; "" where there is nothing to install."""
        if self.loose_folder:
            return ""
        return str(self.package_folder or self.metadata.install)

    def misfit(self, said: Mapping[str, str]) -> str:
        """Why ``install`` does not bring what a record says of its optimiser's package, or ""."""
        package, version = said.get(PACKAGE, ""), said.get(VERSION, "")
        if self.loose_folder:
            brought = (self.loose_folder / package).is_dir() or (self.loose_folder / f"{package}.py").is_file()
            if brought and version == UNKNOWN:
                return ""
            return f"made with {package} {version}, and install = {self.metadata.install!r} has no such module"
        wanted = self.brings()
        same = wanted is None or canonicalize_name(wanted.name) == canonicalize_name(package)
        if same and (wanted is None or wanted.specifier.contains(version, prereleases=True)):
            return ""
        return f"made with {package} {version}, and install = {self.metadata.install!r} brings {wanted}"

    def brings(self) -> Requirement | None:
        """Package and version that ``install`` brings; None where its folder computes them.

        Raises
        ------
        OSError
            If pyproject.toml cannot be read.
        ValueError
            If it, or the requirement, is none.
        """
        if self.package_folder is None:
            return Requirement(self.metadata.install)
        project = tomllib.loads((self.package_folder / _PROJECT).read_text("utf-8")).get("project", {})
        if not isinstance(project, dict):
            raise ValueError(f"project must be a table; got {project!r}")
        for name in ("name", "version"):
            if not isinstance(project.get(name, ""), str):
                raise ValueError(f"{name} must be text; got {project[name]!r}")
        if "name" not in project:
            return None
        version = project.get("version")
        return Requirement(f"{project['name']}=={version}" if version else project["name"])


def read(folder: Path) -> Submission | list[Breach]:
    """The submission in a folder, or everything that is wrong with its ``submission.toml``."""
    try:
        raw = tomllib.loads((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return [Breach(f"{folder} has no {FILE}", f"Write one with the keys {', '.join(_KEYS)}")]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return [Breach(f"{FILE} cannot be read: {error}", "Write it as docs/submissions.md shows")]
    found = [*_keys(raw), *_values(raw), *_folder_name(folder), *_size(folder)]
    if not found:
        submission = Submission(folder, Metadata(**raw))
        found = [*_install(submission), *_optimisers(submission.metadata.optimisers)]
    return found or submission


_KEYS = {f.name: f.type for f in fields(Metadata)}


def _keys(raw: Mapping[str, Any]) -> Iterator[Breach]:
    for name in raw.keys() - _KEYS.keys():
        yield Breach(f"{FILE} has the unknown key {name!r}.{suggestion(name, _KEYS)}", f"Keys are {', '.join(_KEYS)}")
    for name in [name for name in _KEYS if name not in raw]:
        yield Breach(f"{FILE} lacks the key {name!r}", f"Keys are {', '.join(_KEYS)}")


def _values(raw: Mapping[str, Any]) -> Iterator[Breach]:
    for name in _KEYS.keys() & raw.keys():
        value = raw[name]
        if _KEYS[name] is str and not _is_text(value):
            yield Breach(f"{name} must be a line of text or more; got {value!r}", f"Give {name} in quotes")
        elif _KEYS[name] is not str and not (isinstance(value, list) and value and all(map(_is_text, value))):
            yield Breach(f"{name} must be a list of names; got {value!r}", f'Such as {name} = ["signum"]')


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and legible(value, lines=True)


def _folder_name(folder: Path) -> Iterator[Breach]:
    if not _NAME.fullmatch(folder.resolve().name):
        yield Breach(f"the folder is called {folder.name!r}", "Use small letters, digits, - and _")


def _size(folder: Path) -> Iterator[Breach]:
    size = sum(path.lstat().st_size for path in folder.rglob("*"))
    if size > LARGEST:
        yield Breach(
            f"the folder holds {size / 1e6:.1f} MB, and at most {LARGEST / 1e6:.0f} are taken",
            "Leave all but its two or three files out",
        )


def _install(submission: Submission) -> Iterator[Breach]:
    install, folder = submission.metadata.install, submission.package_folder
    if folder is not None:
        if not folder.is_relative_to(submission.folder.resolve()):
            yield Breach(f"install = {install!r} lies outside the submission", "Name a folder inside it")
        elif not submission.loose_folder:
            yield from _project(submission)
        return
    try:
        Requirement(install)
    except InvalidRequirement:
        yield Breach(
            f"install = {install!r} is neither a folder in the submission nor a requirement",
            "Such as install = 'my-package==1.2.0'",
        )


def _project(submission: Submission) -> Iterator[Breach]:
    try:
        submission.brings()
    except (OSError, ValueError) as error:  # of TOML and of requirements, too
        yield Breach(f"{_PROJECT} of {submission.metadata.install} cannot be read: {error}", "Repair it")


def _optimisers(names: list[str]) -> Iterator[Breach]:
    for name in dict.fromkeys(name for name in names if name.lower() in SPECS):
        is_ours = "is" if name in SPECS else "could be taken for"
        yield Breach(
            f"{name!r} {is_ours} an optimiser of normbench", "Its rows are made from results/boards.toml: open an issue"
        )
    for name in dict.fromkeys(name for name in names if not _OPTIMISER.fullmatch(name)):
        yield Breach(f"the optimiser's name {name!r} is hard to tell or to type", "Use ASCII letters, digits, _ . : -")
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield Breach(f"optimisers names {name!r} more than once", "Name it once")


def taken(submission: Submission, published: set[str]) -> Iterator[Breach]:
    """Names that rows of the published boards, or other submissions beside this one, have already."""
    for other in sorted(submission.folder.resolve().parent.glob(f"*/{FILE}")):
        found = None if other.parent == submission.folder.resolve() else read(other.parent)
        if isinstance(found, Submission):
            published = published | set(found.metadata.optimisers)
    for name in submission.metadata.optimisers:
        if name in published:
            yield Breach(f"{name!r} has rows on the boards already", "Give the optimiser a name of its own")
