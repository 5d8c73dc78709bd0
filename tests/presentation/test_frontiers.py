"""A frontier is shown as it was computed: the same figures as table, Markdown, CSV, JSON, chart and page."""

import csv
import io
import json
import math
import re

import pytest
from click.testing import CliRunner
from rich.console import Console

from ci.readme import FRONTIER, FRONTIER_ENDS, with_frontier
from ci.results import differences, rebuilt
from normbench.analysis.frontier import frontiers
from normbench.cli.leaderboard import command
from normbench.presentation import frontier_files, frontier_tables
from normbench.presentation.across import across
from normbench.presentation.charts.frontier import frontier_picture
from normbench.presentation.charts.frontier_data import drawn
from normbench.presentation.frontier_commands import commands
from normbench.presentation.frontiers import way_name
from normbench.presentation.page import report_page
from normbench.presentation.page.frontiers import shelves
from normbench.records.frame import write_file
from normbench.records.store import Store
from tests.analysis.conftest import BOUNDS, SEEDS
from tests.presentation.drawn import caption, key, layers, panels

pytestmark = pytest.mark.quick


@pytest.fixture(scope="module")
def runs(level, planted):
    """Two ways at all bounds, one of them tuned, a sweep, a ceiling, and one whose certificate is too large at 20."""
    sphere = {"parametrisation": "sphere", "iterations": 100}
    sweep = [
        planted("method1", asked, seed, rms, lipschitz_certificate=certificate, **sphere)
        for asked, certificate, rms in ((10.0, 4.0, 1.6), (40.0, 16.0, 1.2))
        for seed in SEEDS
    ]
    free = {"parametrisation": None}
    scaled = [
        run
        for scale, certificate, rms in ((0.5, 4.5, 1.7), (2.0, 18.0, 1.3))
        for run in level("agd", rms, bounds=(None,), lipschitz_certificate=certificate, **free, output_scale=scale)
    ]
    return [
        *scaled,
        *level("geodesic_lbfgs", 1.0),
        *level("adam", 1.1, learning_rate=0.1, tuning_runs=5),
        *level("lbfgs", 1.2, bounds=(5.0, 80.0)),
        *(planted("lbfgs", 20.0, seed, 1.2, lipschitz_certificate=20.5) for seed in SEEDS),
        *sweep,
        *level("muon", 0.9, bounds=(None,), parametrisation=None, lipschitz_certificate=300.0),
    ]


@pytest.fixture(scope="module")
def found(runs):
    return frontiers(runs)


def written(found, width=200):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(frontier_tables.terminal(found, across(found), width=width))
    return console.export_text()


def test_the_table_shows_means_marks_prices_and_reasons(found):
    text = written(found)
    lines = {words[2]: words for words in (line.split() for line in text.splitlines()) if len(words) > 4}
    assert lines["geodesic_lbfgs"][-5:] == ["▼1.111", "▼1.111", "▼1.111", "+0.0", "%"]
    assert "5 runs a bound: 0.1" in text
    assert re.search(r"– +lbfgs spectral .* 1\.320 \S* *above L +1\.320", text)
    assert "lbfgs spectral (torch) at L = 20: seeds 0 to 2 with a certificate above the bound (20.5)" in text
    assert "method1 sphere (torch) is a sweep: asked for L = 10, 40, its certificates are 4.0 to 16.0" in text
    said = (
        "agd scaled (torch) is a sweep: with 0.5, 2 times the outputs of its paper's scaling, its certificates are 4.5"
    )
    assert said in text
    assert re.search(r"muon, default +torch +default \S+ +0\.990 +300", text)
    assert "SIMULATED" in text
    assert "The certificates of" not in text  # every run ended at the budget


@pytest.mark.parametrize("width", [80, 120])
def test_a_narrow_terminal_leaves_columns_out_and_says_so(found, width):
    text = written(found, width)
    assert max(map(len, text.splitlines())) <= width
    assert "L = 5" in text
    assert "L = 80" in text
    assert ("tuning needed." in text) == (width == 80)


def test_markdown_csv_and_json_hold_the_same_figures(found):
    rows = [json.loads(line) for line in frontier_files.json_lines(found).splitlines()]
    cells = {(row["way"], row["lipschitz"]): row for row in rows if row["role"] == "at L"}
    assert cells["adam spectral", 20.0]["vs_best_mean"] == pytest.approx(1.1 / 1.01 - 1)
    assert cells["lbfgs spectral", 20.0]["lost"] == dict.fromkeys("012", "with a certificate above the bound")
    assert cells["lbfgs spectral", 20.0]["test_rms_mean"] is None
    assert {row["lipschitz_certificate"] for row in rows if row["role"] == "point"} == {4.0, 16.0, 4.5, 18.0, 300.0}
    assert {row["output_scale"] for row in rows if row["way"] == "agd scaled" and row["role"] == "point"} == {0.5, 2.0}
    table = list(csv.DictReader(io.StringIO(frontier_files.csv(found))))
    assert [row["test_rms_mean"] for row in table] == [
        "" if row["test_rms_mean"] is None else str(row["test_rms_mean"]) for row in rows
    ]
    [line] = [line for line in frontier_tables.markdown(found, []).splitlines() if line.startswith("| 2 (2-2) | adam")]
    shown = [float(text) for text in re.findall(r"\| (\d\.\d{3})", line)]
    assert shown == [pytest.approx(cells["adam spectral", bound]["test_rms_mean"], abs=5e-4) for bound in BOUNDS]


def test_the_chart_draws_ways_at_their_bound_and_sweeps_at_their_certificates(found):
    picture = frontier_picture(found[0], name="frontier")
    ranked, sweeps = ["geodesic_lbfgs sandwich", "adam spectral", "lbfgs spectral"], ["method1 sphere", "agd scaled"]
    assert key(picture) == [*ranked, *sweeps, "muon, default, no bound"]
    left, right = panels(picture)
    at = {}
    for row in layers(left, "line")[-1]["data"]["values"]:
        at.setdefault(row["name"], []).append((row["bound"], row["rms"]))
    assert at["geodesic_lbfgs sandwich"] == [(bound, pytest.approx(1.111)) for bound in BOUNDS]
    assert at["method1 sphere"] == [(4.0, pytest.approx(1.6)), (16.0, pytest.approx(1.2))]
    assert at["agd scaled"] == [(4.5, pytest.approx(1.87)), (18.0, pytest.approx(1.43))]
    assert at["lbfgs spectral"] == [(5.0, pytest.approx(1.32)), (80.0, pytest.approx(1.32))]
    assert at["muon, default, no bound"] == [(300.0, pytest.approx(0.99))]
    excess = {(row["name"], row["bound"]): row["excess"] for row in layers(right, "line")[0]["data"]["values"]}
    assert excess["adam spectral", 20.0] == pytest.approx(100 * (1.1 / 1.01 - 1), abs=1e-3)
    assert ("muon, default, no bound", 300.0) not in excess
    assert "seeds 0 to 2" in caption(picture)


def test_the_linear_fit_has_its_gain_where_records_have_it(found, runs, level):
    assert not any("gain" in row["predictor"] for row in drawn(found[0]).trivial)
    predictors = {name: {"train": 1.0, "test": 1.0} for name in ("zero", "mean", "linear")}
    predictors["linear"]["gain"] = 118.0
    [known] = frontiers(level("adam", 1.1, predictors=predictors) + level("lbfgs", 0.5, predictors=predictors))
    assert "linear fit, gain 118" in [row["predictor"] for row in drawn(known).trivial]


def test_no_more_lines_are_coloured_than_can_be_told_apart(level):
    many = [
        run for k in range(14) for run in level("adam", 1.0 + 0.01 * k, initialisation="orthogonal", batch_size=k + 1)
    ]
    shown = drawn(frontiers(many)[0])
    assert len(shown.looks.names) <= 10
    assert len({point["name"] for point in shown.points}) == 14


def test_a_certificate_of_a_later_network_is_named(level):
    longer = level("method1", 1.2, parametrisation="sphere", lipschitz_certificate=4.0)
    text = written(frontiers([*level("adam", 1.1), *longer]))
    assert "The certificates of method1 sphere (torch) are those after 400 evaluations." in text


def test_a_way_that_was_not_run_for_a_budget_is_no_row_of_it_and_named(level):
    longer = level("lbfgs", 0.8, iterations=1000)
    text = written(frontiers([*level("lbfgs", 1.0), *longer, *level("adam", 1.2)])[1:])
    assert "Not run for so many evaluations: adam spectral (torch)." in " ".join(text.split())
    assert text.count("adam") == 1


def test_rows_of_a_jacobian_are_planned_and_read_as_gradients(level):
    """Of three outputs an iteration is four evaluations."""
    free = {"parametrisation": None, "iterations": 50, "losses": 4, "gradients": 4, "backend": "jax"}
    fitted = level("levenberg_marquardt", 0.7, bounds=[None], lipschitz_certificate=40.0, **free)
    text = written(frontiers([*level("adam", 1.1), *level("adam", 1.0, bounds=[5.0, 20.0], iterations=400), *fitted]))
    assert len(re.findall(r"levenberg_marquardt +jax +none +0\.770 +40", text)) == 1
    assert "Not run for so many evaluations: levenberg_marquardt (jax)." in " ".join(text.split())


def test_an_iteration_is_planned_as_the_evaluations_that_its_optimiser_declares(level):
    """A product with the Hessian and a step at least: runs of 100 iterations are no frontier of their own."""
    products = {"parametrisation": "sandwich", "iterations": 100, "losses": 5, "gradients": 5}
    text = written(frontiers([*level("adam", 1.1), *level("riemannian_tr", 0.7, **products)]))
    assert re.findall(r"after (\d+) evaluations", text) == ["200"]
    assert len(re.findall(r"riemannian_tr sandwich +torch +none", text)) == 1


def test_tasks_are_averaged_and_who_lacks_one_is_named(runs, level):
    elsewhere = [
        *level("geodesic_lbfgs", 3.0, split="blocked"),
        *level("adam", 6.0, split="blocked", learning_rate=0.1, tuning_runs=5),
    ]
    elsewhere += level("prodigy", 1.0, split="blocked")
    [one] = across(frontiers([*runs, *elsewhere]))
    assert [row.line.way.first.request.optimiser for row in one.rows] == ["geodesic_lbfgs", "adam"]
    assert one.rows[1].place.excess.mean == pytest.approx(math.sqrt(1.1 * 2) / 1.01 - 1)
    missing = {line.way.first.request.optimiser for line, _ in one.missing}
    assert missing == {"prodigy", "lbfgs", "method1", "agd"}
    lacking = "prodigy spectral (torch) on quadrotor-sim 12-25-30-15-3 (random split, SIMULATED)"
    assert lacking in frontier_tables.markdown(frontiers([*runs, *elsewhere]), [one])


def test_the_page_begins_with_the_frontier(level):
    html = report_page(level("adam", 1.1))  # boards of one optimiser have no figures, which cost seconds
    assert html.index("At the bound you name: quadrotor-sim") < html.index('id="networks"')
    assert html.count("▼1.210") == len(BOUNDS)
    charts = json.loads(re.search(r'id="charts">(.*?)</script>', html, flags=re.DOTALL)[1])
    assert [chart["key"].split("-")[0] for chart in charts] == ["frontier", "excess"]
    section = html[html.index('<section aria-labelledby="frontier') :].partition("</section>")[0]
    said = re.findall(r"<(caption|figcaption).*?</\1>", section, flags=re.DOTALL)
    assert len(said) == 4
    assert section.count("SIMULATED data") >= len(said)
    assert "At the bound you name" not in report_page(level("adam", 1.1, bounds=(20.0,)))


def test_a_sweep_of_scales_has_no_row_where_bounds_that_were_asked_for_are_proven(found):
    [shelf] = shelves(found, {})
    [proven] = [table for table in shelf.tables if table.caption.startswith(frontier_tables.PROVEN)]
    named = [way_name(one.line) for one in proven.rows]
    assert ("method1 sphere" in named, "agd scaled" in named) == (True, False)
    text = frontier_tables.markdown(found, []).partition("What was proven")[2].partition("<details>")[0]
    assert ("method1 sphere" in text, "agd scaled" in text) == (True, False)


def test_the_command_leads_with_the_frontier(level, tmp_path):
    for run in (runs := level("adam", 1.1)):
        Store(tmp_path / "records").write(run)
    options = [], ["--frontier", "--format", "csv"]
    board, table = (CliRunner().invoke(command, ["--out", str(tmp_path), *more]) for more in options)
    assert (board.exit_code, table.exit_code) == (0, 0)
    words = " ".join(board.output.split())  # whatever the width of the terminal
    assert words.index("at a certified bound L") < words.index("L = 5, RMS in N")
    assert table.output == frontier_files.csv(frontiers(runs))


def test_the_readme_has_the_best_ways_between_its_marks(level):
    real = {"task": "neural-fly", "simulated": False}
    made = frontiers([*level("geodesic_lbfgs", 1.0, **real), *level("adam", 1.1, **real)])
    text = f"Before\n\n{FRONTIER}old\n{FRONTIER_ENDS}\nAfter\n"
    once = with_frontier(text, made)
    assert with_frontier(once, made) == once
    assert "old" not in once
    assert once.startswith(f"Before\n\n{FRONTIER}\n![")
    assert once.endswith(f"|\n\n{FRONTIER_ENDS}\nAfter\n")
    assert "| 1 (1-1) | geodesic_lbfgs sandwich | none | ▼1.111 |" in once
    assert with_frontier(text, []) == text
    assert with_frontier("no marks\n", made) == "no marks\n"


def test_published_frontiers_follow_their_records_where_there_are_any(level, tmp_path):
    runs = level("adam", 1.1)
    write_file(runs[:1], tmp_path / "records.parquet")
    assert not {"frontier.md", "frontier.csv"} & rebuilt(tmp_path).keys()
    write_file(runs, tmp_path / "frontier.parquet")
    made = rebuilt(tmp_path)
    assert made["frontier.csv"] == frontier_files.csv(frontiers(runs))
    for name, text in made.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert differences(tmp_path) == {}
    write_file(level("adam", 1.2), tmp_path / "frontier.parquet")
    assert differences(tmp_path).keys() == {"frontier.md", "frontier.csv"}


def test_the_command_of_a_way_names_the_backend_that_searched(level):
    searched = {"tuning_runs": 15, "tuning_low": 1e-4, "tuning_high": 1.0, "parametrisation": "spectral"}
    torch = level("adam", 1.0, backend="torch", **searched)
    trials = level("adam", 1.0, seeds=range(1000, 1003), backend="jax", judged_on="validation", **searched)
    for runs, backends in ((torch, "torch"), (torch + trials, "torch --backend jax")):
        [found] = frontiers(runs)
        [words] = commands(found, found.lines[0])
        assert f"--backend {backends} --" in words


def test_ways_without_a_seed_in_common_make_a_picture_without_differences(level):
    """Its table had no columns to name them."""
    [frontier] = frontiers([*level("adam", 1.1, seeds=(0,)), *level("lbfgs", 0.9, seeds=(1,))])
    assert drawn(frontier).excess == []
    picture = frontier_picture(frontier, name="frontier")
    assert set(picture.data["panel"]) == {"test RMS"}
    assert len(picture.data) == 2 * len(BOUNDS)
