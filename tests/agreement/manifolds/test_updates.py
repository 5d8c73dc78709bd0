"""FG-SGD step by step: eq. 2-7 by hand, three implementations over many steps, and what stays where it is."""

import math
from dataclasses import replace
from functools import partial
from importlib import import_module

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from normbench.reference import fgsgd as reference
from normbench.specs import manifolds
from tests.agreement.manifolds.conftest import CASES, KERNELS, Case, largest_departure, name
from tests.agreement.manifolds.runs import RUNS, STEPS, run_of_the_reference, run_torch

jax_fgsgd = import_module("normbench.jax.updates.fgsgd")  # normbench.jax has a function of that name
torch_fgsgd = import_module("normbench.torch.updates.fgsgd")


# In JAX, whose compiler takes a second a case, a manifold does not meet every grouping: groupings only change index
# sets, which come from one module of NumPy for all backends.
IN_JAX = [case for case in CASES if case.shapes == KERNELS or case.strength > 1]
FOLLOWED = [(framework, case) for framework in RUNS for case in IN_JAX]  # torch in all in test_torch_optimizer


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


def said(value):
    return name(value) if isinstance(value, Case) else None


def deviation(found, expected):
    """Of weights, relative to the size of each, and of the rates."""
    (weights, rates), (expected_weights, expected_rates) = found, expected
    gaps = [np.linalg.norm(w - e) / np.linalg.norm(e) for w, e in zip(weights, expected_weights, strict=True)]
    return max(*gaps, *np.abs(np.divide(rates, expected_rates) - 1))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("framework", "case"), FOLLOWED, ids=said)
def test_follows_the_reference(framework, case):
    assert deviation(RUNS[framework](case, STEPS), run_of_the_reference(case)) <= 1e-10


def test_every_case_goes_somewhere(case):
    weights, _ = run_of_the_reference(case)
    assert min(np.linalg.norm(w - e) / np.linalg.norm(e) for w, e in zip(case.weights, weights, strict=True)) > 0.05


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("framework", "manifold"), [("torch", "sphere"), ("torch", "stiefel"), ("torch", "oblique"), ("jax", "stiefel")]
)
def test_follows_the_reference_with_changing_lambda(framework, manifold):
    case = Case(manifold, "pio", KERNELS)
    feature_std = np.random.default_rng(7).uniform(0.5, 3.0, size=(30, len(KERNELS)))
    expected = case.run_reference(30, feature_std=feature_std)
    assert deviation(RUNS[framework](case, 30, feature_std=feature_std), expected) <= 1e-10
    last = np.maximum(1.0, feature_std[-1]).tolist()
    assert largest_departure(expected[0], case, deviations=last) < 1e-14
    assert largest_departure(expected[0], case) > 0.1


def test_the_check_of_agreement_catches_a_planted_fault():
    case = Case("sphere", "pio")
    off = replace(case, learning_rate=case.learning_rate * 1.000001)
    assert deviation(run_torch(off, STEPS), case.run_reference(STEPS)) > 1e-8


def test_other_index_sets_lead_elsewhere():
    case = Case("sphere", "pio")
    assert deviation(run_torch(replace(case, partition_seed=1), 5), case.run_reference(5)) > 1e-3


def one_step(case, gradient, weights=None, state=None, **given):
    weights = weights or case.weights
    update = reference.fgsgd(**case.hyper, **given)
    return update.step(gradient, weights, state or update.init(None, weights))


def test_equations_3_to_7_by_hand():
    # one component on the unit circle of a 2 x 1 layer: gamma = 1 / sqrt(1 + 2)
    case = Case("sphere", "pio", ((2, 1),), groups=1, learning_rate=0.5)
    gamma = 1 / math.sqrt(3)
    W = (gamma * np.array([[1.0], [0.0]]),)
    for slope in (0.3, 8.0):
        G = (np.array([[5.0], [slope / gamma]]),)  # R G = (., slope), and only the second entry is tangent
        zeta = max(1.0, math.sqrt(slope**2 * (2 + slope) ** 2))
        (moved,), state, rate = one_step(case, G, W)
        angle = -0.5 / zeta * slope
        np.testing.assert_allclose(moved, gamma * np.array([[math.cos(angle)], [math.sin(angle)]]), atol=1e-15)
        assert (rate, state.count) == (0.5, 1)


def test_equation_6_adds_the_components_of_a_product_and_nothing_else():
    case = Case("sphere", "po", ((2, 2, 1, 2),), groups=2, learning_rate=0.01)
    gamma = manifolds.scale((2, 2, 1, 2))
    W = (gamma * np.tile([[1.0, 0.0]], (2, 2, 1, 1)),)
    slopes = np.array([[3.0, 4.0], [0.1, 0.2]])  # each output channel is a product of two circles
    G = np.zeros((2, 2, 1, 2))
    G[..., 0, 1] = slopes / gamma
    (moved,), _, _ = one_step(case, (G,), W)
    sizes = np.linalg.norm(slopes, axis=1)
    assert sizes.tolist() == pytest.approx([5.0, math.hypot(0.1, 0.2)])
    angles = -0.01 / np.maximum(1, sizes * (2 + sizes))[:, None] * slopes
    np.testing.assert_allclose(moved[..., 0, 0], gamma * np.cos(angles), atol=1e-15)
    np.testing.assert_allclose(moved[..., 0, 1], gamma * np.sin(angles), atol=1e-15)


@pytest.mark.parametrize("decay", [0.501, 0.6, 1.0])
def test_the_rates_obey_equation_4(decay):
    r = partial(reference.learning_rate_at, learning_rate=2.0, decay=decay)
    assert [r(0), r(1), r(9)] == pytest.approx([2.0, 2.0 / 2**decay, 2.0 / 10**decay])
    t = np.array([10**k for k in range(2, 12)], dtype=float)
    # t r(t) does not fall, so sum r diverges; t^(2 decay) r(t)^2 is bounded with 2 decay > 1, so sum r^2 does not
    assert (np.diff(t * r(t)) > -1e-9).all()
    assert 2 * decay > 1
    assert (t ** (2 * decay) * r(t) ** 2 <= 4.0).all()


def test_every_implementation_has_the_same_rates_and_bounds():
    with jax.enable_x64(True):
        for count in (0, 1, 50):
            r = reference.learning_rate_at(count, learning_rate=3.0, decay=0.7)
            assert torch_fgsgd.learning_rate_at(count, learning_rate=3.0, decay=0.7) == r
            assert float(jax_fgsgd.learning_rate_at(jnp.asarray(count), learning_rate=3.0, decay=0.7)) == pytest.approx(
                r
            )
        for size in (0.0, 0.1, math.sqrt(2) - 1, 1.0, 1e3):
            zeta = reference.bound(size)
            assert zeta == pytest.approx(math.sqrt(max(1, size**2 * (2 + size) ** 2)))
            for found in (torch_fgsgd.bound(torch.tensor(size)), jax_fgsgd.bound(jnp.asarray(size))):
                assert float(found) == pytest.approx(zeta, rel=1e-6)
            assert size / zeta <= math.sqrt(2) - 1 + 1e-15  # the invariant of the spec


def test_lambda_is_1_at_the_first_step_and_never_below():
    case = Case("sphere", "pio")
    gradient = case.gradient(case.weights)
    plain, state, _ = one_step(case, gradient)
    measured, same, _ = one_step(case, gradient, feature_std=[2.0, 3.0, 4.0])
    assert all(map(np.array_equal, plain, measured))
    assert state.deviations == same.deviations == (1.0, 1.0, 1.0)
    scaled, state, _ = one_step(case, gradient, plain, state, feature_std=[2.0, 0.1, 4.0])
    assert state.deviations == (2.0, 1.0, 4.0)
    free, _, _ = one_step(case, gradient, plain, same)
    for a, b, factor in zip(scaled, free, (2.0, 1.0, 4.0), strict=True):
        np.testing.assert_allclose(a, b / factor, rtol=1e-14)


def stepped(backend, case, gradient, **given):
    """New weights after one step of any backend."""
    if backend == "reference":
        return one_step(case, gradient, **given)[0]
    module, array = {"torch": (torch_fgsgd, torch.tensor), "jax": (jax_fgsgd, jnp.asarray)}[backend]
    weights = [array(w) for w in case.weights]
    update = module.fgsgd(**case.hyper, **given)
    step = jax.jit(update.step) if backend == "jax" else update.step
    moved, _, _ = step([array(g) for g in gradient], weights, update.init(None, weights))
    return [np.asarray(w) for w in moved]


@pytest.fixture(params=["reference", "torch", "jax"])
def backend(request):
    with jax.enable_x64(True):
        yield request.param


def after(backend, case):
    """Weights after steps of any backend; those of JAX by the program that follows the reference."""
    return case.run_reference(1)[0] if backend == "reference" else RUNS[backend](case, STEPS)[0]


def test_a_zero_gradient_leaves_every_bit(backend, manifold):
    case = Case(manifold, "pio", KERNELS, strength=0.0)
    assert all(map(np.array_equal, after(backend, case), case.weights))


@pytest.mark.parametrize(("manifold", "grouping"), [("sphere", "pio"), ("stiefel", "po"), ("oblique", "pio")])
def test_one_product_without_a_gradient_rests_while_the_others_move(backend, manifold, grouping):
    case = Case(manifold, grouping, ((6, 8), (6, 8, 3, 3)))
    gradient = [g.copy() for g in case.gradient(case.weights)]
    still = []
    for layer, g in enumerate(gradient):
        sets = manifolds.partition(g.shape, grouping=grouping, groups=2, partition_seed=0, layer=layer)
        still.append(np.ix_(sets.outputs[0], sets.inputs[0]))
        g[still[-1]] = 0.0
    for new, old, index in zip(stepped(backend, case, gradient), case.weights, still, strict=True):
        resting = np.zeros(old.shape, bool)
        resting[index] = True
        np.testing.assert_array_equal(new[resting], old[resting])
        assert (new[~resting] != old[~resting]).mean() > 0.9


def test_positions_enlarge_the_scale_of_kernels_alone(backend):
    case = Case("sphere", "pio", ((4, 3), (5, 4, 3, 3)))
    positions = (49, 49)
    there = Case("sphere", "pio", case.shapes)
    there.__dict__["weights"] = case.onto(case.draw(1), positions)
    moved = stepped(backend, there, case.gradient(there.weights), positions=positions)
    assert largest_departure(moved, case, (1, 49)) < 1e-14


@pytest.mark.parametrize("manifold", ["sphere", "stiefel"])
def test_a_gradient_that_is_not_a_number_is_seen(backend, manifold):
    moved = after(backend, Case(manifold, "pio", strength=np.nan))
    assert all(np.isnan(w).all() for w in moved)


@pytest.mark.parametrize("backend", ["reference", "torch"], indirect=True)  # JAX follows them, and compiles for long
def test_a_step_goes_down(backend, case):
    small = replace(case, learning_rate=1e-3)
    assert case.value(stepped(backend, small, case.gradient(case.weights))) < case.value(case.weights)
