"""The trainers and the drop-in loops of torch and JAX follow the reference on convolutions and on cross-entropy."""

from typing import Any

import numpy as np
import pytest

from normbench import specs
from normbench.running.validation import judge
from tests.running.few_digits import HIDDEN, asked, assert_same_run, of_the_reference, trained

# torch's own: torch.func.jvp loads decompositions that torch still compiles by torch.jit
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")

# learning rates at which 15 iterations lead somewhere, and not everywhere from two starts that rounding sets apart
RATES = {"adam": 0.01, "sgd": 1.0, "sgd_momentum": 1.0, "fgsgd": 10.0}
CASES = [(key, {"learning_rate": RATES[key]} if key in RATES else {}) for key in specs.OWN] + [
    ("fgsgd", {"learning_rate": 10.0, "manifold": "stiefel"}),
    ("fgsgd", {"learning_rate": 10.0, "manifold": "oblique"}),
]
# what JAX is asked beside the one task where it is asked everything: its compiler takes two seconds a run
FEW = [("digits-xent", "agd"), ("digits-conv", "agd"), ("digits-conv", "method2")]
DROP_INS = [("method1", {}), ("method2", {}), ("agd", {}), ("fgsgd", {"manifold": "stiefel"})]
ORDERS = [("method1", {"order": 3}), ("method1", {"order": 4})]
FIXED = ("agd", "fromage", "adam", "method1")  # the algorithm fixes what is evaluated

Case = tuple[str, dict[str, Any]]


def case_id(case: Any) -> str | None:
    return case[0] + "".join(f"-{value}" for value in case[1].values()) if isinstance(case, tuple) else None


def check(task: str, case: Case, backend: str, path: str) -> None:
    key, hyperparameters = case
    expected = of_the_reference(task, key, hyperparameters)
    wanted = asked(task, key, backend, hyperparameters=hyperparameters)
    found = trained(task, key, backend, path, hyperparameters=hyperparameters)
    assert_same_run(found, expected, wanted)
    assert judge(found, expected, wanted, path).passed
    if path == "fast" and key in FIXED:
        np.testing.assert_array_equal(found.loss_evaluations, expected.loss_evaluations)
        # JAX makes loss and gradient in one sweep
        gradients = {"torch": expected.gradient_evaluations, "jax": found.loss_evaluations}
        np.testing.assert_array_equal(found.gradient_evaluations, gradients[backend])
        assert found.halvings == expected.halvings
        if key != "method1":
            np.testing.assert_array_equal(expected.loss_evaluations, np.arange(16) + 1)


@pytest.mark.parametrize("path", ["fast", "plain"])
@pytest.mark.parametrize("case", CASES, ids=case_id)
@pytest.mark.parametrize("task", HIDDEN)
def test_torch_follows_the_reference(task: str, case: Case, path: str) -> None:
    check(task, case, "torch", path)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_jax_follows_the_reference_on_convolutions_under_cross_entropy(case: Case) -> None:
    check("digits-conv-xent", case, "jax", "fast")


@pytest.mark.parametrize(("task", "key"), FEW)
def test_jax_follows_the_reference_on_the_other_digits(task: str, key: str) -> None:
    check(task, (key, {}), "jax", "fast")


@pytest.mark.parametrize("case", DROP_INS, ids=case_id)
def test_drop_ins_of_jax_follow_the_reference(case: Case) -> None:
    check("digits-conv-xent", case, "jax", "plain")


@pytest.mark.parametrize("case", ORDERS, ids=case_id)
@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_method1_of_higher_order_follows_the_reference(backend: str, case: Case) -> None:
    check("digits-conv-xent", case, backend, "fast")
