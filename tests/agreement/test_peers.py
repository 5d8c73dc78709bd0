"""The peers in the trainers: the numbers of a user's own loop with the same library, and honest counts."""

import dataclasses
import importlib
import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest
import torch

from normbench import specs
from normbench.backends.trajectory import Status
from normbench.errors import InvalidArgumentError
from normbench.networks import BatchNorm, Loss, Network, perceptron
from normbench.networks.activations import Relu, Tanh
from normbench.running.request import Asked
from normbench.running.support import check_support
from normbench.specs import PEERS, REFERENCED, SPECS
from tests.agreement.conftest import build, problem_for, train

STEPS = 40
SHALLOW = (6, 9, 3)  # whose programs JAX compiles soonest
# geoopt scripts functions at import, which torch has deprecated
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
LIBRARIES = [key for key in PEERS if key not in REFERENCED]
TORCH, JAX = ([key for key in LIBRARIES if SPECS[key].runs_on(backend)] for backend in ("torch", "jax"))
TORCH.remove("riemannian_tr")  # test_trust_regions.py


def hyper(key):
    """Defaults; a learning rate that has to be tuned is one that moves."""
    return {"learning_rate": 0.01} if SPECS[key].tuned else {}


def user_loop_in_torch(problem, key, steps):
    """Losses of modules, autograd and the library's own class."""
    if key == "riemannian_cg":
        return user_loop_on_spheres(problem, steps)
    x, y = torch.tensor(problem.x_train), torch.tensor(problem.y_train)
    layers = [torch.nn.Linear(*w.T.shape, bias=False, dtype=torch.float64) for w in problem.weights]
    for layer, w in zip(layers, problem.weights, strict=True):
        layer.weight.data.copy_(torch.tensor(w))
    model = torch.nn.Sequential(*[m for layer in layers for m in (layer, torch.nn.ReLU())][:-1])
    optimizer = library_class(key, model.parameters())

    def closure():
        optimizer.zero_grad()
        loss = (model(x) - y).square().sum() / (2 * len(x))
        loss.backward()
        return loss

    losses = [closure().item()]
    for _ in range(steps):
        if hasattr(optimizer, "train"):
            optimizer.train()
        optimizer.step(closure)
        if hasattr(optimizer, "eval"):
            optimizer.eval()
        losses.append(closure().item())
    return losses


def user_loop_on_spheres(problem, steps):
    """Losses of geoopt's own parameters and line search."""
    geoopt = importlib.import_module("geoopt")
    x, y = torch.tensor(problem.x_train), torch.tensor(problem.y_train)
    flat = [geoopt.ManifoldParameter(torch.tensor(w).flatten(), manifold=geoopt.Sphere()) for w in problem.weights]
    optimizer = geoopt.optim.RiemannianLineSearch(flat, line_search_method="wolfe", cg_method="pr")

    def closure():
        optimizer.zero_grad()
        h = x
        for v, w in zip(flat[:-1], problem.weights, strict=False):
            h = torch.relu(h @ v.view(w.shape).T)
        loss = (h @ flat[-1].view(problem.weights[-1].shape).T - y).square().sum() / (2 * len(x))
        loss.backward()
        return loss.item()

    return [closure(), *(optimizer.step(closure) for _ in range(steps))]


def library_class(key, params):
    lr = hyper(key).get("learning_rate", 1.0)
    if key == "lbfgs":
        return torch.optim.LBFGS(
            params, max_iter=1, max_eval=25, history_size=10, tolerance_grad=0, tolerance_change=0,
            line_search_fn="strong_wolfe",
        )  # fmt: skip
    if key == "muon":
        return torch.optim.Muon(params, lr=lr, weight_decay=0.0)
    return declared(key, r"(torch\.optim|pytorch_optimizer)\.(\w+)")(params, lr=lr)


def declared(key, pattern):
    """What the declaration of a peer names of a library."""
    found = re.search(pattern, SPECS[key].equations)
    assert found, f"equations of {key} must name its class, as in torch.optim.Adamax; got {SPECS[key].equations!r}"
    return getattr(importlib.import_module(found[1]), found[2])


def user_loop_of_residuals(problem, key, steps):
    """Losses at the points that optimistix's own solver accepts, of residuals whose Jacobian it takes itself."""
    solver = declared(key, r"(optimistix)\.(\w+)")(rtol=0.0, atol=0.0)
    x, y = jnp.asarray(problem.x_train), jnp.asarray(problem.y_train)

    def residuals(weights, args):
        h = x
        for w in weights[:-1]:
            h = jax.nn.relu(h @ w.T)
        return h @ weights[-1].T - y, None

    weights = tuple(map(jnp.asarray, problem.weights))
    shape, _ = jax.eval_shape(residuals, weights, None)
    state = solver.init(residuals, weights, None, {}, shape, None, frozenset())
    losses = []
    while len(losses) <= steps:
        weights, state, _ = solver.step(residuals, weights, None, {}, state, frozenset())
        if state.num_steps_since_acceptance == 0:  # its first step accepts the start
            losses.append(float(jnp.sum(jnp.square(residuals(weights, None)[0]))) / (2 * len(x)))
    return losses


def user_loop_in_jax(problem, key, steps):
    if key == "levenberg_marquardt":
        return user_loop_of_residuals(problem, key, steps)
    x, y = jnp.asarray(problem.x_train), jnp.asarray(problem.y_train)

    @jax.jit
    def loss(weights):
        h = x
        for w in weights[:-1]:
            h = jax.nn.relu(h @ w.T)
        return jnp.sum(jnp.square(h @ weights[-1].T - y)) / (2 * len(x))

    transformation = library_transformation(key)
    params = tuple(map(jnp.asarray, problem.weights))
    state = jax.jit(transformation.init)(params)

    @jax.jit
    def step(params, state):
        value, grad = jax.value_and_grad(loss)(params)
        extra = {"value": value} if key in ("momo", "lbfgs") else {}
        extra |= {"grad": grad, "value_fn": loss} if key == "lbfgs" else {}
        updates, state = transformation.update(grad, state, params, **extra)
        return optax.apply_updates(params, updates), state

    losses = [float(loss(params))]
    for _ in range(steps):
        params, state = step(params, state)
        shown = optax.contrib.schedule_free_eval_params(state, params) if key == "schedule_free" else params
        losses.append(float(loss(shown)))
    return losses


def library_transformation(key):
    lr = hyper(key).get("learning_rate", 1.0)
    dimensions = optax.contrib.MuonDimensionNumbers(1, 0)
    muon = partial(optax.contrib.muon, muon_weight_dimension_numbers=lambda params: tuple(dimensions for _ in params))
    build = {
        "lbfgs": lambda lr: optax.lbfgs(),
        "muon": muon,
    }
    return (build.get(key) or declared(key, r"(optax(?:\.contrib)?)\.(\w+)"))(lr)


@pytest.mark.parametrize("key", TORCH)
def test_the_torch_trainer_follows_the_library_in_a_user_loop(key):
    problem = problem_for(key, seed=3)
    found = train("torch", problem, key, iterations=STEPS, **hyper(key)).trajectory()
    assert found.status is Status.DONE
    rtol = 1e-3 if key == "muon" else 1e-7  # Muon rounds to bfloat16, where the last bit of a gradient can show
    np.testing.assert_allclose(found.loss, user_loop_in_torch(problem, key, STEPS), rtol=rtol)
    assert found.loss[-1] < found.loss[0]


@pytest.mark.parametrize("key", JAX)
def test_the_jax_trainer_follows_the_library_in_a_user_loop(key):
    problem = problem_for(key, seed=3, layers=SHALLOW)
    found = train("jax", problem, key, iterations=STEPS, **hyper(key)).trajectory()
    assert found.status is Status.DONE
    with jax.enable_x64(True):
        expected = user_loop_in_jax(problem, key, STEPS)
    np.testing.assert_allclose(found.loss, expected, rtol=1e-7)


def counts(trajectory):
    return np.diff(trajectory.loss_evaluations), np.diff(trajectory.gradient_evaluations)


@pytest.mark.parametrize(("framework", "key"), [("torch", "lbfgs"), ("jax", "lbfgs"), ("torch", "riemannian_cg")])
def test_line_searches_are_counted(framework, key):
    found = train(framework, problem_for(key, seed=3, layers=SHALLOW), key, iterations=STEPS).trajectory()
    losses, _ = counts(found)
    assert (losses >= 1).all()
    assert losses.sum() > STEPS  # some searches take more than one evaluation
    np.testing.assert_array_equal(found.loss_evaluations[1:], found.gradient_evaluations[1:])


@pytest.mark.parametrize("activation", [Relu(), Tanh()])
def test_levenberg_marquardt_counts_the_rows_of_its_matrix_and_its_steps(activation):
    problem = problem_for("levenberg_marquardt", seed=3, layers=SHALLOW)
    network = perceptron(SHALLOW, activation)  # by hand, and by automatic differentiation
    found = train("jax", dataclasses.replace(problem, network=network), "levenberg_marquardt", iterations=STEPS)
    losses, _ = counts(trajectory := found.trajectory())
    assert losses.sum() == STEPS * (problem.y_train.shape[1] + 1) + trajectory.halvings
    assert trajectory.halvings > 0  # where a step did not lower the loss enough
    assert (np.diff(trajectory.loss) < 0).all()


@pytest.mark.parametrize("activation", [Relu(), Tanh()])
def test_the_gauss_newton_matrix_is_that_of_the_jacobian(activation):
    problem = problem_for("levenberg_marquardt", layers=SHALLOW)
    trainer = build("jax", dataclasses.replace(problem, network=perceptron(SHALLOW, activation)), "levenberg_marquardt")
    with jax.enable_x64(True):
        objective, weights = trainer._objective, trainer._weights

        def outputs(weights):
            h = jnp.asarray(problem.x_train)
            for w in weights[:-1]:
                h = (jnp.tanh if activation == Tanh() else jax.nn.relu)(h @ w.T)
            return (h @ weights[-1].T).ravel()

        J = np.hstack([np.reshape(d, (d.shape[0], -1)) for d in jax.jacrev(outputs)(weights)])
        expected = J.T @ J / len(problem.x_train)
        np.testing.assert_allclose(objective.gauss_newton(weights), expected, rtol=1e-12, atol=1e-14)


def test_levenberg_marquardt_stalls_where_nothing_has_a_gradient():
    problem = problem_for("levenberg_marquardt", layers=SHALLOW)
    weights = [-np.abs(problem.weights[0]), np.zeros_like(problem.weights[1])]
    positive = dataclasses.replace(problem, weights=tuple(weights), x_train=np.abs(problem.x_train))  # no unit fires
    found = train("jax", positive, "levenberg_marquardt", iterations=5).trajectory()
    assert (found.status, found.step_size[-1]) == (Status.STALLED, 0.0)
    for kept, given in zip(found.weights, weights, strict=True):
        np.testing.assert_array_equal(kept, given)


@pytest.mark.parametrize(
    ("network", "loss", "message"),
    [
        (
            perceptron(SHALLOW),
            Loss.CROSS_ENTROPY,
            "needs the square loss of samples one by one; got the loss cross_ent",
        ),
        (Network((1, 4, 4), (BatchNorm(),)), Loss.SQUARE, "got a network that mixes the samples of a batch"),
        (perceptron((784, 256, 10)), Loss.SQUARE, "up to 5,000 of them; got 203,264"),
    ],
)
def test_levenberg_marquardt_refuses_what_is_no_least_squares_of_few_weights(network, loss, message):
    with pytest.raises(InvalidArgumentError, match=message):
        check_support(specs.get("levenberg_marquardt"), network, loss=loss)


@pytest.mark.parametrize("key", ["lbfgs", "riemannian_cg", "riemannian_tr"])
def test_a_search_without_a_gradient_stalls(key):
    problem = problem_for(key)
    weights = [problem.weights[0], -np.abs(problem.weights[1]), *problem.weights[2:]]  # no unit fires
    found = train("torch", dataclasses.replace(problem, weights=tuple(weights)), key, iterations=5).trajectory()
    assert (found.status, found.step_size[-1]) == (Status.STALLED, 0.0)


@pytest.mark.parametrize("key", ["riemannian_cg", "riemannian_tr"])
@pytest.mark.parametrize("parametrisation", ["sphere", "ball", "sandwich"])
def test_a_matrix_of_one_number_stays_where_it_is(parametrisation, key):
    """geoopt refuses a sphere of one number, whose two points are apart."""
    problem = problem_for(key, layers=(6, 3, 1, 1, 3))
    problem = dataclasses.replace(problem, weights=tuple(map(np.abs, problem.weights)))  # every unit fires
    found = train("torch", problem, key, iterations=5, parametrisation=parametrisation).trajectory()
    assert found.loss[-1] < found.loss[0]
    assert parametrisation != "sphere" or abs(found.weights[2]) == pytest.approx(1.0)


def test_schedule_free_pays_for_the_gradient_and_for_the_average():
    losses, gradients = counts(train("torch", problem_for("schedule_free"), "schedule_free", iterations=5).trajectory())
    np.testing.assert_array_equal(losses, np.full(5, 2))
    np.testing.assert_array_equal(gradients, np.ones(5))


def test_a_peer_is_refused_where_no_library_has_it():
    with pytest.raises(InvalidArgumentError, match="dog is not implemented on backend 'torch'; choose jax"):
        Asked(task="quadrotor-sim", layers=(12, 3), optimiser="dog", backend="torch", seed=0).resolved()
    assert specs.get("dog").backends == ("jax",)
