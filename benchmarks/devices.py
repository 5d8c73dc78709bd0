"""The table "On a GPU" of docs/speed.md: ``python -m benchmarks.devices``. An iteration on a GPU and on one core.

The devices take turns in one process and are waited for at the end of each turn; figures are medians over the rounds.
"""

import argparse
from functools import partial

from .common import BACKENDS, DEVICES, advance, bounded_trainer, require_device, trainer
from .ratios import SIZES, interleaved, step_variants

WAYS = ("method1", "method2", "fromage", "adam", "geodesic_lbfgs sandwich", "geodesic_lbfgs ball")
ITERATIONS = 10  # of a turn: a whole period of the roots of geodesic L-BFGS
ROUNDS = 5


def made(way: str, backend: str, size: str, device: str):
    """A trainer of a way of training, its first iterations done."""
    run = bounded_trainer(way, backend, size, device) if " " in way else trainer(size, way, backend, device=device)
    advance(run, ITERATIONS)
    return run


def iterations(size: str, backend: str, devices: tuple[str, ...], ways: tuple[str, ...]) -> None:
    """A row per way of training: milliseconds of an iteration on each device."""
    for way in ways:
        turns = {device: partial(advance, made(way, backend, size, device), ITERATIONS) for device in devices}
        ratios, seconds = interleaved(turns, ROUNDS)
        cells = " | ".join(f"{1e3 / ITERATIONS * seconds * ratio:.3g}" for ratio in ratios.values())
        print(f"| {size} | {way} | {backend} | {cells} |", flush=True)


def steps() -> None:
    """A step of the drop-in classes on 64 layers of a GPU, over torch's fused Adam."""
    import torch

    def waited(step):
        step()
        torch.cuda.synchronize()

    ratios, seconds = interleaved({name: partial(waited, step) for name, step in step_variants("cuda").items()}, 200)
    for name, ratio in ratios.items():
        print(f"| {name} | {seconds * ratio * 1e6:.0f} us | {ratio:.2f} |", flush=True)


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=DEVICES, action="append", help="only these; both without it")
    parser.add_argument("--backend", choices=BACKENDS, action="append")
    parser.add_argument("--size", choices=SIZES, action="append")
    parser.add_argument("--way", choices=WAYS, action="append")
    parser.add_argument("--steps", action="store_true", help="only steps of the drop-in classes")
    given = parser.parse_args()
    if given.steps:
        return steps()
    devices = tuple(given.device or DEVICES)
    print(f"| network | way | backend | {' ms | '.join(devices)} ms |", flush=True)
    for backend in given.backend or BACKENDS:
        require_device(backend, devices[-1])
        for size in given.size or SIZES:
            iterations(size, backend, devices, tuple(given.way or WAYS))
    return None


if __name__ == "__main__":
    main()
