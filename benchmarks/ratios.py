"""The table of docs/speed.md: ``python -m benchmarks.ratios``. What our iterations cost in units of what others cost.

Every ratio is the median over rounds in which all variants run one after the other in one process on one thread, so
that a slow spell of the machine hits them alike.
"""

import argparse
import statistics
import time
from functools import partial

from .autodiff import autodiff_gradient, autodiff_scan, nested_method1
from .common import BACKENDS, advance, bounded_trainer, problem, spec, trainer
from .parts import DEPTH, WIDTH

SIZES = ("E1", "E2", "wide")
AT_A_BOUND = (*SIZES, "mnist")
ROUNDS = {"E1": 15, "E2": 7, "wide": 5, "mnist": 5}
ITERATIONS = 3  # of a variant in one round
PERIOD = 10  # iterations of geodesic L-BFGS from one making of its roots to the next


def interleaved(variants, rounds):
    """Median over the rounds of every variant's seconds over those of the first; and the first's median in seconds."""
    for work in variants.values():
        work()
    taken = {name: [] for name in variants}
    for _ in range(rounds):
        for name, work in variants.items():
            start = time.perf_counter()
            work()
            taken[name].append(time.perf_counter() - start)
    base = next(iter(variants))
    ratios = {
        name: statistics.median(a / b for a, b in zip(seconds, taken[base], strict=True))
        for name, seconds in taken.items()
    }
    return ratios, statistics.median(taken[base])


def iterations(backend, size):
    """Rows for methods 1 and 2 and Adam in plain gradients, and for method 1 by nested autodiff in ours."""
    data = _data(size)
    variants = {"gradient": _gradients(backend, data, ITERATIONS)}
    for key in ("method1", "method2", "adam"):
        variants[key] = _training(key, backend, size)
    for name, iteration in nested_method1(backend, *data).items():
        variants[name] = _repeated(iteration)
    ratios, seconds = interleaved(variants, ROUNDS[size])
    return ratios, seconds / ITERATIONS


def bounded(backend, size):
    """Rows for geodesic L-BFGS at a bound in plain gradients, over a whole period of its roots."""
    variants = {"gradient": _gradients(backend, _data(size), PERIOD)}
    for way in ("geodesic_lbfgs sandwich", "geodesic_lbfgs ball"):
        made = bounded_trainer(way, backend, size)
        advance(made, PERIOD)  # the first roots are made in every iteration
        variants[way] = partial(advance, made, PERIOD)
    ratios, seconds = interleaved(variants, ROUNDS[size])
    return ratios, seconds / PERIOD


def _data(size):
    start = problem(size, spec("method1").normalisation)
    return start.x_train, start.y_train, start.weights


def _gradients(backend, data, number):
    """So many losses with gradients by plain automatic differentiation."""
    if backend == "jax":
        return autodiff_scan(*data, number)
    return _repeated(autodiff_gradient(backend, *data), number)


def _repeated(work, number=ITERATIONS):
    return lambda: [work() for _ in range(number)]


def _training(key, backend, size):
    made = trainer(size, key, backend)
    advance(made, 5)
    return lambda: advance(made, ITERATIONS)


def steps():
    """A step of the drop-in classes alone over one of torch's fused Adam, and over a Python loop over layers."""
    return interleaved(step_variants("cpu"), 200)


def step_variants(device):
    """Steps of torch's fused Adam, of the drop-in classes, and of loops over layers, by name."""
    import torch

    from normbench.torch import AGD, LARS, Fromage

    def layers():
        generator = torch.Generator().manual_seed(0)
        drawn = (torch.randn(2, WIDTH, WIDTH, generator=generator).to(device) for _ in range(DEPTH))
        made = []
        for weights, gradient in drawn:
            made.append(torch.nn.Parameter(weights / 8))
            made[-1].grad = gradient / 1000
        return made

    classes = {"Fromage": Fromage, "LARS": LARS, "AGD": AGD}
    variants = {"Adam(fused=True)": torch.optim.Adam(layers(), fused=True).step}
    variants |= {name: made(layers()).step for name, made in classes.items()}
    variants |= {f"{name}, loop": _loop(rule, layers()) for name, rule in _LOOPS.items()}
    return variants


def _fromage(layer, depth):
    return (layer - layer.grad * (0.01 * layer.norm() / layer.grad.norm())) / (1 + 0.01**2) ** 0.5


def _lars(layer, depth):
    return layer - layer.grad * (0.01 * layer.norm() / layer.grad.norm())


def _agd(layer, depth):
    return layer - layer.grad * (0.01 / depth * (layer.shape[0] / layer.shape[1]) ** 0.5 / layer.grad.norm())


_LOOPS = {"Fromage": _fromage, "LARS": _lars, "AGD": _agd}


def _loop(rule, layers):
    """One layer after the other, as most published code does it."""
    import torch

    @torch.no_grad()
    def step():
        for layer in layers:
            layer.copy_(rule(layer, len(layers)))

    return step


def main():
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=AT_A_BOUND, action="append", help="only these networks")
    parser.add_argument("--backend", choices=BACKENDS, action="append", help="only these libraries")
    parser.add_argument("--no-steps", action="store_true", help="leave the optimiser steps out")
    arguments = parser.parse_args()
    for backend in arguments.backend or BACKENDS:
        for size in arguments.size or AT_A_BOUND:
            if size in SIZES:
                _print(f"{backend}, {size}", *iterations(backend, size))
            _print(f"{backend}, {size}, at a bound", *bounded(backend, size))
    if not arguments.no_steps:
        _print(f"{DEPTH} layers of {WIDTH} x {WIDTH}", *steps())


def _print(title, ratios, seconds):
    print(f"| {title} | ratio |\n| --- | ---: |")
    for name, ratio in ratios.items():
        print(f"| {name} | {ratio:.2f} |" if ratio != 1 else f"| {name}: {seconds * 1e3:.2f} ms | 1 |")
    print(flush=True)


if __name__ == "__main__":
    main()
