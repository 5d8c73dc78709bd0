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
    on_edge : bool
        True if the chosen value lies at an end of its grid, so that a better one may lie beyond.
    """

    rules: tuple[Rule, ...]
    value: specs.Value
    cost: int
    on_edge: bool


def tuning(runs: Sequence[Record]) -> Tuning:
    """The tuning of runs that differ in nothing but their seeds."""
    tuned = specs.get(runs[0].request.optimiser).tuned
    cost = max(run.provenance.tuning_runs for run in runs)
    if tuned is None:
        return Tuning((Rule.NONE,), None, cost, on_edge=False)
    value = runs[0].request.hyperparameters[tuned.name]
    rules = [Rule.DEFAULT] * (value == tuned.default) + [Rule.BEST] * (cost > 0)
    return Tuning(tuple(rules), value, cost, on_edge=bool(cost) and value in (tuned.grid[0], tuned.grid[-1]))
