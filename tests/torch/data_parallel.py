"""The samples of a batch spread over processes: how far their steps are from those of one; for two_processes.py."""

import warnings

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel
from torch_convnet import GAIN, convnet, images, square_loss

from normbench.torch import AGD, LARS, Fromage, GeodesicLBFGS, Method1, Method2, OnlineLBFGS, PolarAverage

STEPS = 5
OPTIMIZERS = {
    "method1": lambda params, group, model: Method1(params, process_group=group),
    "method1-forward": lambda params, group, model: Method1(params, process_group=group, module=model),
    "method2": lambda params, group, model: Method2(params, gain=GAIN, mean_square_input=4.0),
    "agd": lambda params, group, model: AGD(params),
    "fromage": lambda params, group, model: Fromage(params),
    "lars": lambda params, group, model: LARS(params),
    "geodesic_lbfgs": lambda params, group, model: GeodesicLBFGS(params, process_group=group),
    "online_lbfgs": lambda params, group, model: OnlineLBFGS(params, process_group=group),
    "polar_average": lambda params, group, model: PolarAverage(params),
}


def train(key, dtype, rank=0, world=1):
    """Losses before every step, and the weights after the last, of this process's samples or of all."""
    model, (x, y) = convnet(0, dtype), images(0, dtype=dtype)
    alone = world == 1
    group = None if alone else distributed.group.WORLD
    x, y = x[rank::world], y[rank::world]
    optimizer = OPTIMIZERS[key](model.parameters(), group, model)
    wrapped = model if alone else DistributedDataParallel(model)
    losses = []
    for _ in range(STEPS):
        if optimizer.differentiates:
            losses.append(optimizer.step(lambda: square_loss(model(x), y)))
            continue
        optimizer.zero_grad()
        loss = square_loss(wrapped(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
        if not alone:
            distributed.all_reduce(losses[-1])
            losses[-1] /= world
    return torch.stack(losses), [p.detach() for p in model.parameters()]


def deviation(found, expected):
    """Largest difference relative to the largest entry of each tensor."""
    pairs = zip([found[0], *found[1]], [expected[0], *expected[1]], strict=True)
    return max(((a - b).abs().max() / b.abs().max()).item() for a, b in pairs)


def deviations(rank, world):
    """Of the losses and weights of every case from those of one process; the same bits on every rank."""
    results = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # torch loads its own scripts on the first use of forward mode
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
        for dtype in (torch.float32, torch.float64):
            for key in OPTIMIZERS:
                found = train(key, dtype, rank, world)
                ranks = [[torch.empty_like(w) for _ in range(world)] for w in found[1]]
                for gathered, w in zip(ranks, found[1], strict=True):
                    distributed.all_gather(gathered, w)
                    assert torch.equal(*gathered), key
                if rank == 0:
                    expected = train(key, dtype)
                    assert expected[0][-1] < expected[0][0], key
                    results[f"{key}-{str(dtype).removeprefix('torch.')}"] = deviation(found, expected)
    return results
