"""One answer over all tasks, in words: the ways that every frontier of a budget has, the best first."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from normbench.analysis.answer import Place, answer
from normbench.analysis.frontier import Frontier
from normbench.analysis.lines import Line
from normbench.analysis.stand_ins import StandIn, stand_ins, with_stand_ins
from normbench.data.dataset import origin
from normbench.networks.families import layers_text
from normbench.presentation.frontiers import (
    BACKEND,
    PLACE,
    TUNING,
    WAY,
    evaluations,
    excess_span,
    price_words,
    seeds_named,
    tuning_words,
    way_name,
    way_title,
)
from normbench.presentation.quantity import Quantity
from normbench.presentation.tables import percent


class Placed(NamedTuple):
    """A way, and where it comes out."""

    line: Line
    place: Place


@dataclass(frozen=True)
class Across:
    """What comes out over all tasks at a budget.

    Attributes
    ----------
    frontiers : tuple of Frontier
    rows : tuple of Placed
        The best first.
    missing : tuple of pairs of Line and Frontier
        Ways without a place, each with the tasks that it lacks.
    stand_ins : tuple of StandIn
        Of the rows.
    """

    frontiers: tuple[Frontier, ...]
    rows: tuple[Placed, ...]
    missing: tuple[tuple[Line, tuple[Frontier, ...]], ...]
    stand_ins: tuple[StandIn, ...]


def across(frontiers: Iterable[Frontier]) -> list[Across]:
    """One answer per budget that several tasks have, budgets ascending."""
    by_budget: dict[float, list[Frontier]] = {}
    for frontier in frontiers:
        by_budget.setdefault(frontier.budget, []).append(frontier)
    return [_across(by_budget[budget]) for budget in sorted(by_budget) if len(by_budget[budget]) > 1]


def _across(found: Sequence[Frontier]) -> Across:
    standing = stand_ins(found)
    problems = [with_stand_ins(frontier, standing) for frontier in found]
    places = answer(problems)
    lines: dict[Hashable, Line] = {line.way.key: line for frontier in found for line in frontier.lines}
    missing = [
        (line, tuple(f for f, problem in zip(found, problems, strict=True) if key not in problem.samples))
        for key, line in lines.items()
        if key not in places
    ]
    rows = tuple(Placed(lines[key], place) for key, place in places.items())
    return Across(tuple(found), rows, tuple(missing), tuple(one for one in standing if one.line.way.key in places))


ACROSS = (
    replace(PLACE, meaning="in brackets where 95 % of the resamples of seeds and tasks put the way", leaves=0),
    WAY,
    Quantity(
        name="excess",
        header="worse than the best",
        meaning="over all bounds and tasks",
        value=lambda one: one.place.excess.mean,
        words=lambda one: percent(one.place.excess.mean),
    ),
    Quantity(
        name="excess_interval",
        header="95 % of resamples",
        meaning="of seeds and tasks",
        value=lambda one: one.place.excess.low,
        words=excess_span,
        leaves=3,
    ),
    replace(
        TUNING,
        meaning="on the last of the tasks",
        value=lambda one: tuning_words(one.line),
        words=lambda one: price_words(one.line),
        leaves=1,
    ),
    replace(BACKEND, leaves=2),
)


def across_title(answer: Across) -> str:
    """One line."""
    return f"Over {len(answer.frontiers)} tasks, {evaluations(answer.frontiers[0].budget)}"


def across_captions(answer: Across) -> list[str]:
    """What was averaged, and what is missing."""
    tasks = [
        f"{_task(frontier)} at L = {', '.join(f'{bound:g}' for bound in frontier.common_bounds)} "
        f"({seeds_named(frontier.seeds)})"
        for frontier in answer.frontiers
    ]
    notes = [
        f"Mean with equal weights over {'; '.join(tasks)}. Seeds and tasks are drawn again; with few tasks the "
        "intervals are too narrow."
    ]
    if answer.stand_ins:
        held = (
            f"{way_title(one.line)} as {way_name(one.instead)} on {_task(one.frontier)}" for one in answer.stand_ins
        )
        notes.append(
            "Where a parametrisation has no weights for the network, the optimiser's default stands for it: "
            f"{'; '.join(held)}."
        )
    if answer.missing:
        lacking = (f"{way_title(line)} on {_tasks(lacked, answer.frontiers)}" for line, lacked in answer.missing)
        notes.append(f"Not ranked, for want of all figures: {'; '.join(lacking)}.")
    return notes


def _tasks(lacked: Sequence[Frontier], every: Sequence[Frontier]) -> str:
    if not lacked:
        return "the seeds that all share"
    return "every task" if len(lacked) == len(every) else " and ".join(map(_task, lacked))


def _task(frontier: Frontier) -> str:
    asked, simulated = frontier.first.request, frontier.first.provenance.simulated
    kind = f", {origin(simulated)}" if simulated else ""
    return f"{asked.task} {layers_text(asked.layers)} ({asked.split} split{kind})"
