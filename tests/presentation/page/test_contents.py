"""The contents of the page lead to each of its frontiers and boards, a line for each network."""

import re

from normbench.papers.runs import PAPER_LAYERS
from normbench.presentation.page import report_page

OTHER = (12, 35, 35, 35, 35, 3)


def test_every_frontier_and_board_is_linked_once_from_the_line_of_its_network(make, level):
    records = [
        record
        for optimiser, rms in (("adam", 1.1), ("geodesic_lbfgs", 1.0))
        for layers in (PAPER_LAYERS, OTHER)
        for record in level(optimiser, rms, bounds=(10.0, 20.0), seeds=range(2), layers=layers)
    ]
    page = report_page([*records, *(make(optimiser) for optimiser in ("adam", "agd"))])
    navigation = re.search(r"<nav.*?</nav>", page, re.DOTALL)[0]
    lines = re.findall(r"<div>(.*?)</div>", navigation, re.DOTALL)
    names = [re.search(r"<dt>(.*?)</dt>", line)[1] for line in lines]
    assert sorted(names) == [
        f"quadrotor-sim, random split, {network}" for network in ("12-25-30-15-3", "depth 5, width 35")
    ]
    texts = [re.findall(r'<a href="#(.*?)">(.*?)</a>', line) for line in lines]
    linked = [key for line in texts for key, _ in line]
    assert len(set(linked)) == len(linked)
    headings = re.findall(r'<h2 id="(.*?)">', page)
    rest = re.findall(r'<a href="#(.*?)">', navigation.partition("</dl>")[2])
    assert rest == ["across-1", "environment"]
    assert {*linked, *rest} == {key for key in headings if key != "glance"}
    words = {text for line in texts for _, text in line}
    assert {"L = 10", "L = 20", "no bound named"} <= words
    assert any(word.startswith("after ") for word in words)
