"""Which runs a campaign consists of: the fixed ones, and for each optimiser that needs it a search and its use."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from normbench import specs
from normbench.running.request import Asked, RunRequest
from normbench.specs import BACKENDS, Value

_FASTEST_FIRST = ("jax", "torch", "reference")


def with_value(base: RunRequest, name: str, value: Value) -> RunRequest:
    """The same run with one hyperparameter changed."""
    return replace(base, hyperparameters=base.hyperparameters | {name: value})


@dataclass(frozen=True)
class Search:
    """A log-grid search for the one hyperparameter that a user would have to tune.

    The search runs on the first seed and one backend only, the fastest of the chosen: the backends make the same
    updates (``normbench validate``), so one search serves all of them.

    Attributes
    ----------
    name : str
        The hyperparameter.
    grid : tuple of float
    trial : RunRequest
        The run that is repeated for every value of the grid.
    targets : tuple of RunRequest
        The runs, over all seeds and backends, that are made at the best value.
    """

    name: str
    grid: tuple[float, ...]
    trial: RunRequest
    targets: tuple[RunRequest, ...]

    def trials(self) -> list[RunRequest]:
        """One run per value of the grid."""
        return [with_value(self.trial, self.name, value) for value in self.grid]

    def at(self, value: Value) -> list[RunRequest]:
        """The runs at one value, over all seeds and backends."""
        return [with_value(target, self.name, value) for target in self.targets]


@dataclass(frozen=True)
class Plan:
    """Runs to make, and searches to make and then to use."""

    requests: tuple[RunRequest, ...]
    searches: tuple[Search, ...] = ()

    def __add__(self, other: "Plan") -> "Plan":
        return Plan(self.requests + other.requests, self.searches + other.searches)


def sweep(asked: Asked, *, optimisers: Iterable[str], backends: Iterable[str], seeds: Sequence[int]) -> Plan:
    """Every optimiser over the same seeds, at its defaults and, where it has one to tune, at its best value.

    An optimiser is left out on those of the backends that do not implement it; at least one must. A schedule is for
    those that have a learning rate; the others run without.
    The reference knows float64 on the CPU only and gets that whatever was asked.

    Parameters
    ----------
    asked : Asked
        What the runs have in common; its own optimiser, backend and seed do not count.
    optimisers, backends : iterable of str
    seeds : sequence of int

    Raises
    ------
    InvalidArgumentError
        If a name is unknown or a value is out of range.
    """
    chosen = sorted(set(backends), key=lambda b: BACKENDS.index(b) if b in BACKENDS else -1)
    runs: list[RunRequest] = []
    searches: list[Search] = []
    for optimiser in dict.fromkeys(optimisers):
        has_rate = "learning_rate" in specs.get(optimiser).resolve({})
        own = replace(asked, optimiser=optimiser, schedule=asked.schedule if has_rate else "constant")
        implemented = [backend for backend in chosen if backend in specs.get(optimiser).backends]
        defaults = [
            replace(_on(own, backend), seed=seed).resolved()
            for backend in implemented or chosen  # it says what is wrong where there is none
            for seed in seeds
        ]
        runs += defaults
        tuned = specs.get(optimiser).tuned
        if tuned is not None and defaults:
            trial = min(defaults, key=lambda run: (_FASTEST_FIRST.index(run.backend), run.seed))
            searches.append(Search(tuned.name, tuned.grid, trial, tuple(defaults)))
    return Plan(tuple(runs), tuple(searches))


def _on(asked: Asked, backend: str) -> Asked:
    """The run on a backend, in what the backend knows."""
    on = replace(asked, backend=backend)
    return replace(on, device="cpu", dtype="float64") if backend == "reference" else on
