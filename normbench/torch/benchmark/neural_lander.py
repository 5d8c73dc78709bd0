"""The network of the Neural-Lander notebook, trained as published: a check on a data set, not an optimiser under test.

A 12-25-30-15-3 ReLU network with biases, Adam at 1e-3, batches of 16, 5 epochs, spectral norms clipped to 2.
"""

import itertools

import numpy as np
import torch
from torch import Tensor

from normbench.data.dataset import Dataset
from normbench.data.splits import split_indices

HIDDEN = (25, 30, 15)
LEARNING_RATE = 1e-3
BATCH_SIZE = 16
EPOCHS = 5
SPECTRAL_BOUND = 2.0


def train(dataset: Dataset, *, seed: int) -> tuple[float, float]:
    """Mean squared error per output component on the training and test samples, in the squared unit of the data.

    Parameters
    ----------
    dataset : Dataset
        Raw samples: the published network sees them unscaled.
    seed : int
        Seeds the random 80/20 split, the initial weights and the order of the batches.
    """
    split = split_indices(dataset, rule="random", seed=seed)
    x = torch.tensor(dataset.inputs, dtype=torch.float32)
    y = torch.tensor(dataset.outputs, dtype=torch.float32)
    network = _network((x.shape[1], *HIDDEN, y.shape[1]), torch.Generator().manual_seed(seed))
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    order = np.random.default_rng([seed, 2])
    for _ in range(EPOCHS):
        shuffled = torch.from_numpy(order.permutation(split.train))
        for batch in shuffled.split(BATCH_SIZE):
            optimiser.zero_grad()
            torch.nn.functional.mse_loss(network(x[batch]), y[batch]).backward()
            optimiser.step()
            _clip_spectral_norms(network)
    return _mse(network, x[split.train], y[split.train]), _mse(network, x[split.test], y[split.test])


def _network(widths: tuple[int, ...], generator: torch.Generator) -> torch.nn.Sequential:
    """Linear layers with biases, uniform on +-1 / sqrt(fan_in) as torch.nn.Linear draws them, ReLU between them."""
    layers: list[torch.nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(widths):
        linear = torch.nn.Linear(fan_in, fan_out)
        with torch.no_grad():
            for p in linear.parameters():
                p.uniform_(-(fan_in**-0.5), fan_in**-0.5, generator=generator)
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


@torch.no_grad()
def _clip_spectral_norms(network: torch.nn.Sequential) -> None:
    for layer in network:
        if isinstance(layer, torch.nn.Linear):
            size = float(torch.linalg.matrix_norm(layer.weight, 2))
            if size > SPECTRAL_BOUND:
                layer.weight.mul_(SPECTRAL_BOUND / size)


@torch.no_grad()
def _mse(network: torch.nn.Sequential, x: Tensor, y: Tensor) -> float:
    return float(torch.nn.functional.mse_loss(network(x), y))
