"""The trainers and the drop-in loops of torch and JAX follow the reference on convolutions and on cross-entropy."""

from typing import Any

import numpy as np
import pytest

from normbench import specs
from normbench.running.validation import judge
from tests.running.few_digits import HIDDEN, ITERATIONS, asked, assert_same_run, of_the_reference, trained

# torch's own: torch.func.jvp loads decompositions that torch still compiles by torch.jit
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")

# learning rates at which 15 iterations lead somewhere, and not everywhere from two starts that rounding sets apart
RATES = {"adam": 0.01, "sgd": 1.0, "sgd_momentum": 1.0, "fgsgd": 10.0}
CASES = [(key, {"learning_rate": RATES[key]} if key in RATES else {}) for key in specs.OWN] + [
    ("fgsgd", {"learning_rate": 10.0, "manifold": "stiefel"}),
    ("fgsgd", {"learning_rate": 10.0, "manifold": "oblique"}),
]
# Methods whose steps see the network or the loss, not only the gradient; all of them on a dense network under the
# square loss and on a convolutional one under cross-entropy, these on the two others as well.
BOTH = ("digits", "digits-conv-xent")
OTHERS = [(task, (key, {})) for task in HIDDEN if task not in BOTH for key in ("method1", "method2", "agd")]
IN_TORCH = [(task, case) for task in BOTH for case in CASES] + OTHERS
# What JAX is asked: its compiler takes two seconds a run. tests/running/test_minibatches.py has adam, agd, fgsgd,
# fromage and method1 there on kernels, test_chunks.py method1 and test_schedule.py fromage on a dense network under
# cross-entropy without batches, and tests/agreement/manifolds the manifolds.
IN_JAX = [
    ("digits-conv-xent", ("method2_exp", {})),
    ("digits-conv", ("method2", {})),
    ("digits-conv", ("agd", {})),
    ("digits-xent", ("method1", {"order": 4})),
]
PEERS = [key for key in specs.PEERS if key in specs.REFERENCED]  # which have no class for users
DROP_INS = [("method1", {}), ("method2", {}), ("fgsgd", {"manifold": "stiefel"})]
FIXED = ("agd", "fromage", "adam", "method1")  # the algorithm fixes what is evaluated

Case = tuple[str, dict[str, Any]]


def case_id(case: Any) -> str | None:
    return case[0] + "".join(f"-{value}" for value in case[1].values()) if isinstance(case, tuple) else None


def check(task: str, case: Case, backend: str, path: str, iterations: int = ITERATIONS) -> None:
    key, hyperparameters = case
    expected = of_the_reference(task, key, hyperparameters, iterations=iterations)
    wanted = asked(task, key, backend, hyperparameters=hyperparameters, iterations=iterations)
    found = trained(task, key, backend, path, hyperparameters=hyperparameters, iterations=iterations)
    assert_same_run(found, expected, wanted)
    assert judge(found, expected, wanted, path).passed
    if path == "fast" and key in FIXED:
        np.testing.assert_array_equal(found.loss_evaluations, expected.loss_evaluations)
        # JAX makes loss and gradient in one sweep
        gradients = {"torch": expected.gradient_evaluations, "jax": found.loss_evaluations}
        np.testing.assert_array_equal(found.gradient_evaluations, gradients[backend])
        assert found.halvings == expected.halvings
        if key != "method1":
            np.testing.assert_array_equal(expected.loss_evaluations, np.arange(iterations + 1) + 1)


@pytest.mark.parametrize("path", ["fast", "plain"])
@pytest.mark.parametrize(("task", "case"), IN_TORCH, ids=case_id)
def test_torch_follows_the_reference(task: str, case: Case, path: str) -> None:
    check(task, case, "torch", path)


@pytest.mark.parametrize("key", PEERS)
def test_peers_with_a_reference_follow_it_on_kernels_in_torch(key: str) -> None:
    check("digits-conv-xent", (key, {}), "torch", "fast")


@pytest.mark.parametrize(("task", "case"), IN_JAX, ids=case_id)
def test_jax_follows_the_reference(task: str, case: Case) -> None:
    check(task, case, "jax", "fast")


@pytest.mark.parametrize("case", DROP_INS, ids=case_id)
def test_drop_ins_of_jax_follow_the_reference(case: Case) -> None:
    check("digits-conv-xent", case, "jax", "plain")


def test_method1_of_higher_order_follows_the_reference_in_torch() -> None:
    """The order between is in tests/running/test_chunks.py; test_perceptrons.py has a hundred iterations."""
    check("digits-conv-xent", ("method1", {"order": 4}), "torch", "fast", iterations=6)
