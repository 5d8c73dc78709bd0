"""Small networks on manifolds, and a smooth function of their weights that has a gradient for every component."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest

from normbench import specs
from normbench.reference import fgsgd
from normbench.specs import manifolds
from normbench.specs.fgsgd import FGSGD

MANIFOLDS, GROUPINGS = (h.choices for h in FGSGD.hyperparameters if h.choices)
PERCEPTRON = ((7, 5), (4, 7), (3, 4))
KERNELS = ((6, 4, 2, 3), (4, 6, 1, 1), (3, 4, 3, 3))


@dataclass(frozen=True, eq=False)
class Case:
    """Weights of some shapes on their manifolds; the function is that of :meth:`gradient`."""

    manifold: str
    grouping: str
    shapes: tuple = PERCEPTRON
    groups: int = 2
    partition_seed: int = 0
    seed: int = 0
    learning_rate: float = 0.5
    strength: float = 1.0

    @property
    def hyper(self):
        names = ("manifold", "grouping", "groups", "partition_seed", "learning_rate")
        return specs.get("fgsgd").resolve({name: getattr(self, name) for name in names})

    @cached_property
    def weights(self):
        return self.onto(self.draw(1))

    def draw(self, stream):
        rng = np.random.default_rng([self.seed, stream])
        return tuple(rng.normal(size=shape) for shape in self.shapes)

    def onto(self, drawn, positions=None):
        names = ("manifold", "grouping", "groups", "partition_seed")
        return manifolds.initial_weights(
            drawn, positions=positions or (1,) * len(drawn), **{name: getattr(self, name) for name in names}
        )

    @cached_property
    def targets(self):
        return self.draw(2)

    def gradient(self, weights):
        """Of strength * sum (T W + (1 - cos 3 W) / 6)."""
        return tuple(self.strength * (T + np.sin(3 * W) / 2) for T, W in zip(self.targets, weights, strict=True))

    def value(self, weights):
        pairs = zip(self.targets, weights, strict=True)
        return self.strength * sum((T * W + (1 - np.cos(3 * W)) / 6).sum() for T, W in pairs)

    def run_reference(self, steps, **given):
        weights, rates = self.weights, []
        state = fgsgd.fgsgd(**self.hyper).init(None, weights)
        for t in range(steps):
            extra = {name: values[t] for name, values in given.items()}
            weights, state, rate = fgsgd.fgsgd(**self.hyper, **extra).step(self.gradient(weights), weights, state)
            rates.append(rate)
        return weights, rates


CASES = [
    *(Case(manifold, grouping) for manifold in MANIFOLDS for grouping in GROUPINGS),
    *(Case(manifold, "pio", KERNELS) for manifold in MANIFOLDS),
    Case("sphere", "po", KERNELS, groups=3, partition_seed=4),
    Case("stiefel", "pi", KERNELS, groups=1),
    Case("sphere", "po", groups=50),
    Case("sphere", "pio", strength=10.0),
    Case("stiefel", "pio", strength=10.0),
]


def name(case):
    kind = "perceptron" if case.shapes == PERCEPTRON else "kernels"
    return f"{case.manifold}-{case.grouping}-{case.groups}-{kind}-{case.strength:g}"


@pytest.fixture(params=CASES, ids=name)
def case(request):
    return request.param


@pytest.fixture(params=MANIFOLDS)
def manifold(request):
    return request.param


@pytest.fixture(params=GROUPINGS)
def grouping(request):
    return request.param


def components(weight, sets):
    """Every component of a weight as a matrix, by Definition 1 written out."""
    for rows in sets.outputs:
        for columns in sets.inputs:
            block = weight[rows][:, columns]
            if block.ndim == 2 or block.shape[2:] == (1, 1):
                yield block.reshape(block.shape[:2])
            else:
                yield from block.reshape(-1, *block.shape[2:])


def departure(component, manifold):
    """How far a matrix is from its unscaled manifold: the largest error of what should be 1."""
    if manifold == "sphere":
        return abs(np.linalg.norm(component) - 1)
    if manifold == "oblique":
        return np.abs(np.linalg.norm(component, axis=0) - 1).max()
    return np.abs(np.linalg.svd(component, compute_uv=False) - 1).max()


def largest_departure(weights, case, positions=None, deviations=None):
    """The largest departure of all components of a network, scales divided out."""
    worst = 0.0
    for layer, W in enumerate(weights):
        sets = manifolds.partition(
            W.shape, grouping=case.grouping, groups=case.groups, partition_seed=case.partition_seed, layer=layer
        )
        scale = manifolds.scale(W.shape, positions=positions[layer] if positions else 1)
        omega = np.asarray(W, np.float64) / (scale / (deviations[layer] if deviations else 1.0))
        worst = max(worst, *(departure(c, case.manifold) for c in components(omega, sets)))
    return worst
