"""How far a campaign is, on a terminal and as JSON."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

from rich.table import Table

from normbench.campaigns.job import run_name
from normbench.campaigns.standing import Standing, State
from normbench.presentation.tables import Column
from normbench.presentation.terminal import plain_table

_ALL = "all"


def _counts(standing: Standing) -> dict[str, Counter[State]]:
    """How many runs of each task are in each state, in the order of the plan."""
    found: dict[str, Counter[State]] = {}
    for run, state in standing.states.items():
        found.setdefault(run.task, Counter())[state] += 1
    return found


def table(standing: Standing) -> Table:
    """A line a task, and one of all where there are several; states that no run is in are left out, but for done."""
    tasks = _counts(standing)
    lines = [*tasks.items()]
    total = sum(tasks.values(), Counter[State]())
    if len(lines) > 1:
        lines.append((_ALL, total))
    shown = [state for state in State if total[state] or state is State.DONE]
    columns = [
        Column("task", lambda line: line[0], numeric=False),
        *(Column(str(state), partial(_number, state)) for state in shown),
        Column("runs", lambda line: f"{line[1].total():,}"),
    ]
    return plain_table(columns, lines)


def _number(state: State, line: tuple[str, Counter[State]]) -> str:
    return f"{line[1][state]:,}"


def remarks(standing: Standing) -> Iterator[str]:
    """What stands below the table: searches that go on, and the time that is left."""
    waiting = standing.open_searches
    if waiting:
        which = "The search has" if standing.searches == 1 else f"{waiting} of {standing.searches} searches have"
        yield f"{which} not chosen a value yet: at least these runs, and more as that goes on."
    if standing.is_complete:
        yield "All is done."
    elif standing.seconds is None:
        yield "Expected time: not known, since none of these runs was made on this machine yet."
    else:
        least = "at least" if waiting else "about"
        with_ = f"{standing.at_once} at a time" if standing.at_once > 1 else "one at a time"
        judged = "the one run" if standing.timed == 1 else f"the {standing.timed:,} runs"
        yield f"Expected time: {least} {duration(standing.seconds)}, {with_}, by {judged} that this machine has made."


def duration(seconds: float) -> str:
    """In the two largest units that say something: ``2 h 35 min``, ``4 min``, ``12 s``."""
    whole = max(1, round(seconds))
    if whole < 100:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def as_dict(standing: Standing) -> dict[str, Any]:
    """The same in plain types: runs in each state, of all and of each task, what failed and why, and the time."""
    tasks = _counts(standing)
    total = sum(tasks.values(), Counter[State]())
    return {
        **{str(state): total[state] for state in State},
        "complete": standing.is_complete,
        "searches": standing.searches,
        "open_searches": standing.open_searches,
        "expected_seconds": standing.seconds,
        "timed": standing.timed,
        "jobs": standing.at_once,
        "tasks": {task: {str(state): found[state] for state in State} for task, found in tasks.items()},
        "failures": [
            {"record": record.record_id, "run": run_name(record.request), "reason": record.outcome.reason}
            for record in standing.failures
        ],
    }
