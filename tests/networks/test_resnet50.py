"""ResNet-50 as it is declared is the one of torchvision, written down here once more; and the same in both backends."""

from collections.abc import Iterator

import jax
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from normbench.jax.benchmark import network as jax_network
from normbench.networks import resnet50
from normbench.torch.benchmark import network as torch_network
from tests.networks.examples import draw_inputs, draw_weights


def normed(x: Tensor) -> Tensor:
    return functional.batch_norm(x, None, None, training=True)


def as_torchvision(x: Tensor, weights: Iterator[Tensor], blocks: tuple[int, ...]) -> Tensor:
    """torchvision/models/resnet.py, ``ResNet._forward_impl`` and ``Bottleneck.forward``, of functions alone."""
    x = functional.relu(normed(functional.conv2d(x, next(weights), stride=2, padding=3)))
    x = functional.max_pool2d(x, 3, 2, 1)
    for group, number in enumerate(blocks):
        for block in range(number):
            stride = 2 if group > 0 and block == 0 else 1
            out = functional.relu(normed(functional.conv2d(x, next(weights))))
            out = functional.relu(normed(functional.conv2d(out, next(weights), stride=stride, padding=1)))
            out = normed(functional.conv2d(out, next(weights)))
            identity = normed(functional.conv2d(x, next(weights), stride=stride)) if block == 0 else x
            x = functional.relu(out + identity)
    return functional.linear(functional.adaptive_avg_pool2d(x, 1).flatten(1), next(weights))


def test_it_is_torchvisions_of_bottlenecks() -> None:
    network = resnet50(5, width=2, side=40)
    rng = np.random.default_rng(0)
    weights, x = draw_weights(network, rng), draw_inputs(network, rng)
    model = torch_network.build(network, weights, dtype=torch.float64, device="cpu")
    remaining = map(torch.tensor, weights)
    expected = as_torchvision(torch.tensor(x), remaining, (3, 4, 6, 3))
    assert next(remaining, None) is None
    assert expected.std() > 1e-3
    torch.testing.assert_close(model(torch.tensor(x)), expected, rtol=1e-9, atol=1e-12)


def test_it_is_the_same_in_jax() -> None:
    """With three blocks, which have every kind that there is."""
    network = resnet50(5, width=2, side=32, blocks=(1, 2))
    rng = np.random.default_rng(1)
    weights, x = draw_weights(network, rng), draw_inputs(network, rng)
    model = torch_network.build(network, weights, dtype=torch.float64, device="cpu")
    value = model(torch.tensor(x)).square().sum()
    gradient = torch.autograd.grad(value, list(model.parameters()))
    with jax.enable_x64(True):
        evaluate = jax.jit(jax.value_and_grad(lambda w: (jax_network.apply(network, w, x) ** 2).sum()))
        found, slope = evaluate(weights)
    np.testing.assert_allclose(found, value.item(), rtol=1e-9)
    for ours, theirs in zip(slope, gradient, strict=True):
        assert theirs.abs().max() > 1e-9
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)
