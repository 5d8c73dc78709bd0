"""The peer riemannian_tr: its steps are one run of pymanopt; products with the Hessian, counts, ends, JAX as it was."""

import dataclasses
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from normbench.backends.trajectory import Status
from normbench.networks import perceptron
from normbench.networks.activations import Tanh
from normbench.torch.updates.trust_regions import DISTANCE, OnManifold, load_pymanopt
from tests.agreement.conftest import build, problem_for

pymanopt = load_pymanopt()
STEPS = 30
WAYS = ("sphere", "ball", "sandwich")
LAYERS = (6, 9, 4, 11, 3)


def problem(seed=0, layers=LAYERS):
    return problem_for("riemannian_tr", seed=seed, layers=layers)


def weights_of(way, variables):
    """Plain weights, and in the sandwich W_1 = B_1, W_k = 2 B_k A_{k-1}^T, W_L = 2 A_{L-1}^T of [A_k B_k]."""
    if way != "sandwich":
        return variables
    columns = [*LAYERS[1:-2], LAYERS[-1]]
    A = [M[:, :n] for M, n in zip(variables, columns, strict=True)]
    B = [M[:, n:] for M, n in zip(variables, columns, strict=True)]
    return [B[0], *(2 * b @ a.T for a, b in zip(A[:-1], B[1:], strict=True)), 2 * A[-1].T]


class Plain:
    """A user's problem on pymanopt's manifolds, from the variables of a trainer; what its solver asks is kept."""

    def __init__(self, problem, way, variables, activation=torch.relu):
        self.way, self.activation = way, activation
        self.x, self.y = torch.tensor(problem.x_train), torch.tensor(problem.y_train)
        self.shapes = [P.shape for P in variables]
        kinds = pymanopt.manifolds
        if way == "sphere":
            self.manifold = kinds.Product([kinds.Sphere(*shape) for shape in self.shapes])
            self.start = [P / np.linalg.norm(P) for P in variables]
        else:
            self.manifold = kinds.Product([kinds.Stiefel(m + n, min(m, n)) for m, n in self.shapes])
            self.start = [lift(P if P.shape[0] >= P.shape[1] else P.T) for P in variables]
        self.iterates, self.proposed, self.losses, self.gradients = [], None, set(), set()

    def down(self, Q):
        if self.way == "sphere":
            return list(Q)
        tall = [q[: max(shape)] for q, shape in zip(Q, self.shapes, strict=True)]
        return [P if tuple(P.shape) == shape else P.T for P, shape in zip(tall, self.shapes, strict=True)]

    def loss(self, Q):
        *inner, last = weights_of(self.way, self.down(Q))
        h = self.x
        for W in inner:
            h = self.activation(h @ W.T)
        return (h @ last.T - self.y).square().sum() / (2 * len(self.x))

    def slope(self, Q):
        with torch.enable_grad():
            leaves = [torch.tensor(q, requires_grad=True) for q in Q]
            found = torch.autograd.grad(self.loss(leaves), leaves)
        self.gradients.add(name(Q))
        return self.manifold.euclidean_to_riemannian_gradient(Q, [g.numpy() for g in found])

    def cost(self, Q):
        self.losses.add(name(Q))
        if self.proposed is not None:
            self.iterates.append(self.iterates[-1])  # until its gradient is asked for it is not taken
        self.proposed = self.down(Q)
        return float(self.loss([torch.tensor(q) for q in Q]))

    def riemannian_gradient(self, Q):
        self.iterates[-1:] = [self.proposed]
        self.here = self.slope(Q)
        return self.here

    def riemannian_hessian(self, Q, V):
        t = DISTANCE / self.manifold.norm(Q, V)
        beyond = self.manifold.retraction(Q, t * V)
        self.losses.add(name(beyond))
        return (self.manifold.transport(beyond, Q, self.slope(beyond)) - self.here) * (1 / t)

    @staticmethod
    def preconditioner(Q, V):
        return V

    def run(self, steps):
        settings = {"max_iterations": steps, "max_time": math.inf, "min_gradient_norm": 0.0, "verbosity": 0}
        return pymanopt.optimizers.TrustRegions(**settings).run(self, initial_point=self.start)


def name(arrays):
    """What is at other places has another one."""
    return b"".join(np.ascontiguousarray(each).tobytes() for each in arrays)


def lift(P):
    """[P; (I - P^T P)^(1/2)]"""
    squares, vectors = np.linalg.eigh(np.eye(P.shape[1]) - P.T @ P)
    return np.vstack([P, vectors * np.sqrt(squares.clip(0)) @ vectors.T])


def moved(trainer):
    found = trainer.trajectory()
    return found.variables or found.weights


def at(way, *, seed=0, **given):
    return build("torch", problem(seed), "riemannian_tr", parametrisation=way, **given)


@pytest.mark.parametrize("way", WAYS)
def test_steps_are_one_run_of_pymanopt_and_nothing_is_evaluated_twice(way, monkeypatch):
    trainer = at(way)
    seen = [name(trainer._plain_weights())]
    point = trainer._objective.point

    def watched(weights):
        seen.append(name(weights))
        return point(weights)

    monkeypatch.setattr(trainer._objective, "point", watched)
    plain = Plain(problem(), way, moved(trainer))
    result = plain.run(STEPS)
    assert len(plain.iterates) == STEPS + 1
    for k, expected in enumerate(plain.iterates):
        for ours, theirs in zip(moved(trainer), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-8, err_msg=f"iteration {k}")
        trainer.advance(1 if k < STEPS else 0)
    found = trainer.trajectory()
    assert found.status is Status.DONE
    assert found.loss[-1] == pytest.approx(result.cost, rel=1e-9)
    assert found.loss[-1] < 0.8 * found.loss[0]
    assert (found.loss_evaluations[-1], found.gradient_evaluations[-1]) == tuple(
        map(len, (plain.losses, plain.gradients))
    )
    assert len(set(seen)) == len(seen) == found.loss_evaluations[-1]
    assert found.halvings > 0


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_that_is_not_taken_leaves_the_weights_and_quarters_the_radius(way, dtype):
    trainer, refused = at(way, seed=1, dtype=dtype), 0
    for k in range(40):
        before = moved(trainer)
        trainer.advance(1)
        found = trainer.trajectory()
        if found.halvings == refused:
            assert found.loss[-1] < found.loss[-2]
            assert not trainer._state._problem._products  # those of the last point
            continue
        refused = found.halvings
        assert (found.status, found.loss[-1]) == (Status.DONE, found.loss[-2])
        for kept, given in zip(moved(trainer), before, strict=True):
            np.testing.assert_array_equal(kept, given)
        trainer.advance(1)
        assert trainer.trajectory().step_size[-2:] == pytest.approx(found.step_size[-1] / np.array([1, 4])), k
        refused = trainer.trajectory().halvings
    assert refused > 0


@pytest.mark.parametrize("way", WAYS)
def test_every_iterate_is_on_the_manifold(way):
    trainer = at(way)
    for _ in range(STEPS):
        trainer.advance(1)
        for P in moved(trainer):
            if way == "sphere":
                assert np.linalg.norm(P) == pytest.approx(1.0, abs=1e-14)
            else:
                assert np.linalg.norm(P, 2) <= 1 + 1e-14
        for Q in trainer._state._problem.here.x if way != "sphere" else ():
            np.testing.assert_allclose(Q.T @ Q, np.eye(Q.shape[1]), atol=1e-14)


def on_manifold(way, dtype):
    """A smooth network, whose Hessian there is one of."""
    smooth = dataclasses.replace(problem(), network=perceptron(LAYERS, Tanh()))
    trainer = build("torch", smooth, "riemannian_tr", parametrisation=way, dtype=dtype)
    found = OnManifold(trainer._asked, trainer._point.weights)
    with torch.no_grad():
        found.begin(trainer._point)
    return found, smooth


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("way", WAYS)
def test_products_are_those_with_the_hessian_of_the_manifold(way, dtype):
    found, smooth = on_manifold(way, dtype)
    plain = Plain(smooth, way, moved(at(way)), activation=torch.tanh)
    x = found.here.x
    leaves = [torch.tensor(Q, requires_grad=True) for Q in x]
    gradient = torch.autograd.grad(plain.loss(leaves), leaves, create_graph=True)
    rng = np.random.default_rng(0)
    for _ in range(5):
        v = plain.manifold.to_tangent_space(x, [rng.normal(size=Q.shape) for Q in x])
        along = sum((g * torch.tensor(u)).sum() for g, u in zip(gradient, v, strict=True))
        hessian = torch.autograd.grad(along, leaves, retain_graph=True)
        expected = plain.manifold.euclidean_to_riemannian_hessian(
            x, [g.detach().numpy() for g in gradient], [h.numpy() for h in hessian], v
        )
        with torch.no_grad():
            ours = found.riemannian_hessian(x, v)
        assert found.manifold.norm(x, ours - expected) < 0.02 * found.manifold.norm(x, expected)
    assert found.manifold.norm(x, found.riemannian_hessian(x, 0.0 * v)) == 0


@pytest.mark.parametrize("way", WAYS)
def test_a_step_below_the_rounding_of_the_weights_is_a_stall(way):
    trainer = at(way, dtype="float32")
    trainer.advance(3)
    before = trainer.trajectory()
    trainer._state._radius = 1e-12
    trainer.advance(3)
    after = trainer.trajectory()
    assert (after.status, after.step_size[-1], len(after.step_size)) == (Status.STALLED, 0.0, 4)
    tried = after.loss_evaluations[-1] - before.loss_evaluations[-1]
    assert tried == after.gradient_evaluations[-1] - before.gradient_evaluations[-1]  # the same weights are not tried
    for kept, given in zip(after.weights, before.weights, strict=True):
        np.testing.assert_array_equal(kept, given)


def test_a_proposal_whose_loss_is_not_finite_is_not_taken(monkeypatch):
    trainer = at("ball")
    trainer.advance(2)
    refused = trainer.trajectory().halvings
    cost = OnManifold.cost
    here = trainer._state._problem.here.x
    monkeypatch.setattr(OnManifold, "cost", lambda self, x: cost(self, x) if x is here else cost(self, x) * math.nan)
    trainer.advance(1)
    monkeypatch.undo()
    found = trainer.trajectory()
    assert (found.status, found.loss[-1], found.halvings) == (Status.DONE, found.loss[-2], refused + 1)
    trainer.advance(5)
    assert trainer.trajectory().loss[-1] < found.loss[-1]


FLAG = "import jax; print(jax.config.jax_enable_x64)"
LOAD = (
    "import sys; from normbench.torch.updates import peers; assert 'pymanopt' not in sys.modules; peers.riemannian_tr()"
)
INSIDE = f"""
import jax
with jax.enable_x64(True):
    {LOAD}
    assert jax.config.jax_enable_x64
print(jax.config.jax_enable_x64)"""


@pytest.mark.parametrize(
    ("code", "said", "found"),
    [
        (f"{LOAD}; {FLAG}", {}, False),
        (f"{LOAD}; {FLAG}", {"JAX_ENABLE_X64": "True"}, True),
        (f"import jax; jax.config.update('jax_enable_x64', True); {LOAD}; {FLAG}", {}, True),
        (INSIDE, {}, False),
    ],
    ids=["not-loaded", "not-loaded-on", "turned-on", "on-in-a-context"],
)
def test_jax_computes_in_the_precision_that_it_had(code, said, found):
    environment = {key: value for key, value in os.environ.items() if key != "JAX_ENABLE_X64"} | said
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.split()) == (0, [str(found)]), done.stderr
