"""One step of the reference, for tests that hold another implementation against it."""

from types import SimpleNamespace

from normbench import specs
from normbench.reference.trainer import METHODS


def reference_step(key, gradient, weights, *, start=None, Q=1.0, **given):
    """New weights and step size; ``start`` are the weights at which the optimiser begins, ``Q`` is method 2's."""
    update = METHODS[key](**specs.get(key).resolve(given))
    state = update.init(SimpleNamespace(majorant_scale=Q), weights if start is None else start)
    moved, _, step_size = update.step(gradient, weights, state)
    return moved, step_size
