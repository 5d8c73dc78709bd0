"""Taylor coefficients of a network's outputs along the geodesic, and the derivatives of networks that have none."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from normbench.networks import Loss, Network, perceptron, preactivation_resnet18, transformer
from normbench.networks.activations import Relu
from normbench.networks.layers import AveragePool, Convolution, Dense, Flatten, Scale, Upsample
from normbench.torch.benchmark.network import build, loss_value
from normbench.torch.benchmark.objective import NetworkObjective
from normbench.torch.benchmark.series import has_series, output_series
from tests.networks.examples import BENT, PLAIN, draw_inputs, draw_weights, one_hot
from tests.networks.nested import derivatives

# torch's own: torch.func.jvp loads decompositions that torch still compiles by torch.jit
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")

ORDER = 4
STRIDES = Network(
    (2, 9, 6),
    (
        Convolution(2, 5, size=3, stride=2, padding=0),
        Relu(),
        Convolution(5, 4, size=2, stride=1, padding=1),
        Relu(),
        Scale(1.7),
        Convolution(4, 3, size=1, stride=1, padding=0),
        Flatten(),
        Dense(45, 6),
        Relu(),
        Dense(6, 3),
    ),
)
POOLED = Network((2, 4, 8), (Convolution(2, 3), Relu(), AveragePool(2), Flatten(), Dense(24, 3)))
NETWORKS = {"perceptron": PLAIN["perceptron"], "strides": STRIDES, "pooled": POOLED, "bent": BENT}


def draw(network: Network, rng: np.random.Generator) -> list[Tensor]:
    return [torch.tensor(w) for w in draw_weights(network, rng)]


def curve(weights: Sequence[Tensor], velocity: Sequence[Tensor], moving: Sequence[bool], t: Tensor) -> list[Tensor]:
    layers = zip(weights, velocity, moving, strict=True)
    return [w * torch.cos(t) + v * torch.sin(t) if m else w for w, v, m in layers]


def outputs_along(network: Network, weights: list[Tensor], velocity: list[Tensor], moving: list[bool], x: Tensor):
    """f(x; Gamma(t)) as a function of t, by the network's own module."""
    model = build(network, [w.numpy() for w in weights], dtype=torch.float64, device="cpu")
    names = [name for name, _ in model.named_parameters()]

    def along(t: Tensor) -> Tensor:
        moved = dict(zip(names, curve(weights, velocity, moving, t), strict=True))
        return torch.func.functional_call(model, moved, (x,))

    return along


@pytest.mark.parametrize(
    ("name", "resting"),
    [
        ("perceptron", ()),
        ("perceptron", (0,)),
        ("strides", ()),
        ("strides", (1, -1)),
        ("pooled", (0,)),
        ("bent", ()),
        ("bent", (1, -1)),
    ],
)
def test_coefficients_are_those_of_nested_forward_mode(name: str, resting: tuple[int, ...]) -> None:
    network, rng = NETWORKS[name], np.random.default_rng(3)
    weights, velocity = draw(network, rng), draw(network, rng)
    moving = [True] * len(weights)
    for layer in resting:
        moving[layer] = False
        velocity[layer].zero_()  # what rests has no velocity
    x = torch.tensor(draw_inputs(network, rng))
    found = output_series(network, weights, velocity, moving, x, ORDER)
    assert found.shape == (ORDER + 1, len(x), *network.output_shape)
    nested = derivatives(outputs_along(network, weights, velocity, moving, x), ORDER)
    for k, expected in enumerate(nested):
        assert expected.abs().max() > 1e-3
        torch.testing.assert_close(math.factorial(k) * found[k], expected, rtol=1e-11, atol=1e-11)


def test_the_series_is_the_function_near_zero() -> None:
    """The remainder falls with the fifth power of t."""
    rng = np.random.default_rng(4)
    weights, velocity = draw(STRIDES, rng), draw(STRIDES, rng)
    moving = [True] * len(weights)
    x = torch.tensor(draw_inputs(STRIDES, rng))
    series = output_series(STRIDES, weights, velocity, moving, x, ORDER)
    along = outputs_along(STRIDES, weights, velocity, moving, x)

    def remainder(t: float) -> float:
        powers = torch.tensor([t**k for k in range(ORDER + 1)], dtype=torch.float64)
        return float((along(torch.tensor(t, dtype=torch.float64)) - torch.tensordot(powers, series, dims=1)).norm())

    # small enough that no ReLU changes side
    assert remainder(2e-3) / remainder(1e-3) == pytest.approx(2.0**5, rel=0.05)


def test_zero_preactivations_are_closed_in_every_coefficient() -> None:
    """A dead unit stays dead: ReLU'(0) = 0, as in the reference."""
    network, rng = perceptron((4, 5, 3)), np.random.default_rng(0)
    weights, velocity = draw(network, rng), draw(network, rng)
    weights[0].zero_()
    x = torch.tensor(draw_inputs(network, rng))
    assert not output_series(network, weights, velocity, [True, True], x, ORDER).any()


def test_layers_without_a_series_are_known() -> None:
    assert has_series(STRIDES)
    assert has_series(PLAIN["convolutional"])
    larger = Network((1, 2, 2), (Convolution(1, 2), Upsample(2)))
    for network in (preactivation_resnet18(3, width=2, side=8), transformer(5, width=4, heads=2, length=3), larger):
        assert not has_series(network)


@pytest.mark.parametrize(
    ("name", "resting"), [("pooled", None), ("pooled", 0), ("resnet18", 0), ("transformer", None), ("transformer", 0)]
)
def test_derivatives_of_the_loss_are_those_of_reverse_mode(name: str, resting: int | None) -> None:
    """Networks with batch norm or attention take the way through the whole network."""
    others = {
        "resnet18": preactivation_resnet18(3, width=2, side=8, channels=2),
        "transformer": transformer(7, width=4, heads=2, depth=1, hidden=5, length=3),
    }
    network, rng = (NETWORKS | others)[name], np.random.default_rng(5)
    weights, velocity = draw(network, rng), draw(network, rng)
    moving = [layer != resting for layer in range(len(weights))]
    if resting is not None:
        velocity[resting].zero_()
    x = torch.tensor(draw_inputs(network, rng))
    y = rng.integers(7, size=(6, 3)) if name == "transformer" else one_hot(3, rng)
    objective = NetworkObjective(
        network, x, torch.tensor(y), Loss.CROSS_ENTROPY, 1.0, dtype=torch.float64, majorant_scale=1.0
    )
    with torch.no_grad():
        point = objective.point(weights)
        slope = objective.slope(point)
        found = objective.curve_derivatives(point, slope, velocity, moving, 3)

    t = torch.zeros((), dtype=torch.float64, requires_grad=True)
    along = outputs_along(network, weights, velocity, moving, x)
    value = loss_value(Loss.CROSS_ENTROPY, along(t), torch.tensor(y), 1.0)
    assert value.item() == pytest.approx(float(point.loss), rel=1e-14)
    expected = []
    for _ in range(3):
        (value,) = torch.autograd.grad(value, t, create_graph=True)
        expected.append(value.item())
    assert found == pytest.approx(expected, rel=1e-9)
    assert objective.evaluations == (1, 1)
