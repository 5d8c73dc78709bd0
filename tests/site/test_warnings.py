"""What the build refuses, and where links to files lead: Sphinx with the site's settings over one small page."""

import io
import re

import pytest
from docutils import nodes

from ci.site import ROOT, links
from ci.site.build import sphinx

# napoleon, MyST and furo use what Sphinx 9 deprecates
pytestmark = pytest.mark.filterwarnings("ignore::sphinx.deprecation.RemovedInSphinx11Warning")

PAGE = """# A page

[no such page](gone.md) [no such heading](#gone) [no such heading there](other.md#gone) [no file](normbench/gone.py)
[no heading, a folder](#docs)

[a source](normbench/cli/run.py) [a folder](normbench/papers) [another page](other.md#other)

```{eval-rst}
:py:func:`normbench.gone` :py:func:`normbench.api.run` :py:mod:`normbench.api` :py:class:`normbench.specs.base.Gone`
```

```{toctree}
other
```
"""
PLANTED = {
    "gone.md": "cross-reference target not found: 'gone.md'",
    "#gone": "cross-reference target not found: 'gone'",
    "#docs": "cross-reference target not found: 'docs'",
    "other.md#gone": "local id not found in doc 'other': 'gone'",
    "gone.py": "cross-reference target not found: 'normbench/gone.py'",
    "normbench.gone": "py:func reference target not found: normbench.gone",
    "Gone": "py:class reference target not found: normbench.specs.base.Gone",
    "orphan.md": "document isn't included in any toctree",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Sphinx after the build, and its warnings."""
    folder, warnings = tmp_path_factory.mktemp("page"), io.StringIO()
    source = folder / "source"
    source.mkdir()
    (source / "index.md").write_text(PAGE, encoding="utf-8")
    (source / "other.md").write_text("# Other\n", encoding="utf-8")
    (source / "orphan.md").write_text("# Orphan\n", encoding="utf-8")
    app = sphinx(source, folder / "out", folder / "doctrees", builder="dummy", warnings=warnings)
    return app, warnings.getvalue()


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_mistake_fails_the_build(built, planted):
    app, warnings = built
    assert app.statuscode == 1
    assert PLANTED[planted] in warnings


def test_nothing_else_is_warned_of(built):
    told = [line for line in built[1].splitlines() if "WARNING" in line or "ERROR" in line]
    assert len(told) == len(PLANTED), told


def _targets(app) -> dict[str, str]:
    page = app.env.get_and_resolve_doctree("index", app.builder)
    return {node.astext(): node.get("refuri", "") for node in page.findall(nodes.reference)}


def test_links_to_files_are_words_where_the_address_of_the_repository_is_not_known(built, monkeypatch):
    for name in ("SERVER_URL", "REPOSITORY", "SHA"):
        monkeypatch.delenv(f"GITHUB_{name}", raising=False)
    assert links.repository() is None
    assert not {"a source", "a folder"} & _targets(built[0]).keys()
    assert "another page" in _targets(built[0])


def test_links_to_files_lead_to_the_repository_where_its_address_is_known(built, monkeypatch):
    for name, value in {"SERVER_URL": "https://git.example", "REPOSITORY": "a/b", "SHA": "c0ffee"}.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)
    found = _targets(built[0])
    assert found["a source"] == "https://git.example/a/b/blob/c0ffee/normbench/cli/run.py"
    assert found["a folder"] == "https://git.example/a/b/blob/c0ffee/normbench/papers"


def test_no_address_of_a_repository_is_written_down():
    texts = [path.read_text(encoding="utf-8") for path in (*ROOT.glob("ci/site/*.py"), ROOT / "docs" / "conf.py")]
    assert [found for text in texts for found in re.findall(r"https?://(?:www\.)?git\S+", text)] == []
