"""The figure and the table of the small GAN show what its games saw, and the command writes them."""

import math

import pytest
from click.testing import CliRunner

from normbench.cli import main
from normbench.papers.fromage import gan
from normbench.papers.fromage import gan_figure as figures
from normbench.papers.fromage.published import published_gan
from normbench.presentation.charts.sheet import Origin
from tests.presentation.drawn import caption, levels, line_points, panels, rows_as_points, title

REAL = Origin("digits", "1", "torch", "float32", False, 2)


def row(optimiser, seed, step, distance, accuracy=0.5, decays=0):
    return {
        "optimiser": optimiser,
        "seed": seed,
        "step": step,
        "decays": decays,
        "distance": distance,
        "accuracy": accuracy,
    }


ROWS = [
    *(row("fromage", 0, k, d) for k, d in ((0, 8.0), (5, 1.0), (10, 2.0))),
    *(row("fromage", 1, k, d, decays=k // 10) for k, d in ((0, 6.0), (5, 5.0), (10, 4.0))),
    *(row("sgd", 0, k, d) for k, d in ((0, 8.0), (5, math.nan))),
    *(row("sgd", 1, k, d) for k, d in ((0, 6.0), (5, 5.0), (10, 3.0))),
]
REFERENCES = [
    {"reference": name, "seed": seed, "distance": 1.0 + seed, "accuracy": 0.2}
    for seed in range(2)
    for name in gan.REFERENCES
]


def test_curves_are_means_over_the_seeds_that_got_there():
    data = figures.gan_curves(ROWS, REFERENCES).set_index(["kind", "name", "step"])
    assert data.loc[("optimiser", "fromage", 10.0), "distance"] == 3.0
    assert data.loc[("optimiser", "fromage", 10.0), "distance_sd"] == pytest.approx(math.sqrt(2))
    assert data.loc[("optimiser", "sgd", 10.0), "seeds"] == 1
    held_out = data.xs("held-out digits", level="name")
    assert held_out["distance"].to_list() == [1.5]
    assert held_out.index.get_level_values("step").isna().all()


def test_the_table_has_ends_bests_failures_and_the_papers_figures():
    table = figures.gan_summary(ROWS, REFERENCES, published_gan()).set_index("images of")
    assert list(table.index) == ["fromage", "sgd", *gan.REFERENCES]
    assert table.loc["fromage", "distance"] == "3.000 ± 1.414"
    assert table.loc["fromage", "least distance"] == "2.500 ± 2.121"
    assert table.loc["fromage", "decays"] == "0, 1"
    assert table.loc["fromage", "paper's FID"] == "16 ± 1"
    assert table.loc["sgd", "distance"] == "3.000"
    assert (table.loc["sgd", "seeds"], table.loc["sgd", "failures"]) == ("2", "1")
    assert table.loc["pixel noise", "paper's FID"] == ""


def test_the_papers_learning_rates_are_those_of_its_table():
    rates = published_gan()["learning_rate"]
    assert dict(rates) == {"fromage": 0.01, "adam": 1e-4, "sgd": 0.01, "lars": 0.01}


def test_the_figure_draws_its_data_and_says_what_it_is_not():
    picture = figures.gan(ROWS, REFERENCES, REAL, published_gan(), size=gan.SIZE)
    played = picture.data[picture.data["kind"] == "optimiser"]
    for panel, quantity in zip(panels(picture), ("distance", "accuracy"), strict=True):
        drawn = line_points(panel)
        finite = played[played[quantity].notna()]
        assert rows_as_points((rows for _, rows in finite.groupby("name")), "step", quantity) <= drawn
        known = picture.data[picture.data["kind"] == "reference"]
        assert levels(panel) == dict(zip(known["name"], known[quantity], strict=True))
    assert "Not the paper's FID" in caption(picture)
    assert "an appendix that was not at hand" in caption(picture)
    assert "real data" in title(picture)


@pytest.mark.usefixtures("in_this_process")
def test_the_command_writes_figure_and_data(tmp_path, monkeypatch):
    monkeypatch.setattr(gan, "SIZE", gan.Size(steps=4, every=2, batch=8, noise=3, width=2))
    arguments = ["reproduce", "fromage-gan", "--backend", "torch", "--jobs", "1", "--seeds", "1", "--out"]
    outcome = CliRunner(env={"COLUMNS": "150"}).invoke(main, [*arguments, str(tmp_path)], catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    expected = [tmp_path / "figures" / f"fromage-gan.{ending}" for ending in ("svg", "pdf", "csv")]
    assert [path for path in expected if not path.is_file()] == []
    assert outcome.stdout.splitlines()[-3:] == [str(path) for path in expected]
    assert "held-out digits" in outcome.stdout
    assert "4 of 4 done" in outcome.stderr
