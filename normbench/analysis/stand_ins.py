"""What stands for a way on a task whose network its parametrisation has no weights for: the optimiser at its default.

The sandwich has none for convolutions. Who takes an optimiser from task to task and names no parametrisation has the
optimiser's default in its place, and so has an answer over all tasks; nothing is chosen by what came out.
"""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import NamedTuple

from normbench.analysis.answer import Problem
from normbench.analysis.frontier import Frontier
from normbench.analysis.lines import Line
from normbench.analysis.ranking import Sample
from normbench.analysis.selection import Sortable
from normbench.analysis.ways import Kind
from normbench.errors import InvalidArgumentError
from normbench.networks import Network
from normbench.problems import tasks
from normbench.records.schema import Record
from normbench.specs import get, parametrisations


class StandIn(NamedTuple):
    """A way that a frontier has in place of one that its network cannot have.

    Attributes
    ----------
    line : Line
        The way, from another frontier.
    frontier : Frontier
    instead : Line
        Of the frontier: the same but for its parametrisation.
    """

    line: Line
    frontier: Frontier
    instead: Line


def stand_ins(frontiers: Sequence[Frontier]) -> list[StandIn]:
    """For all ways at a bound that any of the frontiers has, where there is one."""
    lines = {line.way.key: line for f in frontiers for line in f.lines if line.way.kind is Kind.BOUND}
    return [
        StandIn(line, frontier, instead)
        for frontier in frontiers
        for line in lines.values()
        if (instead := _instead(line, frontier)) is not None
    ]


def with_stand_ins(frontier: Frontier, found: Sequence[StandIn]) -> Problem:
    """The problem of a frontier, where each way without figures has those of what stands for it there."""
    problem = frontier.problem
    own = {one.line.way.key: one.instead.way.key for one in found if one.frontier is frontier}
    held: dict[Hashable, Sequence[Sample]] = {
        key: problem.samples[other] for key, other in own.items() if other in problem.samples
    }
    return replace(problem, samples={**problem.samples, **held})


def _instead(line: Line, frontier: Frontier) -> Line | None:
    asked = line.way.first.request
    network = _network(frontier.first, asked.activation)
    if asked.parametrisation is None or network is None:
        return None
    if not parametrisations.misfit(parametrisations.get(asked.parametrisation), network, bounded=True):
        return None
    try:
        default = parametrisations.resolve(get(asked.optimiser), None, network, bounded=True).key
    except InvalidArgumentError:
        return None  # neither has a bound there
    return next(
        (
            other
            for other in frontier.lines
            if other.way.first.request.parametrisation == default and _rest(other.way.key) == _rest(line.way.key)
        ),
        None,
    )


def _network(run: Record, activation: str) -> Network | None:
    """Of the task and widths of a run; None where the task is of another installation, or has no such network."""
    try:
        return tasks.get(run.request.task).declared_network(run.request.layers, activation)
    except InvalidArgumentError:
        return None


def _rest(key: Sortable) -> Sortable:
    return tuple(entry for entry in key if entry[0] != "parametrisation")
