"""Cost of an iteration over samples, width, depth and seeds: ``python -m benchmarks.scaling FIGURE.svg``.

Each quantity grows alone from the paper's size; the figure is drawn on logarithmic axes with the slope of the last
octave, and its numbers are written beside it as CSV.
"""

import argparse
import dataclasses
import math
import statistics
import time
from pathlib import Path

import pandas as pd

from .common import BACKENDS, SPLIT, advance, dataset, module, seaborn, spec, trainer_of

OPTIMISERS = ("method1", "method2")
SAMPLES, WIDTH, DEPTH = 16384, 32, 4
SWEEPS = {
    "samples": (1024, 2048, 4096, 8192, 16384, 32768, 65536),
    "width": (8, 16, 32, 64, 128, 256),
    "depth": (2, 3, 6, 12),
    "seeds": (1, 2, 4, 8),
}
ITERATIONS, ROUNDS = 3, 9


def cost(backend, optimiser, *, samples=SAMPLES, width=WIDTH, depth=DEPTH, seeds=1):
    """Median seconds of one iteration of every seed."""
    layers = (12, *[width] * (depth - 1), 3)
    runs = [_trainer(backend, optimiser, layers, samples, seed) for seed in range(seeds)]
    for run in runs:
        advance(run, ITERATIONS)
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for run in runs:
            advance(run, ITERATIONS)
        taken.append((time.perf_counter() - start) / ITERATIONS)
    return statistics.median(taken)


def _trainer(backend, optimiser, layers, samples, seed):
    tasks = module("normbench.problems.tasks")
    whole = tasks.problem(dataset(), layers, spec(optimiser).normalisation, split=SPLIT, seed=seed)
    x, y = whole.x_train, whole.y_train
    copies = math.ceil(samples / len(x))
    few = {"x_train": x.repeat(copies, axis=0)[:samples], "y_train": y.repeat(copies, axis=0)[:samples]}
    start = dataclasses.replace(whole, **few)
    return trainer_of(start, optimiser, backend, device="cpu", dtype="float32", iterations=100)


def measure():
    """One row a point: what grows, its value, backend, optimiser, milliseconds."""
    return pd.DataFrame(
        [
            {
                "quantity": quantity,
                "value": value,
                "run": f"{optimiser}, {backend}",
                "milliseconds": 1e3 * cost(backend, optimiser, **{quantity: value}),
            }
            for quantity, values in SWEEPS.items()
            for value in values
            for backend in BACKENDS
            for optimiser in OPTIMISERS
        ]
    )


def plot(measured):
    """Four panels on logarithmic axes; each line ends with its slope over the last octave."""
    sns = seaborn()
    sns.set_theme(context="paper", style="whitegrid", palette="colorblind")
    grid = sns.relplot(
        measured,
        x="value",
        y="milliseconds",
        hue="run",
        style="run",
        col="quantity",
        col_wrap=2,
        kind="line",
        markers=True,
        height=2.8,
        aspect=1.3,
        facet_kws={"sharex": False, "sharey": False},
    )
    grid.set(xscale="log", yscale="log")
    grid.set_titles("{col_name}").set_axis_labels("", "milliseconds an iteration")
    for quantity, panel in grid.axes_dict.items():
        rows = measured[measured["quantity"] == quantity]
        panel.set_xticks(SWEEPS[quantity], [f"{v // 1024} Ki" if v >= 1024 else str(v) for v in SWEEPS[quantity]])
        panel.minorticks_off()
        slopes = ", ".join(f"{slope(series):.2f}" for _, series in rows.groupby("run", sort=False))
        note = f"last slopes, as listed: {slopes}"
        panel.text(0.03, 0.97, note, transform=panel.transAxes, va="top", size="x-small")
    return grid.figure


def slope(series):
    """d log(milliseconds) / d log(value) between the last two points."""
    (x0, x1), (y0, y1) = series["value"].iloc[-2:], series["milliseconds"].iloc[-2:]
    return math.log(y1 / y0) / math.log(x1 / x0)


def main():
    """Measure, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figure", type=Path)
    figure = parser.parse_args().figure
    seaborn()
    measured = measure()
    measured.to_csv(figure.with_suffix(".csv"), index=False, float_format="%.4g")
    plot(measured).savefig(figure)
    for (quantity, run), series in measured.groupby(["quantity", "run"], sort=False):
        print(f"{quantity:8} {run:15} last slope {slope(series):.2f}")


if __name__ == "__main__":
    main()
