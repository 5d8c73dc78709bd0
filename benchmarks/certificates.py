"""Cost of certificates over width and depth, for asv; ``python -m benchmarks.certificates`` prints them in Markdown.

``--trained`` prints what the bounds say of networks that optimisers of the registry have trained on simulated flights;
``--figure FILE.svg`` draws the seconds over width and depth on logarithmic axes, with the numbers as CSV beside it.
"""

import argparse
import itertools
import time
from pathlib import Path

import numpy as np
import pandas as pd

from .common import LAYERS, SEED, advance, module, problem, seaborn, spec, trainer

WIDTHS = {f"width {width}": (12, width, width, width, 3) for width in (16, 32, 64, 128)}
DEPTHS = {f"depth {depth}": (12, *[32] * (depth - 1), 3) for depth in (2, 4, 8, 16)}
SIZES = {"E1": LAYERS["E1"], **WIDTHS, **DEPTHS}
LARGER = {"64-128-128-10": (64, 128, 128, 10), "784-256-256-256-10": (784, 256, 256, 256, 10)}
BOUNDS = ("product", "combettes_pesquet", "eclipse_fast", "rescaling", "lipsdp")
TRAINED = ("method1", "agd", "adam", "lbfgs")
ITERATIONS = 200


def weights(layers):
    """Gaussian, of variance 1 / fan_in; the same at every call."""
    rng = np.random.default_rng(SEED)
    return [rng.normal(size=(b, a)) / np.sqrt(a) for a, b in itertools.pairwise(layers)]


class Bounds:
    """One bound of one network with Gaussian weights, its own check included."""

    params = (tuple(SIZES), BOUNDS)
    param_names = ("network", "bound")
    timeout = 120

    def setup(self, size, bound):
        """Skip where the commit has no certificates."""
        self.network = module("normbench.certificates").plain(weights(SIZES[size]))
        self.bound = getattr(module(f"normbench.certificates.{bound}"), bound)

    def time_bound(self, size, bound):
        """From checked weights to a certificate; LipSDP with the rescaling that it starts from."""
        self.bound(self.network)

    def track_bound(self, size, bound):
        """Its value: lower is tighter."""
        return self.bound(self.network).bound


class Check:
    """Verification of a LipSDP certificate from weights and witness."""

    params = (tuple(SIZES),)
    param_names = ("network",)

    def setup(self, size):
        """Certify first."""
        self.certificates = module("normbench.certificates")
        self.weights = weights(SIZES[size])
        lipsdp = module("normbench.certificates.lipsdp").lipsdp
        self.certificate = lipsdp(self.certificates.plain(self.weights))

    def time_verify(self, size):
        """One Cholesky factorisation, and making its matrix."""
        self.certificates.verify(self.weights, self.certificate)


def measured(layers):
    """Name, value and processor seconds of every bound."""
    network = module("normbench.certificates").plain(weights(layers))
    for bound in BOUNDS:
        start = time.process_time()
        made = getattr(module(f"normbench.certificates.{bound}"), bound)(network)
        yield bound, made.bound, time.process_time() - start


def scaling_row(name, layers):
    """Bounds, and the processor seconds that each took."""
    cells = [f"{value:.4g} ({seconds:.2g} s)" for _, value, seconds in measured(layers)]
    return f"| {name} | " + " | ".join(cells) + " |"


def draw(path):
    """Seconds over width and depth, as a figure and as CSV."""
    sns = seaborn()
    rows = [
        {"quantity": quantity, "value": int(name.split()[1]), "bound": bound, "value of it": value, "seconds": seconds}
        for quantity, sizes in (("width", WIDTHS), ("depth", DEPTHS))
        for name, layers in sizes.items()
        for bound, value, seconds in measured(layers)
    ]
    frame = pd.DataFrame(rows)
    frame.to_csv(path.with_suffix(".csv"), index=False, float_format="%.4g")
    sns.set_theme(context="paper", style="whitegrid", palette="colorblind")
    shared = {"sharex": False, "sharey": True}
    grid = sns.relplot(
        frame, x="value", y="seconds", hue="bound", style="bound", col="quantity", kind="line", markers=True,
        height=2.8, aspect=1.3, facet_kws=shared,
    )  # fmt: skip
    grid.set(xscale="log", yscale="log").set_titles("{col_name}").set_axis_labels("", "processor seconds")
    for quantity, panel in grid.axes_dict.items():
        values = sorted(frame.loc[frame["quantity"] == quantity, "value"].unique())
        panel.set_xticks(values, list(map(str, values)))
        panel.minorticks_off()
    grid.figure.savefig(path)


def trained_row(optimiser):
    """Product, bounds and largest measured gain after 200 iterations, in newtons per unit-norm input."""
    made = trainer("E1", optimiser, "torch", dtype="float64", iterations=ITERATIONS)
    advance(made, ITERATIONS)
    found = made.trajectory().weights
    start = problem("E1", spec(optimiser).normalisation)
    scale = start.output_scale * start.input_norm
    certified = module("normbench.certificates").certify(found, output_scale=scale)
    bounds = {attempt.kind: attempt.certificate.bound for attempt in certified.attempts}
    gain = module("normbench.running.certificate").largest_gain(start, found)
    shown = [*bounds.values(), gain]
    return f"| {optimiser} | " + " | ".join(f"{value:.4g}" for value in shown) + " |"


def main():
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trained", action="store_true")
    parser.add_argument("--figure", type=Path)
    given = parser.parse_args()
    if given.figure:
        draw(given.figure)
        return
    if given.trained:
        print("| optimiser | product | Combettes-Pesquet | ECLipsE-Fast | rescaled | LipSDP | measured |")
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
        for optimiser in TRAINED:
            print(trained_row(optimiser), flush=True)
        return
    print("| network | product | Combettes-Pesquet | ECLipsE-Fast | rescaled | LipSDP |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, layers in {**SIZES, **LARGER}.items():
        print(scaling_row(name, layers), flush=True)


if __name__ == "__main__":
    main()
