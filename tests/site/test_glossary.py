"""The glossary defines each term once, in order, and every reference to a term anywhere has its entry."""

import re
from pathlib import Path

from ci.site.declared import pages

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "glossary.md").read_text(encoding="utf-8")
BODY = re.search(r"^```\{glossary\}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)[1]
TERMS = re.findall(r"^(\S.*)$", BODY, re.MULTILINE)


def asked(text):
    """The terms that a text refers to, in whatever words."""
    found = re.findall(r"\{term\}`([^`]+)`", " ".join(text.split()))
    return {re.sub(r".*<(.+)>", r"\1", words) for words in found}


def test_every_term_is_there_once_in_order_with_a_definition():
    assert sorted(TERMS, key=str.lower) == TERMS
    assert len({term.lower() for term in TERMS}) == len(TERMS) > 30
    assert [part for part in re.split(r"^\S.*\n", BODY, flags=re.MULTILINE)[1:] if not part.strip()] == []


def test_every_reference_has_an_entry():
    texts = [*(path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md")), *pages().values()]
    wanted = set.union(*map(asked, texts))
    assert len(wanted) > 10
    assert wanted <= set(TERMS)


def test_a_reference_without_an_entry_is_found():
    assert asked("as {term}`gains <gain>` and {term}`no such\nterm`") == {"gain", "no such term"}
