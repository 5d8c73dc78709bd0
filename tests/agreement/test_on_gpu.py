"""On a GPU every update follows the float64 reference, too, and no iterate exceeds its bound.

Run where one is: ``pytest -m gpu``. ``JAX_PLATFORMS`` must admit CUDA there.
"""

import numpy as np
import pytest

from normbench import specs
from normbench.problems import tasks
from normbench.running.run import build_trainer, problem_of
from tests.agreement.comparison import deviation_of
from tests.agreement.conftest import LAYERS as WIDTHS
from tests.agreement.conftest import run_of_the_reference, train
from tests.agreement.test_perceptrons import BOUND, BOUNDED, CASES, ITERATIONS, case_id
from tests.agreement.test_perceptrons import problem_of as problem_for
from tests.reference.regression import problem_at
from tests.running.test_bounded_runs import PAIRS, L, asked, moving_most, proven, some_of

FRAMEWORKS = ("torch", "jax")
PAIRS_OF = [(b, *pair) for b in FRAMEWORKS for pair in PAIRS if specs.get(pair[0]).runs_on(b)]


@pytest.fixture(autouse=True)
def _needs_a_gpu(request):
    """Skip with the reason where the framework under test sees no CUDA device."""
    framework = request.getfixturevalue("framework")
    if framework == "torch":
        import torch

        if not torch.cuda.is_available():
            pytest.skip("torch sees no CUDA device here")
        return
    import jax

    try:
        jax.devices("cuda")
    except RuntimeError as error:
        pytest.skip(f"JAX sees no CUDA device here: {error}")


@pytest.mark.gpu
@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_an_update_follows_the_reference_at_float64(framework, case):
    key, given = case
    iterations = min(ITERATIONS, specs.get(key).stable or ITERATIONS)
    found = train(framework, problem_for(key), key, iterations=iterations, device="cuda", **given).trajectory()
    expected = run_of_the_reference(problem_for, key, iterations=iterations, **given)
    assert deviation_of(found, expected) <= 1e-9
    assert (found.status, found.halvings) == (expected.status, expected.halvings)


@pytest.mark.gpu
@pytest.mark.parametrize("key", specs.REFERENCED)
def test_float32_means_float32(framework, key, request):
    """As on a processor: a product whose factors the device rounds to ten bits is off before the first iteration."""
    if (framework, key) == ("torch", "geodesic_lbfgs"):
        reason = "0.4 % off after ten iterations on an H200 with torch 2.11, in JAX not; where it begins is not known"
        request.applymarker(pytest.mark.xfail(reason=reason, strict=False))
    iterations = min(40, specs.get(key).stable or 40)
    found = train(framework, problem_for(key), key, iterations=iterations, dtype="float32", device="cuda").trajectory()
    expected = run_of_the_reference(problem_for, key, iterations=ITERATIONS)
    eps = np.finfo(np.float32).eps
    assert abs(found.loss[0] / expected.loss[0] - 1) <= 50 * eps
    assert abs(found.loss[iterations] / expected.loss[iterations] - 1) <= iterations * 500 * eps


@pytest.mark.gpu
@pytest.mark.parametrize("case", BOUNDED, ids="-".join)
def test_an_update_through_a_parametrisation_follows_the_reference(framework, case):
    key, through = case
    rate = {} if specs.get(key).tuned is None else {"learning_rate": 0.03}  # at which runs go somewhere
    given = {"iterations": 20, "parametrisation": through} | rate
    problem = problem_at(BOUND, layers=WIDTHS)
    found = train(framework, problem, key, device="cuda", **given).trajectory()
    assert deviation_of(found, train("reference", problem, key, **given).trajectory()) <= 1e-9


@pytest.mark.gpu
@pytest.mark.parametrize(("framework", "optimiser", "parametrisation"), PAIRS_OF, ids=["-".join(p) for p in PAIRS_OF])
def test_no_iterate_exceeds_the_bound(framework, optimiser, parametrisation):
    request = asked(framework, optimiser, parametrisation, device="cuda", **moving_most(optimiser))
    problem = problem_of(request, some_of(tasks.get(request.task).dataset()))
    trainer = build_trainer(request, problem)
    for steps in (1, 11):
        trainer.advance(steps)
        trajectory = trainer.trajectory()
        if parametrisation != "sandwich":  # whose weights have larger norms than the network has a constant
            assert problem.lipschitz_bound(trajectory.weights) <= L
        assert proven(request, problem, trajectory) <= L
