"""Every update on torch and JAX follows the float64 reference: losses, step sizes, weights and counts."""

import dataclasses
import math
from functools import cache

import numpy as np
import pytest
from numpy.linalg import norm

from normbench import backends, specs
from normbench.backends.trajectory import Status, Trainer, Trajectory
from normbench.problems.problem import Problem
from normbench.specs import Geometry, parametrisations
from tests.agreement.comparison import deviation_of
from tests.agreement.conftest import LAYERS, build, problem_for, run_of_the_reference, train
from tests.reference.regression import problem_at

CASES = [(key, {}) for key in specs.REFERENCED] + [
    ("method1", {"order": 3}),
    ("method1", {"order": 4}),
    ("method1", {"order": 4, "trust_region": 3.0}),
    ("method1", {"trust_region": 6.0, "max_halvings": 0}),
    ("method1", {"trust_region": 1e-3}),
    ("fromage", {"p_bound": 1.0, "learning_rate": 0.1}),
    ("adam", {"learning_rate": 0.03, "beta1": 0.5}),
    ("sgd_momentum", {"learning_rate": 3.0}),
]
ALONG_ADAM = ("adamh", "adam_clip")  # with the direction of Adam, and not as the libraries have it
ITERATIONS = 100
BOUND = 4.0
BOUNDED = [  # what moves on bounded sets, through each of its parametrisations
    (key, through)
    for key in specs.REFERENCED
    if Geometry.FREE not in specs.get(key).geometries and not key.startswith("method")
    for through in parametrisations.through(specs.get(key))
]
# Iterations for which these hold 1e-9, in twenties: online L-BFGS takes every step in full, and magnifies more.
TIMES_20 = {("polar_average", "ball"): 10, ("online_lbfgs", "ball"): 1}
# In single precision JAX has every optimiser through its own parametrisation: the ball of four, the sphere of two, the
# sandwich of the two L-BFGS; tests/jax/test_optax_balls.py has that one on the ball, at every iterate.
SINGLE_IN_JAX = [(key, specs.get(key).parametrisation) for key in dict(BOUNDED)]
# What JAX does with these in single precision is claimed of their transformations: tests/jax, and manifolds/.
ELSEWHERE = ("agd", "fromage", "lars", "fgsgd")
SINGLE = [("torch", key) for key in specs.REFERENCED] + [("jax", k) for k in specs.REFERENCED if k not in ELSEWHERE]


def case_id(case: tuple[str, dict]) -> str:
    return case[0] + "".join(f"-{name}={value}" for name, value in case[1].items())


def problem_of(key: str) -> Problem:
    return problem_for(key, seed=3)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_update_follows_the_reference_at_float64(framework: str, case: tuple[str, dict]) -> None:
    key, given = case
    iterations = min(ITERATIONS, specs.get(key).stable or ITERATIONS)
    found = train(framework, problem_of(key), key, iterations=iterations, **given).trajectory()
    expected = run_of_the_reference(problem_of, key, iterations=iterations, **given)
    assert deviation_of(found, expected) <= 1e-9
    assert (found.status, found.halvings) == (expected.status, expected.halvings)
    np.testing.assert_array_equal(found.loss_evaluations, expected.loss_evaluations)
    # JAX makes loss and gradient in one sweep
    gradients = {"torch": expected.gradient_evaluations, "jax": found.loss_evaluations}
    np.testing.assert_array_equal(found.gradient_evaluations, gradients[framework])


@pytest.mark.parametrize(("framework", "key"), SINGLE)
def test_update_at_float32_reaches_the_reference_loss(framework: str, key: str) -> None:
    iterations = min(40, specs.get(key).stable or 40)
    found = train(framework, problem_of(key), key, iterations=40, dtype="float32").trajectory()
    expected = run_of_the_reference(problem_of, key, iterations=ITERATIONS)
    # rounding enters once an iteration: a few hundred float32 units each
    assert abs(found.loss[iterations] / expected.loss[iterations] - 1) <= iterations * 500 * np.finfo(np.float32).eps


@pytest.mark.parametrize("key", ["method1", "adam"])
def test_the_parametrisation_of_an_optimisers_own_paper_changes_no_bit(backend: str, key: str) -> None:
    named = specs.get(key).parametrisation
    losses = [
        train(backend, problem_of(key), key, iterations=5, parametrisation=way).trajectory().loss
        for way in (None, named)
    ]
    np.testing.assert_array_equal(*losses)


def at_the_bound(backend: str, key: str, through: str, dtype: str) -> Trainer:
    problem = problem_at(BOUND, layers=LAYERS)
    rate = {} if specs.get(key).tuned is None else {"learning_rate": 0.03}  # at which runs go somewhere
    return train(backend, problem, key, iterations=0, dtype=dtype, parametrisation=through, **rate)


def variables_of(trajectory: Trajectory) -> tuple[np.ndarray, ...]:
    return trajectory.variables or trajectory.weights


@pytest.mark.parametrize(("key", "through"), BOUNDED)
def test_runs_at_a_bound_follow_the_reference(key: str, through: str) -> None:
    """As long as the path is stable: polar factors magnify what rounding does to vanishing singular values.

    There are some in the sandwich: 1e-9 is lost after a hundred. So do the inverse roots of geodesic L-BFGS.
    """
    reference = at_the_bound("reference", key, through, "float64")
    others = {backend: at_the_bound(backend, key, through, "float64") for backend in backends.names()}
    for _ in range(TIMES_20.get((key, through), 4)):
        reference.advance(20)
        expected = reference.trajectory()
        for backend, other in others.items():
            other.advance(20)
            found = other.trajectory()
            place = f"{backend}, iteration {len(expected.step_size)}"
            for a, b in zip(variables_of(found), variables_of(expected), strict=True):
                np.testing.assert_allclose(a, b, rtol=0, atol=1e-9, err_msg=place)
            np.testing.assert_allclose(found.step_size, expected.step_size, rtol=0, atol=1e-9, err_msg=place)
            np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-9, err_msg=place)
            np.testing.assert_array_equal(found.loss_evaluations, expected.loss_evaluations, err_msg=place)
            assert found.halvings == expected.halvings, place


@pytest.mark.parametrize(("key", "through"), BOUNDED)
def test_single_precision_keeps_the_bound_at_every_iterate_and_ends_near_the_reference(key: str, through: str) -> None:
    problem, reference = problem_at(BOUND, layers=LAYERS), at_the_bound("reference", key, through, "float64")
    reference.advance(60)
    for backend in ["torch"] + ["jax"] * ((key, through) in SINGLE_IN_JAX):
        trainer = at_the_bound(backend, key, through, "float32")
        for _ in range(60):
            trainer.advance(1)
            found = trainer.trajectory()
            if found.variables:
                assert max(norm(P, 2) for P in found.variables) <= 1 + 1e-6, backend
                assert through == "sandwich" or problem.lipschitz_bound(found.weights) < BOUND, backend
            else:  # muonh and adamh move the weights on their spheres
                radii = [norm(W) / norm(start) for W, start in zip(found.weights, problem.weights, strict=True)]
                np.testing.assert_allclose(radii, 1, rtol=0, atol=1e-6, err_msg=backend)
        assert key != "geodesic_lbfgs" or (np.diff(found.loss) <= 0).all(), backend
        # roundings grow; the more where no search takes a step back
        near = pytest.approx(reference.trajectory().loss[-1], rel=0.2 if key == "online_lbfgs" else 0.05)
        assert found.loss[-1] == near, backend


@pytest.mark.parametrize(
    ("dtype", "tolerance", "iterations"), [("float64", 1e-14, 200), ("float32", 5e-7, 300)], ids=["64", "32"]
)
@pytest.mark.parametrize("key", ["method1", "method2", "method2_exp"])
def test_weights_stay_on_their_spheres_for_hundreds_of_iterations(
    framework: str, key: str, dtype: str, tolerance: float, iterations: int
) -> None:
    """Within a few units in the last place; never scaled back to it, the radius of method2_exp is 2e-6 off by then."""
    problem = problem_for(key)
    # without the safeguard method 1 keeps moving at convergence, so that all steps are really taken
    given = {"max_halvings": 0} if key == "method1" else {}
    found = train(framework, problem, key, iterations=iterations, dtype=dtype, **given).trajectory()
    assert len(found.step_size) == iterations
    np.testing.assert_allclose([norm(w) for w in found.weights], 1.0, rtol=0, atol=tolerance)


def dead_layer(problem: Problem) -> Problem:
    """The second layer sees inputs >= 0 through weights <= 0: it is dead, and every gradient below the top is zero."""
    weights = list(problem.weights)
    weights[1] = -np.abs(weights[1])
    return dataclasses.replace(problem, weights=tuple(weights))


@pytest.mark.parametrize("key", specs.REFERENCED)
def test_dead_relus_leave_the_weights_alone(backend: str, key: str) -> None:
    problem = dead_layer(problem_for(key))
    trajectory = train(backend, problem, key, iterations=5).trajectory()
    start = train(backend, problem, key, iterations=0).trajectory()
    assert np.isfinite(trajectory.loss).all()
    for before, after in zip(start.weights, trajectory.weights, strict=True):
        np.testing.assert_array_equal(before, after)
    if key in ("method1", "method2", "method2_exp", "agd"):
        assert trajectory.status is Status.STALLED
        assert trajectory.step_size.tolist() == [0.0]
        assert "no step lowers the loss" in trajectory.reason


def with_one_dead_unit(key: str) -> Problem:
    """Unit 0 of the second layer never fires; the rest of the network learns."""
    problem = problem_for(key, seed=5)
    weights = [w.copy() for w in problem.weights]
    weights[1][0] = -np.abs(weights[1][0])
    return dataclasses.replace(problem, weights=tuple(weights))


@pytest.mark.parametrize("key", specs.REFERENCED)
def test_update_follows_the_reference_with_a_dead_unit(framework: str, key: str) -> None:
    found = train(framework, with_one_dead_unit(key), key, iterations=20).trajectory()
    assert deviation_of(found, run_of_the_reference(with_one_dead_unit, key, iterations=20)) <= 1e-9


@pytest.mark.parametrize("key", ALONG_ADAM)
def test_a_dead_unit_rests_where_epsilon_is_zero(framework: str, key: str) -> None:
    """Its direction is 0 / 0; adam itself is the libraries', which let it diverge."""
    given = {"iterations": 20, "epsilon": 0.0, "learning_rate": 0.01}
    found = train(framework, with_one_dead_unit(key), key, **given).trajectory()
    assert deviation_of(found, run_of_the_reference(with_one_dead_unit, key, **given)) <= 1e-9


def fitted(problem: Problem) -> Problem:
    """Targets are the outputs of the initial network: the loss is zero from the start."""
    from normbench.reference.network import forward

    y = forward(problem.network, problem.weights, problem.x_train)
    return dataclasses.replace(problem, y_train=y)


@pytest.mark.parametrize("key", specs.REFERENCED)
def test_converged_start_stays_finite(backend: str, key: str) -> None:
    problem = fitted(problem_for(key))
    trajectory = train(backend, problem, key, iterations=5).trajectory()
    assert np.isfinite(trajectory.loss).all()
    assert all(np.isfinite(w).all() for w in trajectory.weights)
    # the reference's own forward pass made the targets of these weights, so its loss is exactly zero
    if backend == "reference" and parametrisations.get(specs.get(key).parametrisation).plain:
        assert trajectory.loss[0] == 0.0
        assert np.allclose(trajectory.weights[0], problem.weights[0], rtol=0, atol=0)


@cache
def resting_problem(key: str) -> Problem:
    """A 1 x 1 layer has no tangent space: it must rest while the other layers move."""
    from normbench.problems.scaling import spectral_initialisation

    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(100, 3)), np.abs(rng.normal(size=(100, 2)))
    for seed in range(100):
        problem = spectral_initialisation((x, y), (x, y), (3, 1, 1, 2), seed=seed)
        if problem.weights[1][0, 0] > 0:
            return problem
    raise AssertionError("no seed gave a positive 1 x 1 weight")


@pytest.mark.parametrize("case", [("method1", {"order": 4}), ("method2", {}), ("method2_exp", {})], ids=case_id)
def test_layer_without_tangent_space_rests(backend: str, case: tuple[str, dict]) -> None:
    key, given = case
    found = train(backend, resting_problem(key), key, iterations=6, **given).trajectory()
    expected = run_of_the_reference(resting_problem, key, iterations=6, **given)
    np.testing.assert_array_equal(found.weights[1], resting_problem(key).weights[1])
    assert found.loss[-1] < found.loss[0]
    assert deviation_of(found, expected) <= 1e-9


@pytest.mark.quick
def test_divergence_is_a_result(backend: str) -> None:
    steep = dataclasses.replace(problem_for("sgd"), loss_divisor=1e-60)
    trajectory = train(backend, steep, "sgd", iterations=100, learning_rate=1.0).trajectory()
    assert trajectory.status is Status.DIVERGED
    assert "the training loss became" in trajectory.reason
    assert len(trajectory.step_size) < 100


@pytest.mark.parametrize("entry", [math.nan, math.inf], ids=str)
@pytest.mark.parametrize("side", ["x_train", "y_train"])
def test_a_sample_that_is_not_finite_makes_a_diverged_run(backend: str, side: str, entry: float) -> None:
    for key in specs.REFERENCED:
        problem = problem_for(key)
        samples = getattr(problem, side).copy()
        samples[3, 0] = entry
        problem = dataclasses.replace(problem, **{side: samples})
        assert train(backend, problem, key, iterations=3).trajectory().status is Status.DIVERGED, key


@pytest.mark.parametrize("key", specs.REFERENCED)
def test_a_weight_that_is_not_finite_makes_a_diverged_run(backend: str, key: str) -> None:
    problem = problem_for(key)
    weights = [w.copy() for w in problem.weights]
    weights[1][0, 1] = math.nan
    problem = dataclasses.replace(problem, weights=tuple(weights))
    assert train(backend, problem, key, iterations=3).trajectory().status is Status.DIVERGED


def test_advance_in_pieces_equals_advance_at_once(backend: str) -> None:
    problem = problem_for("method1")
    pieces = build(backend, problem, "method1", dtype="float32")
    pieces.compile()
    assert [pieces.advance(k) for k in (1, 4, 7)] == [1, 4, 7]
    pieces.test_loss()
    whole = train(backend, problem, "method1", iterations=12, dtype="float32").trajectory()
    np.testing.assert_array_equal(pieces.trajectory().loss, whole.loss)
    for a, b in zip(pieces.trajectory().weights, whole.weights, strict=True):
        np.testing.assert_array_equal(a, b)
