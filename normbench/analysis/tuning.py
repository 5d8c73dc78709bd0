"""How the hyperparameter that is tuned came by its value: what a row stands for, and what its choice cost."""

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


@dataclass(frozen=True)
class Tuning:
    """How the runs of a row came by the value of the hyperparameter that is tuned.

    Attributes
    ----------
    rules : tuple of Rule
        Both DEFAULT and BEST where the default won its search; empty for a value that was only tried in one.
    value : int, float, str or None
        None where nothing is tuned.
    cost : int
        Runs of the search that chose it; 0 where none did.
    tried : pair of float, or None
        Smallest and largest value among which a validation part chose; None where nothing was chosen, or by the
        training error of one seed, as before schema 6 of the records.
    on_edge : bool
        True if the chosen value lies at an end of what was tried, so that a better one may lie beyond.
    """

    rules: tuple[Rule, ...]
    value: specs.Value
    cost: int
    tried: tuple[float, float] | None
    on_edge: bool


def tuning(runs: Sequence[Record]) -> Tuning:
    """The tuning of runs that differ in nothing but their seeds."""
    tuned = specs.get(runs[0].request.optimiser).tuned
    found = max((run.provenance for run in runs), key=lambda provenance: provenance.tuning_runs)
    cost, low, high = found.tuning_runs, found.tuning_low, found.tuning_high
    tried = None if low is None or high is None else (low, high)
    if tuned is None:
        return Tuning((Rule.NONE,), None, cost, tried, on_edge=False)
    value = runs[0].request.hyperparameters[tuned.name]
    rules = [Rule.DEFAULT] * (value == tuned.default) + [Rule.BEST] * (cost > 0)
    on_edge = bool(cost) and value in (tried or (tuned.grid[0], tuned.grid[-1]))
    return Tuning(tuple(rules), value, cost, tried, on_edge)
