"""What boards say of a value that a search has chosen, and a command that makes the same search again."""

import math
import shlex
from dataclasses import replace

import pytest

from normbench import specs
from normbench.analysis.leaderboard import boards
from normbench.campaigns.coordinate import CoordinateSearch
from normbench.campaigns.search import Search
from normbench.presentation import exports
from normbench.presentation.captions import captions
from normbench.presentation.commands import command
from normbench.running.request import Asked
from tests.changes import changed

TARGET = Asked(task="quadrotor-sim", layers=(12, 25, 30, 15, 3), optimiser="adam", backend="jax", seed=0).resolved()
GRID = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


@pytest.mark.parametrize("best", [1e-9, 1e-5, 1e-3, 1e-2, 1e1, 1e5])
@pytest.mark.parametrize("budget", [None, 3, 6, 12, 15, 18, 27, 30, 300])
def test_the_budget_is_said_where_the_usual_one_may_choose_another_value(make, best, budget):
    def find(request):
        value = request.hyperparameters["learning_rate"]
        return changed(make("adam"), test_rms=1 + abs(math.log10(value / best)))

    search = Search("learning_rate", GRID, (TARGET,), budget)
    state = search.state(find)
    row = make("adam", state.best, backend="torch", **search.tuned(state)._asdict())
    trials = [make("adam", v, seed=1000, backend="jax", judged_on="validation") for v in state.tried]
    [board] = boards([row, *trials])
    words = shlex.split(command(board.optimisers[0], board))
    assert [words[k + 1] for k, word in enumerate(words) if word == "--backend"] == ["torch", "jax"]
    said = int(words[words.index("--tuning-budget") + 1]) if "--tuning-budget" in words else None
    assert Search("learning_rate", GRID, (TARGET,), said).state(find) == state
    if budget is None and -6 < math.log10(best) < 2:
        assert said is None


@pytest.mark.parametrize("momentum", [-1.0, 0.9, 0.999])
@pytest.mark.parametrize("rate", [1e-9, 1e-2, 1e5])
@pytest.mark.parametrize("budget", [None, 9, 24, 30, 60])
def test_the_command_of_two_searches_makes_the_same_ones_again(make, rate, momentum, budget):
    spec = specs.get("scion")
    target = replace(TARGET, optimiser="scion", hyperparameters=spec.resolve({}))

    def find(request):
        values = request.hyperparameters
        error = abs(math.log10(values["learning_rate"] / rate)) + abs(
            math.log10((1 - values["momentum"]) / (1 - momentum))
        )
        return changed(make("adam"), test_rms=1 + error)

    def made(budget):
        return CoordinateSearch(Search("learning_rate", spec.tuned.grid, (target,)), spec.second, budget).chosen(find)

    [(run, tuned)] = made(budget).items()
    [board] = boards([make("scion", backend="jax", hyperparameters=run.hyperparameters, **tuned._asdict())])
    words = shlex.split(command(board.optimisers[0], board))
    assert words[words.index("--tune") + 1] == "two"
    said = int(words[words.index("--tuning-budget") + 1]) if "--tuning-budget" in words else None
    assert made(said) == made(budget)
    if budget is None and rate == 1e-2:
        assert said is None


@pytest.mark.parametrize(("value", "tried", "marked"), [(1.0, (1e-4, 1e1), False), (1e1, (1e-4, 1e1), True)])
def test_a_grown_grid_ends_where_its_search_did_and_the_board_says_what_chose(make, value, tried, marked):
    """1 ends the declared grid, and a row that was searched as before says nothing of validation."""
    found = {"tuning_runs": 18, "tuning_low": tried[0], "tuning_high": tried[1]}
    trials = [make("adam", rate, seed=1000, judged_on="validation") for rate in sorted({*tried, value})]
    [board] = boards([make("adam", value, **found), *trials])
    assert f"best of 18: {value:g}{' †' if marked else ' '}" in exports.markdown([board])
    notes = " ".join(captions(board))
    assert "The values were chosen on a validation part, 20 % of the training set" in notes
    assert f"{len(trials)} search runs have no row" in notes
    old = make("sgd", 10.0, tuning_runs=5)
    both = " ".join(captions(*boards([make("adam", value, **found), old])))
    assert "The values of 1 of the 2 best rows were chosen" in both
    assert "validation" not in " ".join(captions(*boards([old])))
