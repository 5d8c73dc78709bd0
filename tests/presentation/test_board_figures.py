"""The figures of a leaderboard: which rows make the front, and what the searches say of learning rates."""

import math

import numpy as np
import pandas as pd
import pytest

from normbench.analysis.leaderboard import boards
from normbench.analysis.sensitivity import learning_rate_sensitivity
from normbench.presentation.charts import board
from normbench.presentation.page.ways import sections
from normbench.specs import SPECS
from tests.presentation.drawn import key, layers, line_points, panels, rows_as_points, short, title


@pytest.fixture(scope="module")
def board_runs(make):
    figures = {
        ("method1", None): (10.0, 0.9),
        ("method2", None): (9.0, 0.95),
        ("fromage", 0.01): (10.0, 0.92),  # as tight as method 1, but worse
        ("adam", 0.001): (50.0, 0.8),
        ("sgd", 0.001): (60.0, 0.85),
    }
    return [
        make(
            key,
            rate,
            seed=seed,
            lipschitz_bound=bound,
            lipschitz_certificate=bound,
            lipschitz_measured=bound / 2,
            test_rms=rms + 0.01 * seed,
        )
        for (key, rate), (bound, rms) in figures.items()
        for seed in (0, 1)
    ]


def section_of(records):
    [section] = sections(boards(records))
    return section


def test_the_front_holds_the_rows_that_no_other_beats_in_both(board_runs):
    picture = board.front(section_of(board_runs))
    on_front = picture.data.set_index("optimiser")["on_front"].to_dict()
    assert on_front == {"method1": True, "method2": True, "fromage": False, "adam": True, "sgd": False}
    [stairs] = layers(panels(picture)[0], "line")
    assert (stairs["mark"]["interpolate"], stairs["transform"]) == ("step-after", [{"filter": "datum.front"}])
    [marks] = layers(panels(picture)[0], "point")
    expected = picture.data[["lipschitz_bound", "test_rms"]].to_numpy()
    assert {short(row) for row in expected} == {short((row["bound"], row["rms"])) for row in marks["data"]["values"]}
    assert [row["front"] for row in marks["data"]["values"]] == picture.data["on_front"].tolist()
    measured = picture.data["lipschitz_measured"]
    assert (measured == picture.data["lipschitz_bound"] / 2).all()
    assert "SIMULATED" in title(picture)


def test_an_optimiser_that_the_main_backend_lacks_comes_from_another(make, board_runs):
    figures = {
        "backend": "jax",
        "lipschitz_bound": 20.0,
        "lipschitz_certificate": 20.0,
        "lipschitz_measured": 1.0,
        "test_rms": 0.7,
    }
    others = [make(key, rate, seed=0, **figures) for key, rate in (("adam", 0.001), ("agd", None))]
    data = board.front_rows(section_of([*board_runs, *others]))
    assert data.set_index("optimiser")["backend"].to_dict() == {
        "method1": "torch",
        "method2": "torch",
        "fromage": "torch",
        "adam": "torch",
        "sgd": "torch",
        "agd": "jax",
    }


def test_a_row_with_a_lost_run_is_no_point(make, board_runs):
    lost = make(
        "lars", 0.01, seed=0, status="diverged", lipschitz_bound=1.0, lipschitz_certificate=1.0, test_rms=math.nan
    )
    data = board.front_rows(section_of([*board_runs, lost]))
    assert "lars" not in set(data["optimiser"])


def test_sensitivity_draws_the_ratios_of_the_search(make):
    runs = [make("adam", rate, train_rms=1 + k) for k, rate in enumerate(SPECS["adam"].tuned.grid)]
    picture = board.sensitivity(learning_rate_sensitivity(runs))
    np.testing.assert_allclose(picture.data["ratio"], [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])
    assert line_points(panels(picture)[0]) == rows_as_points([picture.data], "value", "ratio")
    elsewhere = [make("sgd", rate, train_rms=1.0, task="neural-fly") for rate in SPECS["sgd"].tuned.grid]
    both = board.sensitivity(learning_rate_sensitivity([*runs, *elsewhere]))
    legend = [label.split()[0] for label in key(both)]
    assert sorted(legend) == ["neural-fly", "quadrotor-sim"]  # though no panel has both
    pictures = board.board_pictures(runs)
    assert [p.name for p in pictures] == ["fromage-figure4"]  # one row is no front


def test_names_of_levels_do_not_touch():
    known = pd.DataFrame({"predictor": ["zero", "mean", "linear"], "rms": [1.0, 0.95, 0.6]})
    assert board._apart(known, (0.2, 1.02))["baseline"].tolist() == ["middle", "top", "middle"]
    assert set(board._apart(known, (0.9, 1.02))["baseline"]) == {"middle"}  # enlarged, they are far apart
