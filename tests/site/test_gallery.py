"""The gallery has every published figure, each with its reading; tests/test_shown_commands.py has its commands."""

import re
from pathlib import Path

from normbench.papers.experiments import EXPERIMENTS

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "gallery.md").read_text(encoding="utf-8")
FIGURES = [*(DOCS.parent / "results" / "figures").glob("*.svg"), *(DOCS / "figures").glob("*.svg")]


def shown(text):
    """The figures of a text, each with what stands below it."""
    found = re.findall(r"^!\[[^\]]+\]\(([^)]+)\)\n\n([^!#].*?)\n(?:\n|\Z)", text, re.MULTILINE | re.DOTALL)
    return {(DOCS / target).resolve(): " ".join(reading.split()) for target, reading in found}


def test_no_published_figure_is_missing_and_none_is_made_up():
    assert {path.resolve() for path in FIGURES} == set(shown(TEXT))
    assert len(FIGURES) > 20


def test_a_figure_that_nobody_entered_is_noticed():
    assert (DOCS / "figures" / "history.svg").resolve() not in shown(TEXT.replace("figures/history.svg", ""))


def test_every_figure_has_one_sentence():
    readings = shown(TEXT).values()
    assert [reading for reading in readings if not re.fullmatch(r"[^.]+(\.\w[^.]+)*\)?\.", reading)] == []


def test_simulated_figures_say_so():
    """In the picture, of which the page says it for all."""
    for path in FIGURES:
        if "quadrotor-sim" in path.name:
            assert "SIMULATED" in path.read_text(encoding="utf-8"), path.name
            assert "imulated" in shown(TEXT)[path.resolve()], path.name


def test_every_experiment_with_a_stored_figure_is_named():
    names = [e.name for e in EXPERIMENTS if any(path.name.startswith(e.name) for path in FIGURES)]
    assert len(names) > 5
    drawn_again = "fromage-figure4"  # from the published records, by ci.results
    assert [name for name in names if f"reproduce {name}" not in TEXT and name != drawn_again] == []
