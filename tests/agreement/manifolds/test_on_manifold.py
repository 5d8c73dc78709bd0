"""Hundreds of steps in float32 leave every component on its manifold."""

import jax
import jax.numpy as jnp
import pytest
import torch

from tests.agreement.manifolds.conftest import Case, largest_departure
from tests.agreement.manifolds.runs import RUNS

SINGLE = {"torch": torch.float32, "jax": jnp.float32}


@pytest.fixture(params=list(RUNS))
def framework(request):
    with jax.enable_x64(True):
        yield request.param


@pytest.mark.parametrize(("manifold", "grouping"), [("sphere", "pi"), ("stiefel", "po"), ("oblique", "pio")])
def test_300_steps_in_float32_stay_on_the_manifold(framework, manifold, grouping):
    case = Case(manifold, grouping, ((30, 25), (9, 30), (6, 4, 3, 3), (5, 6, 1, 1)), learning_rate=3.0, strength=20.0)
    weights, _ = RUNS[framework](case, 300, dtype=SINGLE[framework])
    assert largest_departure(weights, case) <= 1e-6


def test_the_check_of_the_manifold_catches_a_planted_fault(manifold):
    case = Case(manifold, "pio")
    off = [w.copy() for w in case.weights]
    off[1][2, 3] *= 1.001
    assert largest_departure(case.weights, case) < 1e-14 < 1e-6 < largest_departure(off, case)
