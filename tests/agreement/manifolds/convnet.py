"""A small convolutional network in torch for FGSGD, and a user's loop over it."""

import torch
from torch import nn


def network(seed=0, dtype=torch.float32):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(2, 4, 3, bias=False), nn.Flatten(), nn.Linear(16, 3, bias=False)).to(dtype)


def images(seed=0, dtype=torch.float32):
    return (5 * torch.randn(12, 2, 4, 4, generator=torch.Generator().manual_seed(seed))).to(dtype)


def train(model, optimizer, steps=1, seed=0):
    for t in range(seed, seed + steps):
        optimizer.zero_grad()
        model(images(t, next(model.parameters()).dtype)).float().square().mean().backward()
        optimizer.step()


def copies(params):
    return [p.detach().clone() for p in params]
