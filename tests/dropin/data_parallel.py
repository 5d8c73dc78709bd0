"""Train in two processes and in one, and print the largest deviation of every case as JSON.

``python data_parallel.py FOLDER`` starts the other process itself; test_torch_data_parallel runs it.
"""

import json
import os
import sys
import warnings
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed
from torch.multiprocessing import spawn
from torch.nn.parallel import DistributedDataParallel
from torch_convnet import GAIN, convnet, images, square_loss

from normbench.torch import AGD, LARS, Fromage, Method1, Method2

STEPS = 8
WORLD = 2
OPTIMIZERS = {
    "method1": lambda params, group, model: Method1(params, process_group=group),
    "method1-forward": lambda params, group, model: Method1(params, process_group=group, module=model),
    "method2": lambda params, group, model: Method2(params, gain=GAIN, mean_square_input=4.0),
    "agd": lambda params, group, model: AGD(params),
    "fromage": lambda params, group, model: Fromage(params),
    "lars": lambda params, group, model: LARS(params),
}


def train(key, dtype, rank=None):
    """Losses before every step, and the weights after the last, of this process's samples or of all."""
    model, (x, y) = convnet(0, dtype), images(0, dtype=dtype)
    group = None
    if rank is not None:
        x, y, group = x[rank::WORLD], y[rank::WORLD], distributed.group.WORLD
    optimizer = OPTIMIZERS[key](model.parameters(), group, model)
    wrapped = model if rank is None else DistributedDataParallel(model)
    losses = []
    for _ in range(STEPS):
        if key.startswith("method1"):
            losses.append(optimizer.step(lambda: square_loss(model(x), y)))
            continue
        optimizer.zero_grad()
        loss = square_loss(wrapped(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach() if rank is None else averaged(loss.detach()))
    return torch.stack(losses), [p.detach() for p in model.parameters()]


def averaged(loss):
    distributed.all_reduce(loss)
    return loss / WORLD


def deviation(found, expected):
    """Largest difference relative to the largest entry of each tensor."""
    pairs = zip([found[0], *found[1]], [expected[0], *expected[1]], strict=True)
    return max(((a - b).abs().max() / b.abs().max()).item() for a, b in pairs)


def work(rank, folder):
    torch.set_num_threads(1)
    warnings.simplefilter("error")
    # torch loads its own scripts on the first use of forward mode
    warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
    meeting = f"file://{folder}/meeting"
    distributed.init_process_group(
        "gloo", init_method=meeting, rank=rank, world_size=WORLD, timeout=timedelta(seconds=60)
    )
    results = {}
    for dtype in (torch.float32, torch.float64):
        for key in OPTIMIZERS:
            found = train(key, dtype, rank)
            ranks = [[torch.empty_like(w) for _ in range(WORLD)] for w in found[1]]
            for gathered, w in zip(ranks, found[1], strict=True):
                distributed.all_gather(gathered, w)
                assert torch.equal(*gathered), key
            if rank == 0:
                expected = train(key, dtype)
                assert expected[0][-1] < expected[0][0], key
                results[f"{key}-{str(dtype).removeprefix('torch.')}"] = deviation(found, expected)
    if rank == 0:
        Path(folder, "results.json").write_text(json.dumps(results))
    distributed.destroy_process_group()


def main():
    if sys.platform == "linux":
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"  # the machine's own name may have no address
    spawn(work, args=(sys.argv[1],), nprocs=WORLD)


if __name__ == "__main__":
    main()
