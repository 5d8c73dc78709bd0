"""A small convolutional network in torch, its data, and the constants of method 2 for it."""

import math

import torch
from torch import nn

GAIN = math.sqrt(3 * 2) / 2 * math.sqrt(1)  # overlap of the first convolution, average pool, overlap of the second
CLASSES = 3


def convnet(seed, dtype=torch.float64):
    """Images (samples, 2, 6, 6) to outputs (samples, 3), without biases."""
    generator = torch.Generator().manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(2, 4, (3, 2), padding=(1, 1), bias=False),
        nn.ReLU(),
        nn.AvgPool2d((2, 2)),
        nn.Conv2d(4, 5, 2, stride=2, bias=False),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(5, CLASSES, bias=False),
    ).to(dtype)
    for p in model.parameters():
        p.data = torch.randn(p.shape, generator=generator, dtype=torch.float64).to(dtype) / math.sqrt(p[0].numel())
    return model


def images(seed, samples=24, dtype=torch.float64):
    generator = torch.Generator().manual_seed(100 + seed)
    x = torch.randn((samples, 2, 6, 6), generator=generator, dtype=torch.float64) / 4
    y = torch.randn((samples, CLASSES), generator=generator, dtype=torch.float64)
    return x.to(dtype), y.to(dtype)


def square_loss(outputs, y):
    return (outputs - y).square().sum() / (2 * len(y))


def cross_entropy(outputs, y):
    return nn.functional.cross_entropy(outputs, y.argmax(dim=1))


def mean_square(x):
    return float(x.square().sum() / len(x))
