"""What CHANGELOG.md says of one release: ``python -m ci.changelog v0.1.0`` prints it, as the notes of the release.

The format is Keep a Changelog's: "## Unreleased" first, then "## X.Y.Z - YYYY-MM-DD", the newest first.
"""

import argparse
import re
import sys
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

FILE = Path(__file__).resolve().parents[1] / "CHANGELOG.md"
KINDS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
_UNRELEASED = "Unreleased"
_HEADING = re.compile(r"(?P<version>\d+\.\d+\.\d+) - (?P<day>\d{4}-\d{2}-\d{2})")


@dataclass(frozen=True)
class Release:
    """One released version: what it changed, as Markdown."""

    version: str
    day: date
    text: str

    @property
    def order(self) -> tuple[int, ...]:
        """What versions are compared by."""
        return tuple(map(int, self.version.split(".")))


def releases(text: str) -> list[Release]:
    """The released versions of a changelog, the newest first.

    Raises
    ------
    ValueError
        If the text is not in the format: the heading that breaks it, and what it should be.
    """
    parts = re.split(r"^## +(.*?) *$", text, flags=re.MULTILINE)
    if parts[1:2] != [_UNRELEASED]:
        raise ValueError(f"the first section must be '## {_UNRELEASED}'; it is {parts[1:2]}.")
    found = [_release(heading, body) for heading, body in zip(parts[3::2], parts[4::2], strict=True)]
    for newer, older in pairwise(found):
        if newer.order <= older.order or newer.day < older.day:
            raise ValueError(f"{newer.version} stands above {older.version}; the newest release comes first.")
    for body in parts[2::2]:
        for kind in re.findall(r"^### +(.*?) *$", body, flags=re.MULTILINE):
            if kind not in KINDS:
                raise ValueError(f"'### {kind}' is no kind of change; choose from {', '.join(KINDS)}.")
    return found


def _release(heading: str, body: str) -> Release:
    match = _HEADING.fullmatch(heading)
    if match is None:
        raise ValueError(f"'## {heading}' must be '## X.Y.Z - YYYY-MM-DD'.")
    if not body.strip():
        raise ValueError(f"'## {heading}' says nothing.")
    return Release(match["version"], date.fromisoformat(match["day"]), body.strip() + "\n")


def release_of(tag: str, text: str) -> Release:
    """The release that a tag such as v0.1.0 names; candidates, v0.1.0rc1, are those of the release to come.

    Raises
    ------
    ValueError
        If the changelog has no such release, or is not in its format.
    """
    version = re.sub(r"rc\d+$", "", tag.removeprefix("v"))
    found = {release.version: release for release in releases(text)}
    if version not in found:
        raise ValueError(
            f"CHANGELOG.md has no section for {tag}, only for {', '.join(found) or 'none'}; write it first."
        )
    return found[version]


def main() -> int:
    """Print the section; exit code 1 where there is none."""
    parser = argparse.ArgumentParser(prog="python -m ci.changelog", description=__doc__)
    parser.add_argument("tag", help="as v0.1.0")
    tag = parser.parse_args().tag
    try:
        print(release_of(tag, FILE.read_text(encoding="utf-8")).text, end="")
    except ValueError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
