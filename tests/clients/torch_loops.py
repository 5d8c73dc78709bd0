"""A small classifier in float64 for the clients of torch, and the loop that their steps are held against."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from tests.torch.torch_members import MEMBERS, names, network

__all__ = ["MEMBERS", "classifier", "in_a_loop", "names", "samples"]


def samples():
    """Inputs (20, 4) and classes (20,)."""
    generator = torch.Generator().manual_seed(9)
    return torch.randn((20, 4), generator=generator, dtype=torch.float64), torch.arange(20) % 3


def classifier(seed=0):
    """Three dense layers, in the weights of the members' network."""
    layers = []
    for W in network(seed, torch.float64):
        layers += [nn.Linear(*W.T.shape, bias=False, dtype=torch.float64), nn.Tanh()]
        layers[-2].weight = W
    return nn.Sequential(*layers[:-1])


def in_a_loop(member, steps, batches=None):
    """The model after some steps of a plain loop over batches, all samples at each by default."""
    model = classifier()
    optimizer = member.make(model.parameters())
    for k in range(steps):
        x, y = (batches or [samples()])[k % len(batches or [0])]
        if optimizer.differentiates:
            optimizer.step(lambda x=x, y=y: cross_entropy(model(x), y))
        else:
            optimizer.zero_grad()
            cross_entropy(model(x), y).backward()
            optimizer.step()
    return model, optimizer
