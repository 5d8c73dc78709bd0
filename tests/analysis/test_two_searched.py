"""Runs whose second hyperparameter was searched are one way, whatever was chosen; a user's own value is another."""

import pytest

from normbench import specs
from normbench.analysis.frontier import frontiers
from normbench.analysis.leaderboard import boards
from normbench.analysis.selection import search_key, unusual_hyperparameters
from normbench.analysis.sensitivity import learning_rate_sensitivity
from normbench.analysis.tuning import Rule
from normbench.presentation.frontier_captions import captions
from normbench.presentation.frontiers import tuning_words, way_name
from normbench.presentation.labels import row_name
from tests.analysis.conftest import BOUNDS

pytestmark = pytest.mark.quick
ONE = {"tuning_runs": 15, "tuning_low": 1e-3, "tuning_high": 1e-1}
BOTH = ONE | {"tuning_runs": 24, "tuning_second_runs": 9, "tuning_second_low": 0.8, "tuning_second_high": 0.98}
UNCHOSEN = {"tuning_second_low": 0.8, "tuning_second_high": 0.98}


def values(rate, momentum=0.9):
    return {"hyperparameters": specs.get("scion").resolve({"learning_rate": rate, "momentum": momentum})}


@pytest.fixture
def scion(level):
    """(test RMS, rate, momentum, changes) -> the runs of Scion at all bounds and seeds."""
    return lambda rms, rate, momentum, **changes: level(
        "scion", rms, parametrisation="ball", **values(rate, momentum), **changes
    )


def test_runs_with_other_second_values_at_other_bounds_are_one_way(scion):
    runs = [
        *scion(1.0, 0.01, 0.8, bounds=BOUNDS[:1], **BOTH),
        *scion(1.1, 0.03, 0.9, bounds=BOUNDS[1:2], **BOTH),
        *scion(1.2, 0.03, 0.95, bounds=BOUNDS[2:], **BOTH),
    ]
    [found] = frontiers(runs)
    [line] = found.lines
    assert all(cell.whole for cell in line.cells)
    assert way_name(line) == "scion ball"
    assert tuning_words(line) == "24 runs a bound: 0.01 to 0.03, momentum 0.8 to 0.95 †"
    assert "alone was searched" not in " ".join(captions(found))
    inner = [run for run in runs if run.request.lipschitz != BOUNDS[0]]
    assert tuning_words(frontiers(inner)[0].lines[0]) == "24 runs a bound: 0.03, momentum 0.9 to 0.95"


@pytest.mark.parametrize("day", ["2020-01-01", "2030-01-01"])  # before and after
def test_a_choice_of_two_stands_at_its_bounds_and_one_alone_elsewhere(scion, day):
    one = scion(1.0, 0.01, 0.9, created=f"{day}T00:00:00+00:00", **ONE)
    two = scion(1.1, 0.01, 0.8, bounds=BOUNDS[1:], created="2025-01-01T00:00:00+00:00", **BOTH)
    [found] = frontiers([*one, *two])
    [line] = found.lines
    momenta = [cell.runs[0].request.hyperparameters["momentum"] for cell in line.cells]
    assert momenta == [0.9, 0.8, 0.8]
    assert [tuning.cost for tuning in line.tunings] == [15, 24, 24]
    assert f"The first alone was searched for scion ball (torch) at L = {BOUNDS[0]:g}." in captions(found)
    assert [row.tuning.cost for row in boards([*one, *two])[1].optimisers] == [15, 24]  # a board shows both


def test_a_sweep_of_scales_names_those_at_which_one_alone_was_searched(level):
    def swept(scale, **changes):
        shared = {"bounds": (None,), "parametrisation": None, "output_scale": scale, "lipschitz_certificate": 9 * scale}
        return level("sgd_momentum", 1.0, **shared, **changes)

    chosen = [specs.get("sgd_momentum").resolve({"momentum": momentum}) for momentum in (0.9, 0.8)]
    runs = [*swept(0.5, hyperparameters=chosen[0], **ONE), *swept(2.0, hyperparameters=chosen[1], **BOTH)]
    [found] = frontiers([*level("lbfgs", 1.1), *runs])
    said = "The first alone was searched for sgd_momentum scaled (torch) at 0.5 times the outputs."
    assert said in captions(found)


def test_a_users_own_value_is_another_way_and_a_choice_that_no_longer_stands_none(scion):
    own, chosen = scion(1.0, 0.01, 0.8, **ONE), scion(1.1, 0.01, 0.9, **ONE)
    assert unusual_hyperparameters(own[0]) == {"momentum": 0.8}
    assert len({search_key(runs[0]) for runs in (own, chosen)}) == 2
    assert [way_name(line) for line in frontiers([*own, *chosen])[0].lines] == ["scion momentum 0.8 ball", "scion ball"]
    unchosen = scion(1.0, 1e-3, 0.8, **UNCHOSEN)
    assert frontiers([*unchosen, *chosen])[0].lines[0].way.runs.keys() == set(BOUNDS)
    assert [row.tuning.cost for row in boards([*unchosen, *chosen])[0].optimisers] == [15]


@pytest.mark.parametrize(
    ("rate", "momentum", "rules", "words"),
    [
        (1e-2, 0.95, (Rule.BEST,), "scion (torch, best of 24: 0.01, momentum 0.95)"),
        (1e-2, 0.9, (Rule.BEST,), "scion (torch, best of 24: 0.01, momentum 0.9)"),
        (3e-3, 0.9, (Rule.BEST,), "scion (torch, best of 24: 0.003, momentum 0.9)"),
        (1e-3, 0.95, (Rule.BEST,), "scion (torch, best of 24: 0.001, momentum 0.95)"),
        (1e-3, 0.9, (Rule.DEFAULT, Rule.BEST), "scion (torch, best of 24: 0.001, momentum 0.9 (default))"),
    ],
)
def test_a_board_shows_both_values_and_the_price_of_both(make, rate, momentum, rules, words):
    [board] = boards([make("scion", **values(rate, momentum), **BOTH)])
    [row] = board.optimisers
    assert (row.tuning.rules, row_name(row)) == (rules, words)
    assert row.tuning.on_edge == (rate == 1e-3)


@pytest.mark.parametrize("momentum", [0.8, 0.98])
def test_the_dagger_marks_an_end_of_the_second(make, momentum):
    [board] = boards([make("scion", **values(1e-2, momentum), **BOTH)])
    assert board.optimisers[0].tuning.on_edge


def test_the_sensitivity_to_the_rate_leaves_out_what_the_second_search_made(make):
    def run(rate, momentum, error, **marks):
        values = specs.get("muonh").resolve({"learning_rate": rate, "momentum": momentum})
        return make("muonh", hyperparameters=values, train_rms=error, **marks)

    grid = specs.get("muonh").tuned.grid
    whole = [run(rate, 0.95, 1 + rate, **({3e-2: BOTH}.get(rate, {}))) for rate in grid]
    later = run(1e-2, 0.98, 0.1, **BOTH)
    assert set(learning_rate_sensitivity([*whole, later])["metric"]) == {1 + rate for rate in grid}
