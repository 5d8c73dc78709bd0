"""Pages as a browser lays them out: nothing is wider than the window but what scrolls by itself."""

import pytest

pytestmark = pytest.mark.filterwarnings("ignore::sphinx.deprecation.RemovedInSphinx11Warning")
WIDER = """() => [...document.querySelectorAll("article *")].filter(one => {
    const scrolls = node => ["auto", "scroll"].includes(getComputedStyle(node).overflowX);
    for (let above = one; above.tagName != "ARTICLE"; above = above.parentElement) if (scrolls(above)) return false;
    return one.getBoundingClientRect().right > document.documentElement.clientWidth + 1;
}).map(one => one.outerHTML.slice(0, 80))"""
LINES = """() => [...document.querySelectorAll("article details .highlight-bash pre")].map(one => {
    for (let above = one; above; above = above.parentElement) if (above.tagName == "DETAILS") above.open = true;
    return one.scrollWidth - one.clientWidth;
})"""


@pytest.fixture(params=[390, 1280], scope="module")
def opened(request, browser):
    context = browser.new_context(viewport={"width": request.param, "height": 900})
    yield context.new_page()
    context.close()


PAGES = "index", "docs/optimisers/adam", "docs/reference/commands", "docs/reference/normbench.torch", "docs/gallery"


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_wider_than_the_window(site, opened, page):
    opened.goto((site.folder / f"{page}.html").as_uri())
    assert opened.evaluate(WIDER) == []
    assert opened.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth + 1")


def test_the_check_of_widths_notices_one(site, opened):
    opened.goto((site.folder / "index.html").as_uri())
    opened.evaluate("document.querySelector('article h1').style.width = '3000px'")
    assert len(opened.evaluate(WIDER)) > 0


def test_the_commands_that_made_rows_are_read_without_scrolling(site, opened):
    opened.goto((site.folder / "docs/optimisers/adam.html").as_uri())
    beyond = opened.evaluate(LINES)
    assert len(beyond) > 5
    assert max(beyond) <= 1
