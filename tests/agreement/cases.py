"""Small problems for the drop-in optimisers, the reference's runs on them, and the check of agreement."""

import functools
from dataclasses import dataclass, field

import numpy as np
import pytest

from normbench import specs
from normbench.backends.trajectory import Status
from normbench.problems.scaling import dimensional_scaling, spectral_initialisation
from normbench.reference.trainer import ReferenceTrainer
from normbench.specs import Normalisation
from tests.agreement import comparison

STEPS = 60
SEED = 5
CONSTANTS = {None: {}, "ball": {"radius": 1.0}, "sphere": {"manifold": "sphere"}}


@dataclass(frozen=True, eq=False)
class Case:
    """One optimiser, its hyperparameters where they are not the defaults, and a network.

    A parametrisation that is named is that of the reference, which the drop-in optimiser is given by its constants.
    """

    key: str
    hyper: dict = field(default_factory=dict)
    layers: tuple = (5, 7, 4, 3)
    seed: int = SEED
    parametrisation: str | None = None

    @property
    def name(self):
        options = "".join(f"-{name}{value}" for name, value in self.hyper.items())
        options += f"-{self.parametrisation}" * (self.parametrisation is not None)
        return f"{self.key}{options}-{'x'.join(map(str, self.layers))}-seed{self.seed}"

    @property
    def options(self):
        """What the drop-in optimiser is made with."""
        return self.hyper | CONSTANTS[self.parametrisation]

    @functools.cached_property
    def problem(self):
        return make_problem(specs.get(self.key).normalisation, self.layers, self.seed)

    def reference(self, steps=STEPS):
        trajectory = run_of_the_reference(self, steps)
        assert trajectory.status is Status.DONE
        assert len(trajectory.step_size) == steps
        return trajectory


@functools.cache
def run_of_the_reference(case, steps):
    """Computed once for all tests that ask for the same."""
    hyper = specs.get(case.key).resolve(case.hyper)
    trainer = ReferenceTrainer(case.problem, case.key, hyper, parametrisation=case.parametrisation)
    trainer.advance(steps)
    return trainer.trajectory()


CASES = [
    Case("method1"),
    Case("method1", layers=(6, 3, 8, 2), seed=6),
    Case("method1", {"order": 3}),
    Case("method1", {"order": 4}),
    Case("method1", {"max_halvings": 0, "trust_region": 0.01}),
    Case("method2"),
    Case("method2", layers=(6, 3, 8, 2)),
    Case("method2_exp"),
    Case("agd"),
    Case("agd", layers=(6, 3, 8, 2)),
    Case("fromage"),
    Case("fromage", {"learning_rate": 0.1, "p_bound": 1.0}),
    Case("lars", {"learning_rate": 0.03}),
    Case("geodesic_lbfgs", parametrisation="ball"),
    Case("geodesic_lbfgs", {"history": 3}, layers=(6, 3, 8, 2), parametrisation="sphere"),
    Case("polar_average", parametrisation="ball"),
    Case("polar_average", {"momentum": 0.5, "offset": 3, "power": 2}, layers=(6, 3, 8, 2), parametrisation="ball"),
    Case("online_lbfgs", parametrisation="ball"),
    Case("online_lbfgs", {"history": 3, "interval": 1, "power": 2}, layers=(6, 3, 8, 2), parametrisation="ball"),
]
ELSEWHERE = ("fgsgd",)  # manifolds/
CASES += [  # what nobody has written down is taken at its defaults
    Case(key, parametrisation=own if (own := specs.get(key).parametrisation) in CONSTANTS else None)
    for key in specs.AUTOMATIC
    if key not in (*ELSEWHERE, *(case.key for case in CASES))
]
ONE_OF_EACH = [case for k, case in enumerate(CASES) if case.key not in {c.key for c in CASES[:k]}]


def make_problem(normalisation, layers, seed):
    """A smooth map of random inputs, scaled as the optimiser wants it."""
    rng = np.random.default_rng([seed, 11])
    x = rng.normal(size=(50, layers[0]))
    y = np.tanh(x @ rng.normal(size=(layers[0], layers[-1])) + 0.3)
    scaling = spectral_initialisation if normalisation is Normalisation.SPHERES else dimensional_scaling
    return scaling((x[:40], y[:40]), (x[40:], y[40:]), layers, seed=seed)


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request):
    return request.param


@pytest.fixture(params=ONE_OF_EACH, ids=lambda case: case.key)
def each(request):
    """One case of every optimiser."""
    return request.param


@pytest.fixture(scope="session")
def case_of():
    """A case by the key of its optimiser; equal ones are the same, and share what is computed of them."""
    made = {case.name: case for case in CASES}

    def find(key, hyper=None, **given):
        case = Case(key, hyper or {}, **given)
        return made.setdefault(case.name, case)

    return find


@pytest.fixture(scope="session")
def deviation():
    """Largest deviation from a trajectory of the reference."""
    return comparison.deviation
