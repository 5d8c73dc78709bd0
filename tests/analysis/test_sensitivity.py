"""The sensitivity to the learning rate is read from whole searches only, and a lost run is worth nothing."""

import math

from normbench.analysis.sensitivity import COLUMNS, learning_rate_sensitivity
from normbench.specs import SPECS

GRID = SPECS["adam"].tuned.grid
ERRORS = [2.0, 1.0, 0.5, 4.0, math.nan]


def search(make, errors=ERRORS, **changes):
    return [
        make(
            "adam",
            value,
            train_rms=error,
            test_rms=2 * error,
            status="done" if math.isfinite(error) else "diverged",
            **changes,
        )
        for value, error in zip(GRID, errors, strict=True)
    ]


def test_ratios_are_best_over_this_and_nought_where_it_diverged(make):
    frame = learning_rate_sensitivity(search(make))
    assert frame.columns.tolist() == list(COLUMNS)
    assert frame["value"].tolist() == list(GRID)
    assert frame["ratio"].tolist() == [0.25, 0.5, 1.0, 0.125, 0.0]
    assert frame["metric"].tolist()[:4] == ERRORS[:4]
    assert frame.loc[frame["is_default"], "value"].tolist() == [1e-3]
    assert set(frame["status"]) == {"done", "diverged"}
    assert frame["simulated"].all()


def test_a_diverged_run_is_nought_even_where_it_left_a_figure(make):
    records = search(make, [2.0, 1.0, 0.5, 4.0, 4.0])
    lost = [
        r if r.request.hyperparameters["learning_rate"] < 1 else make("adam", 1.0, status="diverged", train_rms=0.1)
        for r in records
    ]
    assert learning_rate_sensitivity(lost)["ratio"].tolist() == [0.25, 0.5, 1.0, 0.125, 0.0]


def test_a_search_in_which_all_diverged_has_no_best(make):
    assert learning_rate_sensitivity(search(make, [math.nan] * 5))["ratio"].tolist() == [0.0] * 5


def test_seeds_and_optimisers_without_a_whole_grid_are_left_out(make):
    others = [make("adam", 1e-2, seed=1, tuning_runs=5), make("adam", seed=1), make("method1")]
    frame = learning_rate_sensitivity(search(make) + others)
    assert set(frame["seed"]) == {0}
    assert set(frame["optimiser"]) == {"adam"}
    assert learning_rate_sensitivity(others).empty


def test_every_search_has_its_own_best(make):
    frame = learning_rate_sensitivity(search(make) + search(make, [1.0, 2.0, 3.0, 4.0, 5.0], backend="jax"))
    best = frame[frame["ratio"] == 1.0].set_index("backend")["value"]
    assert best.to_dict() == {"torch": 1e-2, "jax": 1e-4}


def test_a_search_on_validation_has_every_seed_and_every_value_that_it_tried(make):
    """Of a seed that lacks one, and of runs that are no search, there is nothing; a result is in another search."""

    def trials(values, seed, **changes):
        return [make("sgd", v, seed=seed, judged_on="validation", train_rms=1 + v, **changes) for v in values]

    tried = (1e-1, 1.0, 1e1, 1e2, 1e3, 1e4)
    whole = [*trials(tried, 1000), *trials(tried, 1001)]
    others = [*trials(tried[:-1], 1002), *trials((1e-3, 1e2), 0), make("sgd", 1e-3), make("sgd", 1e2, tuning_runs=18)]
    frame = learning_rate_sensitivity(whole + others)
    assert frame.groupby("seed")["value"].apply(list).to_dict() == {1000: list(tried), 1001: list(tried)}
    assert frame.loc[frame["value"] == 1.0, "ratio"].tolist() == [1.1 / 2.0] * 2
    assert learning_rate_sensitivity(others[-4:]).empty


def test_a_default_outside_the_grid_is_no_part_of_it(make):
    grid = SPECS["sgd"].tuned.grid
    records = [make("sgd", value, train_rms=1.0) for value in (*grid, 1e-3)]
    frame = learning_rate_sensitivity(records)
    assert frame["value"].tolist() == list(grid)
    assert not frame["is_default"].any()
