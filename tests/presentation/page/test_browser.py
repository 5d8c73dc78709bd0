"""The page in headless Chromium: silent, sortable, honest about its slider, readable for everyone."""

import re

import pytest

from normbench.presentation.commands import command
from tests.presentation.page.conftest import WINDOW, Visit

SIM = "quadrotor-sim-random-12-25-30-15-3"
TABLE = f"#table-{SIM}"
BACKGROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 29)"}


def cells(visit, column):
    """Text of a column of the simulated board, by rows, the remarks under it left out."""
    return visit.page.eval_on_selector_all(
        f"{TABLE} tbody tr > :nth-child({column})", "found => found.map(cell => cell.firstChild?.textContent ?? '')"
    )


def names(visit):
    return visit.page.eval_on_selector_all(
        f"{TABLE} tbody th", "found => found.map(cell => cell.querySelector('.name')?.textContent ?? 'other')"
    )


# Silence


def test_the_page_asks_nobody_and_says_nothing(opened):
    assert opened.asked == []
    assert opened.said == []


@pytest.fixture(scope="module")
def planted(browser, html, tmp_path_factory):
    """The page with faults of every kind: it asks the network and speaks, is pale, and does not say its language."""
    bad = re.sub(r"<meta http-equiv=.*?>", "", html).replace(
        "</main>", '<img alt="" src="http://example.invalid/spy.png"><script>console.error("planted")</script></main>'
    )
    bad = bad.replace("--muted: light-dark(#565d66", "--muted: light-dark(#bbbbbb")
    bad = bad.replace('<html lang="en">', "<html>")
    path = tmp_path_factory.mktemp("planted") / "report.html"
    path.write_text(bad, encoding="utf-8")
    context = browser.new_context(viewport=WINDOW)
    yield Visit(context, path)
    context.close()


def test_a_planted_request_and_a_planted_message_are_caught(planted):
    assert planted.asked == ["http://example.invalid/spy.png"]
    assert "error: planted" in planted.said


def test_the_page_forbids_itself_the_network(visit, html, tmp_path):
    planted = html.replace("</main>", '<img alt="" src="http://example.invalid/spy.png"></main>')
    (tmp_path / "report.html").write_text(planted, encoding="utf-8")
    opened = visit(tmp_path / "report.html")
    assert opened.asked == []
    assert "Content Security Policy" in opened.said[0]


# Tables


def until_sorted(opened, header, direction):
    opened.page.wait_for_function(f"header => header.ariaSort === '{direction}'", arg=header.element_handle())


def test_a_click_sorts_and_the_kinds_of_rows_stay_apart(opened):
    header = opened.page.locator(f"{TABLE} thead th", has_text="bound")
    place = 1 + opened.page.locator(f"{TABLE} thead th").all_text_contents().index("bound")
    header.click()
    until_sorted(opened, header, "ascending")
    rising = [float(text) for text in cells(opened, place) if text]
    header.click()
    until_sorted(opened, header, "descending")
    falling = [float(text) for text in cells(opened, place) if text]
    assert rising == sorted(rising)
    assert falling == rising[::-1]
    assert len(rising) == 4  # of two backends each
    assert names(opened)[-5:] == ["other"] * 5  # three predictors, two published rows


def test_the_keyboard_sorts_and_tells_screen_readers(opened):
    header = opened.page.locator(f"{TABLE} thead th", has_text="optimiser")
    opened.page.locator(f"{TABLE}_wrapper input[type=search]").focus()
    for _ in range(20):
        opened.page.keyboard.press("Tab")
        if header.evaluate("h => h.contains(document.activeElement)"):
            break
    opened.page.keyboard.press("Enter")
    until_sorted(opened, header, "ascending")
    assert [name for name in names(opened) if name != "other"] == sorted(["adam", "agd", "method1", "adam"])


def test_the_filter_keeps_matching_rows(opened):
    before = len(names(opened))
    opened.page.locator(f"{TABLE}_wrapper input[type=search]").fill("adam torch")
    assert names(opened) == ["adam", "adam"]
    assert set(cells(opened, 2)) == {"torch, jax"}
    opened.page.locator(f"{TABLE}_wrapper input[type=search]").fill("")
    assert len(names(opened)) == before == 9


def test_every_row_names_its_command_and_links_to_its_records(opened, page_path, compared):
    way = next(way for way in compared[1].ways if (way.label, way.backend) == ("adam tuned", "jax"))
    name = opened.page.locator(f"{TABLE} .name[popovertarget='how-{way.key}']")
    assert name.count() == 0  # until its line is opened
    opens = opened.page.locator(f"{TABLE} button.twins", has_text="2 backends of adam tuned")
    opens.click()
    assert opens.get_attribute("aria-expanded") == "true"
    assert [row.split() for row in opened.page.locator(f"{TABLE} tr.twin th").all_inner_texts()] == [
        ["adam", "torch"],
        ["adam", "jax"],
    ]
    name.click()
    shown = opened.page.locator(f"#how-{way.key}")
    assert shown.locator("pre").inner_text() == command(way.row, compared[1].board)
    links = shown.locator("a").evaluate_all("found => found.map(link => link.getAttribute('href'))")
    assert links == [f"records/{run.record_id}.json" for run in way.runs]
    assert all((page_path.parent / link).is_file() for link in links)
    opened.page.keyboard.press("Escape")
    assert not shown.is_visible()
    opens.click()
    assert opens.get_attribute("aria-expanded") == "false"
    assert opened.page.locator(f"{TABLE} tr.twin").count() == 0


def press_copy(opened, way):
    opened.page.evaluate("document.getElementById('said').textContent = ''")
    opened.page.locator(f"[popovertarget='how-{way.key}']").first.click()
    opened.page.locator(f"#how-{way.key} .copy").click()
    opened.page.wait_for_function("document.getElementById('said').textContent")
    return opened.page.locator("#said").text_content()


def test_copy_puts_the_command_on_the_clipboard(opened, compared):
    way = compared[1].ways[0]
    assert press_copy(opened, way) == "copied"
    opened.page.keyboard.press("Escape")
    entry = opened.page.locator(f"{TABLE}_wrapper input[type=search]")
    entry.press("Control+V")
    assert entry.input_value() == command(way.row, compared[1].board)
    entry.fill("")


def test_without_a_clipboard_copy_selects_the_command(opened, compared):
    way = compared[1].ways[0]
    opened.page.evaluate(
        "Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true }).clipboard"
    )
    assert press_copy(opened, way).startswith("selected")
    assert opened.page.evaluate("getSelection().toString()").strip() == command(way.row, compared[1].board)
    opened.page.evaluate("delete navigator.clipboard")
    opened.page.keyboard.press("Escape")


# Legend


def strengths(opened):
    """How strongly the curves of each colour are drawn."""
    opened.page.wait_for_timeout(100)  # one turn of the charts
    return dict(
        opened.page.eval_on_selector_all(
            f"#chart-learning-{SIM} .mark-line.role-mark path",
            "found => found.map(line => [line.getAttribute('stroke'), line.getAttribute('opacity')])",
        )
    )


def test_picking_in_a_legend_fades_the_others_everywhere(opened):
    adam = opened.page.locator(".pick[data-optimiser=adam]").first
    adam.click()
    assert strengths(opened) == {
        "var(--series-adam)": "1",
        "var(--series-agd)": "0.1",
        "var(--series-method1)": "0.1",
    }
    pressed = opened.page.eval_on_selector_all(
        ".pick[data-optimiser=adam]", "found => found.map(button => button.getAttribute('aria-pressed'))"
    )
    assert set(pressed) == {"true"}
    adam.click()
    assert set(strengths(opened).values()) == {"1"}


# For everyone


def background(opened):
    return opened.page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_the_page_follows_the_system_and_the_switch(opened):
    for system, other in (("light", "dark"), ("dark", "light")):
        opened.page.emulate_media(color_scheme=system)
        assert background(opened) == BACKGROUNDS[system]
        opened.page.locator("#theme").click()
        assert background(opened) == BACKGROUNDS[other]
        opened.page.evaluate("delete document.documentElement.dataset.theme")  # as if never chosen


@pytest.mark.parametrize("width", [360, 768])
def test_a_narrow_window_needs_no_sideways_scrolling(visit, page_path, width):
    opened = visit(page_path, viewport={"width": width, "height": 740}, is_mobile=True)
    opened.draw()
    opened.unfold()
    assert opened.page.evaluate("document.documentElement.scrollWidth") == width
    charts = opened.page.locator(".chart svg").all()
    assert len(charts) == 15
    assert max(chart.bounding_box()["width"] for chart in charts) <= width


def violations(opened, **options):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python")
    found = axe.Axe().run(opened.page, options=options or None).response["violations"]
    return {rule["id"]: [node["target"] for node in rule["nodes"]][:3] for rule in found}


OF_COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}  # all that axe asks of its own accord


@pytest.mark.parametrize(("scheme", "options"), [("light", {}), ("dark", {"runOnly": OF_COLOURS})], ids=BACKGROUNDS)
def test_axe_finds_nothing(opened, scheme, options):
    """In the dark only what a scheme changes is asked: colours."""
    opened.page.emulate_media(color_scheme=scheme)
    assert background(opened) == BACKGROUNDS[scheme]
    assert violations(opened, **options) == {}


def test_axe_finds_what_is_planted(planted):
    # the rest of the page is enough, and axe looks at every word of a chart
    planted.page.evaluate("document.querySelectorAll('main section').forEach(section => section.remove())")
    assert {"html-has-lang", "color-contrast"} <= violations(planted).keys()


def test_everything_from_simulated_data_says_so(opened):
    section = opened.page.locator(f"section[aria-labelledby='{SIM}']")
    words = [*section.locator("caption").all_text_contents(), *section.locator("figcaption").all_text_contents()]
    pictures = section.locator(".chart svg").evaluate_all("found => found.map(svg => svg.textContent)")
    assert len(pictures) == 4
    assert all("SIMULATED" in text for text in words + pictures)
    real = opened.page.locator("section[aria-labelledby='neural-fly-random-12-25-30-15-3']")
    assert not any("SIMULATED" in text for text in real.locator("caption, figcaption").all_text_contents())


def test_every_chart_has_a_description_for_screen_readers(opened):
    labels = opened.page.eval_on_selector_all(".chart", "found => found.map(chart => chart.getAttribute('aria-label'))")
    assert len(set(labels)) == len(labels) == 15
