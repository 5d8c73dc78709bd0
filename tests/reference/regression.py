"""A small regression at a bound, which the tests of our own methods share."""

import numpy as np

from normbench.problems.bound import at_bound
from normbench.problems.initial_variables import initial_variables
from normbench.problems.scaling import unit_parts
from normbench.reference.network import Objective
from normbench.reference.parametrisations import chart
from normbench.reference.start import within_targets
from normbench.reference.through import Through
from normbench.specs import parametrisations

LAYERS = (6, 9, 4, 11, 3)


def problem_at(lipschitz, *, seed=0, layers=LAYERS, targets=None):
    rng = np.random.default_rng([seed, 17])
    x = rng.normal(size=(160, layers[0]))
    y = np.stack([np.sin(2 * x[:, 0]) + x[:, 1], x[:, 2] * x[:, 3], np.abs(x[:, 4])], axis=1)
    part = (x, y if targets is None else targets(x))
    return within_targets(at_bound(*unit_parts(part, part), layers, lipschitz=lipschitz, seed=seed))


class Run:
    """One optimiser through a parametrisation, one iteration after the other."""

    def __init__(self, spec, update, parametrisation, *, lipschitz=20.0, seed=0, layers=LAYERS, targets=None, **given):
        self.problem = problem_at(lipschitz, seed=seed, layers=layers, targets=targets)
        geometry = parametrisations.geometry(spec, parametrisation)
        self.chart = chart(parametrisation, geometry, self.problem.network.weight_shapes)
        self.plain = Objective.of(self.problem)
        self.objective = Through(self.plain, self.chart, geometry)
        self.method = update(**spec.resolve(given)).as_method(
            lambda objective, point: objective.gradient(point.weights)
        )
        variables = initial_variables(parametrisation, geometry, self.problem.weights)
        self.state = self.method.init(self.objective, variables)
        self.point = self.objective.point(variables)

    def step(self):
        found = self.method.step(self.objective, self.point, self.state)
        self.point, self.state = found.point, found.state
        return found

    def steps(self, count):
        return [self.step() for _ in range(count)]
