"""Where are the minima of method 2's majorant? ``python -m benchmarks.majorant`` counts, on real iterations.

m(t) = alpha (cos t - 1) - beta sin t + Q (P1(t) - P2)^2 / 2 on [0, pi]        (arXiv 2312.10672, eq. 22)

evaluated on a grid at every iteration of the paper's runs, beside the step that the line search took.
"""

import argparse
import math

from .common import BUFFER, problem, spec, trainer

FINE, COARSE = 200, 200  # points from 1e-6 to 0.1 rad, a factor apart; and from there to pi, equally spaced


def minima(gram, alpha, beta, Q, grid):
    """Positions on the grid of the local minima of the majorant, the ends included, and all its values."""
    import torch

    cosine, sine = torch.cos(grid), torch.sin(grid)
    matrices = gram.S + cosine[:, None, None, None] * gram.D - sine[:, None, None, None] * gram.R
    top = torch.linalg.eigvalsh(matrices)[..., -1].clamp_min(0).sqrt()
    distance = 2 * torch.sin(grid / 2)[:, None] * top
    difference = gram.P2 * torch.expm1(torch.log1p(distance / gram.norms).sum(-1))
    # cos t - 1 = -2 sin(t/2)^2 keeps its digits at small t
    values = -2 * alpha * torch.sin(grid / 2).square() - beta * sine + Q * difference.square() / 2
    padded = torch.nn.functional.pad(values, (1, 1), value=math.inf)
    return torch.nonzero((padded[1:-1] < padded[:-2]) & (padded[1:-1] <= padded[2:])).flatten(), values


def examine(seed, iterations):
    """For every iteration: the number of minima, whether the first is the lowest, and log(step / first minimum)."""
    import torch

    from normbench.torch.updates import method2
    from normbench.torch.updates.spheres import directions, radii

    made = trainer("E1", "method2", "torch", dtype="float64", iterations=BUFFER, seed=seed)
    samples = problem("E1", spec("method2").normalisation, seed).x_train
    Q = float((samples**2).sum() / len(samples))
    fine = torch.logspace(-6, -1, FINE, dtype=torch.float64)
    grid = torch.cat([fine, torch.linspace(0.1, math.pi, COARSE + 1, dtype=torch.float64)[1:]])
    seen = []
    with torch.no_grad():
        for _ in range(iterations):
            weights = made._point.weights
            along = directions(made._objective.slope(made._point).gradient, weights, radii(weights))
            found, values = minima(method2.grams(weights, along), along.alpha, along.beta, Q, grid)
            made.advance(1)
            distance = math.log(made.trajectory().step_size[-1] / float(grid[found[0]]))
            seen.append((len(found), bool(values[found].argmin() == 0), distance))
    return seen


def main():
    """Print the counts of every seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=3000)
    arguments = parser.parse_args()
    for seed in range(arguments.seeds):
        seen = examine(seed, arguments.iterations)
        counts = {n: sum(number == n for number, *_ in seen) for n in sorted({number for number, *_ in seen})}
        print(f"seed {seed}, {len(seen)} iterations, by number of minima: {counts};", end=" ")
        print(f"the first is the lowest in {sum(first for _, first, _ in seen)};", end=" ")
        print(f"step over first minimum of the grid within a factor {math.exp(max(abs(d) for *_, d in seen)):.3f}")


if __name__ == "__main__":
    main()
