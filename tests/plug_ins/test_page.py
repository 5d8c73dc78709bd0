"""docs/plug_ins.md shows the very files of the package that the tests install."""

import re

import pytest

from tests.pages import ROOT
from tests.plug_ins.conftest import EXAMPLE

PAGE = (ROOT / "docs" / "plug_ins.md").read_text(encoding="utf-8")
SHOWN = dict(re.findall(r"^`([\w/.]+)`:\n\n```\w+\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL))
FILES = [path for path in sorted(EXAMPLE.rglob("*.*")) if path.suffix in (".py", ".toml")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_page_shows_the_file_as_it_is(path):
    name = path.relative_to(EXAMPLE).as_posix()
    assert path.name in PAGE
    if path.name != "__init__.py":
        assert SHOWN[name] == path.read_text(encoding="utf-8")


def test_the_page_shows_no_other_file():
    assert {EXAMPLE / name for name in SHOWN} < {*FILES}
