"""The table "On a GPU" of docs/speed.md: ``python -m benchmarks.devices``. An iteration on a GPU and on one core.

Every figure is the median over rounds in which all variants run one after the other in one process, the device waited
for at the end of each.
"""

import argparse
import statistics
import time
from functools import partial

from .common import advance, bounded_trainer, require_device, trainer
from .ratios import step_variants

WAYS = ("method1", "method2", "fromage", "adam", "geodesic_lbfgs sandwich", "geodesic_lbfgs ball")
SIZES = ("E1", "E2", "wide")
ITERATIONS = 10  # of a variant in one round: a whole period of the roots of geodesic L-BFGS
ROUNDS = {"cpu": 3, "cuda": 7}


def made(way: str, backend: str, size: str, device: str):
    """A trainer of a way of training, its first iterations done."""
    run = bounded_trainer(way, backend, size, device) if " " in way else trainer(size, way, backend, device=device)
    advance(run, ITERATIONS)
    return run


def seconds(work, rounds: int) -> float:
    """Median of so many rounds."""
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def iterations(size: str, backend: str, devices: tuple[str, ...], ways: tuple[str, ...]) -> None:
    """A row per way of training: milliseconds of an iteration on each device."""
    for way in ways:
        found = []
        for device in devices:
            run = made(way, backend, size, device)
            found.append(1e3 / ITERATIONS * seconds(partial(advance, run, ITERATIONS), ROUNDS[device]))
        cells = " | ".join(f"{ms:.3g}" for ms in found)
        ratio = f" | {found[0] / found[-1]:.1f}" if len(found) > 1 else ""
        print(f"| {size} | {way} | {backend} | {cells}{ratio} |", flush=True)


def steps() -> None:
    """A step of the drop-in classes on 64 layers of a GPU, over torch's fused Adam."""
    import torch

    variants, found = step_variants("cuda"), {}
    for name, step in variants.items():

        def waited(step=step):
            step()
            torch.cuda.synchronize()

        waited()
        found[name] = seconds(waited, 200)
    base = next(iter(found.values()))
    for name, taken in found.items():
        print(f"| {name} | {taken * 1e6:.0f} us | {taken / base:.2f} |", flush=True)


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), action="append", help="only these; both without it")
    parser.add_argument("--backend", choices=("torch", "jax"), action="append")
    parser.add_argument("--size", choices=SIZES, action="append")
    parser.add_argument("--way", choices=WAYS, action="append")
    parser.add_argument("--steps", action="store_true", help="only steps of the drop-in classes")
    given = parser.parse_args()
    if given.steps:
        return steps()
    devices = tuple(given.device or ("cpu", "cuda"))
    print(f"| network | way | backend | {' ms | '.join(devices)} ms | ratio |", flush=True)
    for backend in given.backend or ("torch", "jax"):
        require_device(backend, devices[-1])
        for size in given.size or SIZES:
            iterations(size, backend, devices, tuple(given.way or WAYS))
    return None


if __name__ == "__main__":
    main()
