"""Variables with a bound in JAX: certified plain weights whatever the variables, and what is refused."""

import doctest
from functools import cache
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import normbench.jax
from normbench.certificates import certify
from normbench.errors import InvalidArgumentError
from normbench.jax.updates import parametrisations as updates
from normbench.problems.bound import ROUNDING_SLACK
from normbench.specs.base import Geometry
from normbench.specs.parametrisations import PARAMETRISATIONS

WIDTHS = (6, 9, 4, 11, 3)
BOUND = 4.0
PAIRS = [(p.key, g.value) for p in PARAMETRISATIONS.values() if p.bounded for g in p.geometries]
FREE = [(key, geometry) for key, geometry in PAIRS if geometry == "free"]
TIGHT = 1e-5  # of a bound that a search finds


def drawn(seed=0, widths=WIDTHS, size=1.0, dtype=np.float32):
    rng = np.random.default_rng([seed, 81])
    return [(size * rng.normal(size=(b, a)) / a**0.5).astype(dtype) for a, b in pairwise(widths)]


def made(key, geometry, weights=None, **given):
    weights = drawn() if weights is None else weights
    return normbench.jax.parametrize(key, weights, lipschitz=BOUND, geometry=geometry, **given)


def kept(geometry, variables):
    """Variables where the optimisers of a geometry would keep them: the norms of all at their bound."""
    order = {"free": None, "stiefel": 2, "sphere": "fro"}[geometry]
    return variables if order is None else [v / np.float32(np.linalg.norm(v, order) * (1 + 1e-7)) for v in variables]


@cache
def compiled(key, geometry, dtype="float32"):
    """A start from weights that the bound admits, and the plain weights as one program."""
    start = made(key, geometry, drawn(size=0.3, dtype=dtype))
    return start, jax.jit(start.weights)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("key", "geometry"), PAIRS)
def test_the_bound_is_certified_at_every_value_of_the_variables(key, geometry, dtype):
    rng = np.random.default_rng(5)
    with jax.enable_x64(dtype == "float64"):
        start, weights = compiled(key, geometry, dtype)
        for size in (0.0, 0.3, 3.0):
            moved = [v + (size * rng.normal(size=v.shape)).astype(dtype) for v in map(np.asarray, start.variables)]
            plain = weights(kept(geometry, moved))
            assert [w.shape for w in plain] == [w.shape for w in drawn()]
            assert {str(w.dtype) for w in plain} == {dtype}
            found = certify(plain).bound
            assert found <= BOUND * (1 + (TIGHT if key == "sandwich" else 0.0))
    if key in ("spectral", "ball"):
        product = np.prod([np.linalg.norm(np.asarray(w, np.float64), 2) for w in plain])
        assert BOUND * (1 - 2 * ROUNDING_SLACK * len(plain)) < product <= BOUND


def test_the_check_can_fail():
    start, weights = compiled("ball", "stiefel")
    outside = [np.float32(1.001) * v for v in kept("stiefel", list(map(np.asarray, start.variables)))]
    assert certify(weights(outside)).attempts[0].certificate.bound > BOUND


@pytest.mark.parametrize(("key", "geometry"), PAIRS)
def test_it_starts_from_the_function_of_the_weights_where_the_bound_admits_it(key, geometry):
    weights = drawn(size=0.3)
    x = np.random.default_rng(6).normal(size=(5, WIDTHS[0]))

    def outputs(plain):
        h = x.T
        for w in plain[:-1]:
            h = np.maximum(np.asarray(w, np.float64) @ h, 0)
        return np.asarray(plain[-1], np.float64) @ h

    start, plain = compiled(key, geometry)
    found, wanted = outputs(plain(start.variables)), outputs(weights)
    assert wanted.any()
    if geometry == "stiefel":
        np.testing.assert_allclose(found, wanted, rtol=1e-4)
    elif key != "sandwich":  # whose free start knows directions alone
        np.testing.assert_allclose(found / np.linalg.norm(found), wanted / np.linalg.norm(wanted), rtol=1e-4)


def trained(start, optimizer, steps):
    """Yield the loss of a network before every step, and the parameters behind it."""
    x = np.random.default_rng(7).normal(size=(64, 6)).astype(np.float32)

    def loss(params):
        h = x
        *hidden, last = start.weights(params)
        for w in hidden:
            h = jax.nn.relu(h @ w.T)
        return jnp.mean(jnp.square(h @ last.T - 3 * x[:, :3]))

    @jax.jit
    def step(params, state):
        value, grads = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(grads, state, params, value=value, value_fn=loss)
        return optax.apply_updates(params, updates), state, value

    params, state = start.variables, optimizer.init(start.variables)
    for _ in range(steps):
        params, state, value = step(params, state)
        yield float(value), params


@pytest.mark.parametrize(("key", "geometry"), FREE)
def test_adam_trains_through_it_and_keeps_the_bound(key, geometry):
    start, plain = compiled(key, geometry)
    ways = trained(start, optax.with_extra_args_support(optax.adam(0.02)), 60)
    values, every = zip(*ways, strict=True)
    assert values[-1] < 0.9 * values[0]
    assert certify(plain(every[-1])).bound <= BOUND * (1 + TIGHT)


@pytest.mark.parametrize(
    ("optimiser", "key"), [("geodesic_lbfgs", "sandwich"), ("online_lbfgs", "sandwich"), ("polar_average", "ball")]
)
def test_our_own_optimisers_keep_variables_where_the_bound_holds(optimiser, key):
    start = made(key, "stiefel", drawn(widths=(6, 5, 3)))
    optimizer = getattr(normbench.jax, optimiser)(radius=1.0)
    values, every = zip(*trained(start, optimizer, 31), strict=True)
    for variables in every:
        assert max(np.linalg.norm(np.asarray(v, np.float64), 2) for v in variables) <= 1
    assert values[-1] < values[0]
    assert certify(jax.jit(start.weights)(every[-1])).bound <= BOUND * (1 + TIGHT)


def test_kernels_have_the_norm_of_the_matrix_of_their_patches_and_the_users_gain():
    rng = np.random.default_rng(9)
    weights = [rng.normal(size=shape).astype(np.float32) for shape in ((4, 2, 3, 3), (3, 36))]
    start = normbench.jax.parametrize("spectral", weights, lipschitz=BOUND, gain=3.0, activation="maxmin")
    kernel, matrix = jax.jit(start.weights)(start.variables)
    assert kernel.shape == (4, 2, 3, 3)
    norms = [np.linalg.norm(np.asarray(w, np.float64).reshape(len(w), -1), 2) for w in (kernel, matrix)]
    assert np.prod(norms) * 3.0 == pytest.approx(BOUND, rel=1e-5)
    assert np.prod(norms) * 3.0 <= BOUND


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"parametrisation": "free"}, "'free' keeps no bound. Choose one of sphere, spectral, ball, sandwich"),
        ({"parametrisation": "spectal"}, "no parametrisation 'spectal'. Did you mean 'spectral'"),
        ({"geometry": "free"}, "'ball' lie on stiefel; got 'free'"),
        (
            {"parametrisation": "sandwich", "activation": "maxmin"},
            r"with slopes in \[0, 1\]; got",
        ),
        ({"parametrisation": "sandwich", "weights": drawn(widths=(3, 2))}, "at least one hidden layer"),
        ({"parametrisation": "sandwich", "weights": [*drawn(widths=(3, 4)), *drawn(widths=(5, 2))]}, "does not take"),
        ({"parametrisation": "sandwich", "weights": [np.ones((4, 2, 3, 3)), np.ones((3, 4))]}, "dense layers"),
        ({"activation": "gelu"}, "no activation 'gelu'"),
        ({"lipschitz": 0.0}, "lipschitz must be"),
        ({"gain": -1.0}, "gain must be"),
        ({"weights": []}, "there are no weights"),
        ({"weights": [np.ones(3, np.float32)]}, r"weights\[0\] must be \(fan_out, fan_in\) or a kernel"),
        ({"weights": [np.zeros((3, 2), np.float32)]}, r"weights\[0\] of shape \(3, 2\) is zero"),
        ({"weights": [np.full((3, 2), np.nan, np.float32)]}, r"weights\[0\] of shape \(3, 2\) is not finite"),
        ({"weights": [jnp.ones((3, 2), jnp.bfloat16)]}, r"weights\[0\] must be float32 or float64; got bfloat16"),
        ({"weights": [[[1.0, 2.0]]]}, r"weights\[0\] must be an array of NumPy or JAX; got \[\[1.0"),
        ({"weights": {"first": np.ones((3, 2))}}, r"weights\[0\] must be an array of NumPy or JAX; got 'first'"),
        ({"activation": None}, "no activation None"),
        ({"activation": jax.nn.relu}, "no activation <.* Choose one of relu"),
        ({"parametrisation": None}, "no parametrisation None"),
        ({"parametrisation": ["ball"]}, r"no parametrisation \['ball'\]"),
        ({"lipschitz": 1e-160}, r"lipschitz=1e-160 gives weights\[0\] the factor .* float32 holds. .* other units"),
        ({"lipschitz": 1e160}, r"lipschitz=1e.160 gives weights\[0\] the factor .* float32 holds. .* other units"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(given, message):
    call = {"parametrisation": "ball", "weights": drawn(), "lipschitz": BOUND} | given
    with pytest.raises(InvalidArgumentError, match=message):
        normbench.jax.parametrize(call.pop("parametrisation"), call.pop("weights"), **call)


def test_weights_that_are_traced_are_refused_with_the_remedy():
    with pytest.raises(InvalidArgumentError, match=r"weights\[0\] is traced.* Call parametrize outside of jit"):
        jax.jit(lambda weights: made("ball", None, weights).variables)(drawn())


@pytest.mark.parametrize(("key", "geometry"), PAIRS)
def test_what_are_not_the_variables_gives_no_weights(key, geometry):
    """Of a sandwich's variables all but one gave weights of some other network."""
    start, weights = compiled(key, geometry)
    for other in (start.variables[:-1], (*start.variables, start.variables[-1]), start.variables[0], {}):
        with pytest.raises(
            InvalidArgumentError, match=r"weights\(\) takes the \d variables .* Hand over the variables"
        ):
            weights(other)
    for dtype in ("bfloat16", "float16", "int32"):
        coarse = [np.asarray(v).astype(jnp.dtype(dtype)) for v in start.variables]
        with pytest.raises(InvalidArgumentError, match=rf"variables\[0\] must be float32 or float64; got {dtype}"):
            weights(coarse)


def test_every_declared_pair_with_a_bound_is_offered():
    assert {(key, Geometry(name)) for key, name in PAIRS} == set(updates._WEIGHTS) - {("free", Geometry.FREE)}
    for key, geometry in PAIRS:
        assert all(np.isfinite(v).all() for v in made(key, geometry).variables)


def test_the_example_prints_what_it_shows():
    (found,) = doctest.DocTestFinder(recurse=False).find(normbench.jax.parametrize, "parametrize")
    result = doctest.DocTestRunner(optionflags=doctest.FAIL_FAST).run(found)
    assert result.attempted > 5
    assert result.failed == 0
