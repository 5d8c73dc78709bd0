"""Parameters or optimisers sharded over processes: what every torch.optim class makes of them; for two_processes.py."""

import warnings

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch_members import MEMBERS

from normbench.errors import InvalidArgumentError

STEPS = 4


def perceptron(dtype):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 7, bias=False), nn.Tanh(), nn.Linear(7, 3, bias=False)).to(dtype)


def descend(model, optimizer):
    generator = torch.Generator().manual_seed(1)
    x, y = (torch.randn((10, n), generator=generator, dtype=torch.float64) for n in (4, 3))
    for _ in range(STEPS):
        optimizer.zero_grad()
        (model(x.to(model[0].weight.dtype)) - y).square().mean().backward()
        optimizer.step()
    return [p.detach().full_tensor() if hasattr(p, "full_tensor") else p.detach() for p in model.parameters()]


def deviation(found, expected):
    return max(((a - b).abs().max() / b.abs().max()).item() for a, b in zip(found, expected, strict=True))


def attempt(member, model, make, expected):
    """The deviation from one process, or the words of the refusal."""
    try:
        optimizer = make(model.parameters())
    except InvalidArgumentError as error:
        return str(error)
    return deviation(descend(model, optimizer), expected)


def deviations(world):
    """Of every class from one process, or the words of its refusal."""
    mesh, results, dtype = init_device_mesh("cpu", (world,)), {}, torch.float64
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for member in MEMBERS:
            expected = None if member.coupled else descend(whole := perceptron(dtype), member.make(whole.parameters()))
            sharded = perceptron(dtype)
            fully_shard(sharded, mesh=mesh)
            results[f"fully_shard-{member.name}"] = attempt(member, sharded, member.make, expected)
            zero = lambda params, of=member: ZeroRedundancyOptimizer(params, of.kind, **of.options)  # noqa: E731
            results[f"zero-{member.name}"] = attempt(member, perceptron(dtype), zero, expected)
    return results
