"""Progress of a campaign on standard error: a bar on a terminal or in a notebook, else a plain line now and then."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from normbench.presentation import terminal

if TYPE_CHECKING:
    from normbench.campaigns.campaign import Tally

_SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def campaign_progress() -> "Iterator[Callable[[Tally], None]]":
    """What to hand to a campaign as ``on_progress``; the bar weighs runs by their estimated cost."""
    console = terminal.console(stderr=True)
    if not console.is_terminal and not (console.is_jupyter and find_spec("ipywidgets")):  # what a bar there needs
        yield _plain_lines(console)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[runs]} runs"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting workers", total=None, runs="0")

        def show(tally: "Tally") -> None:
            bar.update(
                task,
                total=tally.cost_total,
                completed=tally.cost_done,
                runs=f"{tally.runs_done} of {tally.runs_total}",
                description=_last(tally),
            )

        yield show


def _last(tally: "Tally") -> str:
    if tally.record is None:
        return ""
    record = tally.record
    return f"{record.request.optimiser} {record.request.backend} seed {record.request.seed} {record.outcome.status}"


def _plain_lines(console: Console) -> "Callable[[Tally], None]":
    start = shown = time.monotonic()
    runs_shown = -1

    def show(tally: "Tally") -> None:
        nonlocal shown, runs_shown
        now = time.monotonic()
        at_an_end = tally.runs_done in (0, tally.runs_total) and tally.runs_done != runs_shown
        if tally.runs_total and (at_an_end or now - shown > _SECONDS_BETWEEN_LINES):
            shown, runs_shown = now, tally.runs_done
            console.print(_line(tally, now - start), highlight=False, soft_wrap=True)

    return show


def _line(tally: "Tally", elapsed: float) -> str:
    share = tally.cost_done / tally.cost_total
    line = f"normbench: {tally.runs_done} of {tally.runs_total} runs ({100 * share:.0f} %), {elapsed:.0f} s"
    return line + (f", about {elapsed * (1 / share - 1):.0f} s left" if 0 < share < 1 else "")
