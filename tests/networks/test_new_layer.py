"""A new layer is one class and one entry per backend: planted here, it works everywhere; without, it is refused."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from normbench.errors import InvalidArgumentError
from normbench.jax.benchmark import network as jax_network
from normbench.networks import Dense, Loss, MaxMin, Network
from normbench.networks.base import Fixed
from normbench.reference import layers, network
from normbench.torch.benchmark import network as torch_network
from normbench.torch.benchmark import series


@dataclass(frozen=True)
class Reversed(Fixed):
    """Features in the opposite order."""


NETWORK = Network((3,), (Dense(3, 4), Reversed(), Dense(4, 2)))
WEIGHTS = tuple(np.random.default_rng(0).normal(size=shape) for shape in NETWORK.weight_shapes)
X = np.random.default_rng(1).normal(size=(5, 3))
EXPECTED = X @ WEIGHTS[0].T[:, ::-1] @ WEIGHTS[1].T


def outputs(backend: str) -> np.ndarray:
    if backend == "reference":
        return network.forward(NETWORK, WEIGHTS, X)
    if backend == "torch":
        return (
            torch_network.build(NETWORK, WEIGHTS, dtype=torch.float64, device="cpu")(torch.tensor(X)).detach().numpy()
        )
    return np.asarray(jax_network.apply(NETWORK, [jnp.asarray(w) for w in WEIGHTS], jnp.asarray(X)))


@pytest.mark.parametrize("backend", ["reference", "torch", "jax"])
def test_a_layer_without_an_entry_is_refused_by_name(backend: str) -> None:
    with pytest.raises(InvalidArgumentError, match=r"Reversed.* has no entry"):
        outputs(backend)


def test_a_layer_knows_its_shapes_bound_gain_and_cost_without_a_backend() -> None:
    assert NETWORK.output_shape == (2,)
    assert NETWORK.gain == 1
    assert NETWORK.lipschitz(WEIGHTS) == pytest.approx(np.prod([np.linalg.norm(w, 2) for w in WEIGHTS]))
    assert (NETWORK.multiply_adds, NETWORK.outputs) == (20, 10)


def test_with_one_entry_each_it_works_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    planted = layers.Evaluation(
        outputs=lambda layer, weights, x: x[:, ::-1],
        pull_back=lambda layer, weights, x, signal: signal[:, ::-1],
        series=lambda layer, curve, series: [coefficient[:, ::-1] for coefficient in series],
    )
    flip = type("Flip", (torch.nn.Module,), {"forward": lambda self, x: x.flip(1)})
    monkeypatch.setitem(layers._EVALUATIONS, Reversed, planted)
    monkeypatch.setitem(torch_network._MODULES, Reversed, lambda *_: flip())
    monkeypatch.setitem(jax_network._FUNCTIONS, Reversed, lambda layer, weights, x: x[:, ::-1])
    for backend, tolerance in (("reference", 1e-14), ("torch", 1e-14), ("jax", 1e-5)):
        np.testing.assert_allclose(outputs(backend), EXPECTED, rtol=tolerance, atol=tolerance)
    assert not series.has_series(NETWORK)  # where the derivatives take the way through the whole network
    objective = network.Objective(NETWORK, X, EXPECTED, Loss.SQUARE, 1.0)
    assert objective.loss(WEIGHTS) < 1e-28
    moved = (WEIGHTS[0] + 1e-3, WEIGHTS[1])
    slope = sum(np.vdot(g, v) for g, v in zip(objective.gradient(moved), moved, strict=True))
    still = tuple(np.zeros_like(w) for w in moved)
    assert objective.curve_derivatives(moved, still, 1) == [0.0]
    first, _ = objective.curve_derivatives(moved, tuple(np.array(w) for w in moved), 2)
    assert first == pytest.approx(slope)  # Gamma' = velocity at 0


def test_maxmin_refuses_samples_without_units_or_channels() -> None:
    with pytest.raises(InvalidArgumentError, match="MaxMin"):
        MaxMin().output_shape((4, 5))
