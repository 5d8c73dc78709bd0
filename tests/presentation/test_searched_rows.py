"""The command of a row that a search has chosen makes the same search again, whatever its budget was."""

import math
import shlex

import pytest

from normbench.analysis.leaderboard import boards
from normbench.campaigns.search import Search
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

    state = Search("learning_rate", GRID, (TARGET,), budget).state(find)
    row = make("adam", state.best, backend="torch", **state.tuned._asdict())
    trials = [make("adam", v, seed=1000, backend="jax", judged_on="validation") for v in state.tried]
    [board] = boards([row, *trials])
    words = shlex.split(command(board.optimisers[0], board))
    assert [words[k + 1] for k, word in enumerate(words) if word == "--backend"] == ["torch", "jax"]
    said = int(words[words.index("--tuning-budget") + 1]) if "--tuning-budget" in words else None
    assert Search("learning_rate", GRID, (TARGET,), said).state(find) == state
    if budget is None and -6 < math.log10(best) < 2:
        assert said is None
