"""The reference as judge: how far every backend strays from float64 NumPy on the same problem."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np

from normbench import specs
from normbench.backends import get, oracle
from normbench.backends.trajectory import Trajectory
from normbench.data.dataset import Dataset
from normbench.problems.problem import Problem
from normbench.problems.task import Task
from normbench.running.request import Asked, RunRequest
from normbench.running.run import build_plain_trainer, build_trainer, problem_of
from normbench.specs import Value, parametrisations

FLOAT64_LIMIT = 1e-9  # largest relative deviation of losses, step sizes and weights
FLOAT32_LIMIT = 1e-3  # relative deviation of the final training RMS
ROUNDINGS, DRAWS = 10, 3  # how many times what a rounding of the weights alone does, the most of so many draws

# Variants are judged at float64 only: at order 3 the minimiser of the polynomial jumps between the edge of the trust
# region and its inside, so that float32 rounding alone sends two correct runs along different paths.
_HYPERPARAMETERS: dict[str, tuple[dict[str, Value], ...]] = {
    "method1": ({"order": 3}, {"order": 4}),
    "fromage": ({"p_bound": 1.0},),
    "fgsgd": ({"manifold": "stiefel"}, {"manifold": "oblique"}),
}
_THROUGH_ALL = ("adam", "geodesic_lbfgs", "scion", "muon_cap", "adam_clip")  # at a bound, through all but the default
_BOUND = 20.0


_COMBINATIONS = (("fast", "float64"), ("plain", "float64"), ("fast", "float32"))


@dataclass(frozen=True)
class Scope:
    """How much of an optimiser is judged on a task.

    Attributes
    ----------
    iterations : int
    samples : int or None
        How many of the data, from the first; None for all.
    hidden : tuple of int or None
        Hidden widths; None for the task's own.
    variants : bool
        Also at hyperparameters that are not the defaults, and at a bound through other parametrisations.
    left_out : tuple of str
        Backends that are not judged in float32.
    """

    iterations: int = 200
    samples: int | None = None
    hidden: tuple[int, ...] | None = None
    variants: bool = True
    left_out: tuple[str, ...] = ()

    def changes(self, optimiser: str) -> tuple[dict[str, Any], ...]:
        """None, then what the variants change in a request, if they are wanted."""
        if not self.variants:
            return ({},)
        others = [{"hyperparameters": values} for values in _HYPERPARAMETERS.get(optimiser, ())]
        _, *through = parametrisations.through(specs.get(optimiser))
        ways = [{"parametrisation": key, "lipschitz": _BOUND} for key in through if optimiser in _THROUGH_ALL]
        return ({}, *others, *ways)

    def combinations(self, backend: str, optimiser: str, changes: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        """Paths and precisions that the backend has: of a variant one, of the defaults all that are wanted.

        The plain path takes a class for users, which peers with a reference do not have.
        """
        has = get(backend)
        return tuple(
            (path, dtype)
            for path, dtype in (_COMBINATIONS[:1] if changes else _COMBINATIONS)
            if dtype in has.dtypes
            and (path != "plain" or (has.plain is not None and optimiser in specs.OWN))
            and (dtype == "float64" or backend not in self.left_out)
        )


@dataclass(frozen=True)
class Agreement:
    """One optimiser on one backend against the reference.

    Attributes
    ----------
    task : str
    optimiser, backend, dtype : str
    path : str
        "fast": the benchmark's trainer, of perceptrons with derivatives by hand, in tiles; "plain": the drop-in class
        in a user's own loop, with automatic differentiation, the batch whole.
    hyperparameters : dict
        Those that differ from the defaults.
    parametrisation : str or None
        None for the optimiser's own, without a bound.
    iterations : int
        Iterations compared.
    loss_deviation, step_deviation, weight_deviation : float
        Largest relative deviation over the run; weights in the Frobenius norm, layer by layer, at its end.
    rms_deviation : float
        Relative deviation of the final training RMS.
    limit : float
        What is judged: every deviation at float64, the RMS alone at float32.
    passed : bool
    """

    task: str
    optimiser: str
    backend: str
    dtype: str
    path: str
    hyperparameters: dict[str, Value]
    parametrisation: str | None
    iterations: int
    loss_deviation: float
    step_deviation: float
    weight_deviation: float
    rms_deviation: float
    limit: float
    passed: bool


def validate(
    task: Task,
    dataset: Dataset,
    *,
    optimisers: Iterable[str],
    backends: Iterable[str],
    scope: Scope | None = None,
) -> list[Agreement]:
    """Run every optimiser in the reference and on each backend, in both precisions and on both paths, and compare.

    The plain path is judged at float64 and at the defaults; an optimiser whose runs part by rounding alone for as long
    as it declares, at float64. Where one of these is beyond the limit, so may the reference be from weights that are
    rounded otherwise: the limit is then ten times what that does to it.

    Parameters
    ----------
    task : Task
        Gives the network and the loss; seed 0.
    dataset : Dataset
        Of the task.
    optimisers, backends : iterable of str
    scope : Scope, optional
        All there is by default.

    Raises
    ------
    BackendUnavailableError
        If a backend is not installed.
    """
    scope = scope or Scope()
    if scope.samples is not None:
        dataset = dataset.take(np.arange(min(scope.samples, len(dataset.inputs))))
    measure, agreements = oracle(), []
    for optimiser in optimisers:
        spec = specs.get(optimiser)
        plain = Asked(
            task=task.key,
            layers=task.layers(dataset, scope.hidden),
            optimiser=spec.key,
            backend=measure.name,
            dtype=measure.dtypes[0],
            seed=0,
            iterations=min(scope.iterations, spec.stable or scope.iterations),
        )
        network = task.network(dataset, plain.layers)
        for changes in scope.changes(optimiser):
            way = changes.get("parametrisation")
            if way is not None and parametrisations.misfit(parametrisations.get(way), network, bounded=True):
                continue
            asked = replace(plain, **changes)
            expected = trajectory_of(asked.resolved(), dataset)
            by_rounding = cache(partial(_by_rounding_alone, asked.resolved(), dataset, expected))
            for backend in backends:
                for path, dtype in scope.combinations(backend, optimiser, changes):
                    if spec.stable is not None and dtype != measure.dtypes[0]:
                        continue
                    request = replace(asked, backend=backend, dtype=dtype)
                    found = trajectory_of(request.resolved(), dataset, path)
                    agreement = judge(found, expected, request, path)
                    if not agreement.passed and spec.stable is not None:
                        agreement = judge(found, expected, request, path, wider=ROUNDINGS * by_rounding())
                    agreements.append(agreement)
    return agreements


def trajectory_of(asked: RunRequest, dataset: Dataset, path: str = "fast") -> Trajectory:
    """The whole trajectory of a request on one path, without the clock."""
    return _trained(asked, problem_of(asked, dataset), path)


def _trained(asked: RunRequest, problem: Problem, path: str = "fast") -> Trajectory:
    build = {"fast": build_trainer, "plain": build_plain_trainer}[path]
    trainer = build(asked, problem)
    trainer.advance(asked.iterations)
    return trainer.trajectory()


def _by_rounding_alone(asked: RunRequest, dataset: Dataset, expected: Trajectory) -> float:
    """The largest deviation of the reference from weights of which every entry is its neighbour among the numbers."""
    problem, moved = problem_of(asked, dataset), list[float]()
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        weights = tuple(np.nextafter(w, rng.choice([-np.inf, np.inf], size=w.shape)) for w in problem.weights)
        moved += _deviations(_trained(asked, replace(problem, weights=weights)), expected).values()
    return max(moved)


def judge(
    found: Trajectory,
    expected: Trajectory,
    asked: Asked,
    path: str = "fast",
    *,
    wider: float = 0.0,
) -> Agreement:
    """Deviations of one trajectory from the reference's, and whether they stay within the limit of its precision.

    ``wider`` is a limit of float64 that holds where it is the larger one.
    """
    same_length = len(found.step_size) == len(expected.step_size)
    deviations = _deviations(found, expected)
    exact = asked.dtype == "float64"
    limit = max(FLOAT64_LIMIT, wider) if exact else FLOAT32_LIMIT
    judged = deviations.values() if exact else [deviations["rms_deviation"]]
    return Agreement(
        task=asked.task,
        optimiser=asked.optimiser,
        backend=asked.backend,
        dtype=asked.dtype,
        path=path,
        hyperparameters=asked.hyperparameters,
        parametrisation=asked.parametrisation,
        iterations=len(found.step_size),
        limit=limit,
        # a NaN fails: it is not <= limit
        passed=(same_length or not exact) and all(deviation <= limit for deviation in judged),
        **{name: float(value) for name, value in deviations.items()},
    )


def _deviations(found: Trajectory, expected: Trajectory) -> dict[str, float]:
    """Largest relative deviations, by their names in an agreement."""
    return {
        "loss_deviation": _deviation(found.loss, expected.loss),
        "step_deviation": _deviation(found.step_size, expected.step_size),
        "weight_deviation": _weight_deviation(found, expected),
        "rms_deviation": abs(np.sqrt(found.loss[-1] / expected.loss[-1]) - 1.0) if expected.loss[-1] else np.inf,
    }


def _deviation(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest relative deviation, entry by entry, over the iterations that both did."""
    n = min(len(found), len(expected))
    difference = np.abs(found[:n] - expected[:n])
    size = np.abs(expected[:n])
    return float(np.max(np.where(difference == 0, 0.0, difference / np.where(size == 0, 1.0, size)), initial=0.0))


def _weight_deviation(found: Trajectory, expected: Trajectory) -> float:
    """Largest relative Frobenius deviation over the layers, at the end of the run."""
    pairs = zip(found.weights, expected.weights, strict=True)
    return float(max(np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in pairs))
