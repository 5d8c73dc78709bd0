"""How the hyperparameters that are tuned came by their values: what a row stands for, and what the choice cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from normbench import specs
from normbench.records.schema import Record


class Rule(StrEnum):
    """What chose a value."""

    NONE = "none"  # there is nothing to tune
    DEFAULT = "default"
    BEST = "best"  # of a search
    GIVEN = "given"  # a user


@dataclass(frozen=True)
class Second:
    """The value of a second hyperparameter that was searched at that of the first.

    Attributes
    ----------
    name : str
    value : int, float, str or None
    cost : int
        Runs that its search added.
    tried : pair of float
        Smallest and largest value among which it was chosen; of several numbers places in the grid, from 0.
    """

    name: str
    value: specs.Value
    cost: int
    tried: tuple[float, float]

    @property
    def on_edge(self) -> bool:
        """True if the value lies at an end of what was tried."""
        return self.value in self.tried


@dataclass(frozen=True)
class Tuning:
    """How the runs of a row came by the values of the hyperparameters that are tuned.

    Attributes
    ----------
    rules : tuple of Rule
        Both DEFAULT, or GIVEN, and BEST where that value won its search; empty for what was only tried in one.
    value : int, float, str or None
        Of the first; None where nothing is tuned.
    cost : int
        Runs of the search that chose it, of two hyperparameters both searches; 0 where none did.
    tried : pair of float, or None
        Smallest and largest value among which a validation part chose; None where nothing was chosen, or by the
        training error of one seed, as before schema 6 of the records.
    on_edge : bool
        True if a chosen value lies at an end of what was tried, so that a better one may lie beyond.
    second : Second or None
        None where the first alone was searched.
    """

    rules: tuple[Rule, ...]
    value: specs.Value
    cost: int
    tried: tuple[float, float] | None
    on_edge: bool
    second: Second | None = None


def searched(record: Record) -> tuple[specs.Hyperparameter, ...]:
    """The hyperparameters whose values searches choose for the run: the first that has a grid and, where a search has
    tried values of the second for it, that one; elsewhere a user has set it."""
    return record.spec.searched[: 2 if record.provenance.tuned.of_two else 1]


def tuning(runs: Sequence[Record]) -> Tuning:
    """The tuning of runs that differ in nothing but their seeds."""
    dearest = max(runs, key=lambda run: run.provenance.tuning_runs)
    tuned, found = searched(dearest), dearest.provenance.tuned
    tried = _span(found.tuning_low, found.tuning_high)
    if not tuned:
        return Tuning((Rule.NONE,), None, found.tuning_runs, tried, on_edge=False)
    values = [dearest.request.hyperparameters[h.name] for h in tuned]
    is_default = all(value == h.default and not h.required for value, h in zip(values, tuned, strict=True))
    is_given = any(run.provenance.given for run in runs) and not is_default
    rules = [Rule.DEFAULT] * is_default + [Rule.GIVEN] * is_given + [Rule.BEST] * (found.tuning_runs > 0)
    ends = tried or (tuned[0].grid[0], tuned[0].grid[-1])
    among = _span(found.tuning_second_low, found.tuning_second_high)
    second = among and Second(tuned[1].name, values[1], found.tuning_second_runs, among)
    on_edge = found.tuning_runs > 0 and (values[0] in ends or bool(second and second.on_edge))
    return Tuning(tuple(rules), values[0], found.tuning_runs, tried, on_edge, second)


def _span(low: float | None, high: float | None) -> tuple[float, float] | None:
    return None if low is None or high is None else (low, high)
