"""The changelog is in its format and has a section for every tag; the notes of a release are its section."""

import re
import shutil
import subprocess

import pytest

from ci.changelog import FILE, release_of, releases

TEXT = FILE.read_text(encoding="utf-8")
GOOD = "# Changelog\n\n## Unreleased\n\n## 0.2.0 - 2027-01-02\n\n### Fixed\n\n- b\n\n## 0.1.0 - 2026-11-27\n\n- a\n"


def test_ours_is_in_the_format_and_its_newest_release_says_what_it_adds():
    newest = releases(TEXT)[0]
    assert re.search(r"^### Added\n\n", newest.text, flags=re.MULTILINE)
    assert release_of(f"v{newest.version}", TEXT) == newest == release_of(f"v{newest.version}rc1", TEXT)


def test_every_tag_of_this_clone_has_a_section():
    git = shutil.which("git")
    listed = git and subprocess.run([git, "tag", "--list", "v[0-9]*"], cwd=FILE.parent, capture_output=True, text=True)
    if not listed or listed.returncode:
        pytest.skip("not a clone")
    for tag in listed.stdout.split():
        assert release_of(tag, TEXT), tag


def test_a_section_is_what_stands_below_its_heading():
    assert release_of("v0.1.0", GOOD).text == "- a\n"
    assert release_of("v0.2.0", GOOD).text == "### Fixed\n\n- b\n"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("## Unreleased\n\n", "", "first section must be '## Unreleased'"),
        ("## 0.2.0 - 2027-01-02", "## v0.2.0", r"'## v0.2.0' must be '## X.Y.Z - YYYY-MM-DD'"),
        ("2027-01-02", "2027-13-02", "month"),
        ("0.2.0", "0.0.9", "0.0.9 stands above 0.1.0"),
        ("2027-01-02", "2026-01-02", "0.2.0 stands above 0.1.0"),
        ("### Fixed", "### Mended", "'### Mended' is no kind of change"),
        ("- a\n", "", "'## 0.1.0 - 2026-11-27' says nothing"),
    ],
)
def test_what_breaks_the_format_is_named(old, new, said):
    with pytest.raises(ValueError, match=said):
        releases(GOOD.replace(old, new))


def test_a_tag_without_a_section_is_refused():
    with pytest.raises(ValueError, match=r"no section for v0\.3\.0, only for 0\.2\.0, 0\.1\.0"):
        release_of("v0.3.0", GOOD)
