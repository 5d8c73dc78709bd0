"""Shard parameters or optimisers over two processes, and print as JSON what every class makes of it.

``python sharded_parameters.py FOLDER`` starts the other process itself; test_torch_data_parallel runs it.
"""

import json
import os
import sys
import warnings
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.multiprocessing import spawn
from torch_members import MEMBERS

from normbench.errors import InvalidArgumentError

WORLD = 2
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


def work(rank, folder):
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=WORLD, timeout=timedelta(seconds=60)
    )
    mesh, results = init_device_mesh("cpu", (WORLD,)), {}
    for member in MEMBERS:
        dtype = torch.float64
        expected = None if member.coupled else descend(whole := perceptron(dtype), member.make(whole.parameters()))
        sharded = perceptron(dtype)
        fully_shard(sharded, mesh=mesh)
        results[f"fully_shard-{member.name}"] = attempt(member, sharded, member.make, expected)
        zero = lambda params, of=member: ZeroRedundancyOptimizer(params, of.kind, **of.options)  # noqa: E731
        results[f"zero-{member.name}"] = attempt(member, perceptron(dtype), zero, expected)
    if rank == 0:
        Path(folder, "results.json").write_text(json.dumps(results))
    distributed.destroy_process_group()


def main():
    if sys.platform == "linux":
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"  # the machine's own name may have no address
    spawn(work, args=(sys.argv[1],), nprocs=WORLD)


if __name__ == "__main__":
    main()
