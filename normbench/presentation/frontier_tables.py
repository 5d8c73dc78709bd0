"""Frontiers on the terminal and as Markdown: the ways at each bound, what was proven of them, and ceilings."""

from collections.abc import Iterable, Sequence
from functools import partial

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from normbench.analysis.chosen_bounds import ChosenBounds, chosen_bounds
from normbench.analysis.frontier import Frontier
from normbench.analysis.lines import Cell
from normbench.analysis.rows import mean
from normbench.presentation import frontiers
from normbench.presentation.across import ACROSS, Across, across_captions, across_title
from normbench.presentation.chosen_bounds import chosen_captions, chosen_columns, chosen_title
from normbench.presentation.frontier_captions import captions
from normbench.presentation.frontier_commands import commands
from normbench.presentation.frontiers import (
    WAY,
    Shown,
    ceiling_columns,
    ceilings,
    columns,
    legend,
    shown,
    way_title,
)
from normbench.presentation.quantities import LEGEND
from normbench.presentation.quantity import Quantity
from normbench.presentation.tables import Column, fitting, markdown_table, number, titled
from normbench.presentation.terminal import plain_table
from normbench.records.formats import markdown_code, markdown_text

PROVEN = (
    "What was proven: product / certificate / measured. The product is prod ||W_i||_op, the certificate the smallest "
    "bound that was proven, mostly by LipSDP, and measured a gain that no bound is below; means over seeds."
)
CEILINGS = "Without a bound (not ranked)"


def proven_columns(frontier: Frontier) -> list[Quantity]:
    """Product, certificate and measured gain of every way at the bounds that it was run at."""
    named = sorted({point.lipschitz for line in frontier.lines for point in line.points if point.lipschitz is not None})
    return [WAY, frontiers.BACKEND, *(_proven(bound, k, len(named)) for k, bound in enumerate(named))]


def proven_rows(frontier: Frontier) -> list[Shown]:
    """The ways that were asked for a bound, which these columns are of."""
    return [one for one in shown(frontier) if any(point.lipschitz is not None for point in one.line.points)]


def _proven(bound: float, k: int, of: int) -> Quantity:
    def point(one: Shown) -> Cell | None:
        return next((p for p in one.line.points if p.lipschitz == bound and p.runs), None)

    return Quantity(
        name=f"proven_at_{bound:g}",
        header=f"L = {bound:g}",
        meaning="product / certificate / measured",
        value=lambda one: (found := point(one)) and found.certificate,
        words=lambda one: proven_words(found) if (found := point(one)) else "",
        leaves=0 if k in (0, of - 1) else 2 + k % 2,
    )


def proven_words(cell: Cell) -> str:
    """``98.6 / 19.8 / 19.7``."""
    product = mean(cell.runs, lambda run: run.outcome.lipschitz_bound)
    measured = mean(cell.runs, lambda run: run.outcome.lipschitz_measured)
    return " / ".join(number(value, 1 if value >= 10 else 2) or "–" for value in (product, cell.certificate, measured))


def terminal(found: Sequence[Frontier], answers: Sequence[Across], *, width: int) -> RenderableType:
    """Every frontier with its tables and remarks; what does not fit into ``width`` is left out and named."""
    parts = [part for frontier in found for part in _terminal(frontier, width)]
    for answer in answers:
        table, left_out = _fitting(ACROSS, answer.rows, width)
        notes = (*across_captions(answer), *left_out)
        parts += [titled(across_title(answer), table), *(Text(note, style="dim") for note in notes), Text()]
    words = [Text(line, style="dim") for line in legend(found)]
    return Group(*parts, Text(LEGEND, style="bold"), *words, Text())


def _terminal(frontier: Frontier, width: int) -> list[RenderableType]:
    table, left_out = _fitting(columns(frontier), shown(frontier), width)
    proven, less = _fitting(proven_columns(frontier), proven_rows(frontier), width)
    notes = [Text(note, style="dim") for note in (*captions(frontier), *left_out)]
    parts: list[RenderableType] = [titled(frontiers.title(frontier), table), *notes, Text()]
    if chosen := chosen_bounds(frontier):
        parts += _terminal_chosen(chosen, width)
    if frontier.ceilings:
        free, _ = _fitting(_free(frontier), ceilings(frontier), width)
        parts += [titled(CEILINGS, free)]
    return [*parts, Text(PROVEN), Text(), proven, *(Text(note, style="dim") for note in less), Text()]


def _terminal_chosen(chosen: ChosenBounds, width: int) -> list[RenderableType]:
    table, left_out = _fitting(chosen_columns(chosen), shown(chosen.frontier), width)
    notes = [Text(note, style="dim") for note in (*chosen_captions(chosen), *left_out)]
    return [titled(chosen_title(chosen), table), *notes, Text()]


def _free(frontier: Frontier) -> list[Quantity]:
    return ceiling_columns(frontier.first.outcome.unit)


def _fitting(columns: Sequence[Column], rows: Sequence[object], width: int) -> tuple[Table, list[str]]:
    return fitting(_saying(columns, rows), partial(plain_table, rows=rows), width)


def _saying(columns: Sequence[Column], rows: Sequence[object]) -> list[Column]:
    """The columns that have something to say."""
    return [column for column in columns if column.says(rows)]


def markdown(found: Iterable[Frontier], answers: Sequence[Across]) -> str:
    """Every frontier as a heading, tables and a list of remarks; how to read them at the end."""
    every = list(found)
    words = [f"- {markdown_text(line)}" for line in legend(every)]
    parts = [*map(_markdown, every), *map(_across, answers)]
    return "\n".join([*parts, f"## {LEGEND}", "", *words, ""])


def _markdown(frontier: Frontier) -> str:
    lines = [f"## {markdown_text(frontiers.title(frontier))}", "", *_said(columns(frontier), shown(frontier))]
    lines += ["", *(f"- {markdown_text(note)}" for note in captions(frontier)), ""]
    chosen = chosen_bounds(frontier)
    if chosen:
        lines += [f"{markdown_text(chosen_title(chosen))}:", "", *_said(chosen_columns(chosen), shown(chosen.frontier))]
        lines += ["", *(f"- {markdown_text(note)}" for note in chosen_captions(chosen)), ""]
    if frontier.ceilings:
        lines += [f"{CEILINGS}:", "", *_said(_free(frontier), ceilings(frontier)), ""]
    lines += ["Difference to the best at each bound, rank and its span:", "", *_details(frontier), ""]
    lines += [markdown_text(PROVEN), "", *_said(proven_columns(frontier), proven_rows(frontier)), ""]
    lines += _commands(frontier, chosen)
    return "\n".join(lines)


def _commands(frontier: Frontier, chosen: ChosenBounds | None) -> list[str]:
    """What makes the ways again, one line a command."""
    made: dict[str, list[str]] = {}
    for line in (*frontier.lines, *frontier.ceilings):
        for words in commands(frontier, line, chosen):
            made.setdefault(words, []).append(way_title(line))
    lines = [f"- {markdown_code(words)}: {markdown_text('; '.join(ways))}" for words, ways in made.items()]
    return ["<details><summary>Commands</summary>", "", *lines, "", "</details>", ""] if lines else []


def _details(frontier: Frontier) -> list[str]:
    detailed = [*frontiers.at_bounds(frontier), frontiers.OVERALL]
    details = [Column(column.header, column.detail) for column in detailed]
    return _said([WAY, frontiers.BACKEND, *details], shown(frontier))


def _across(answer: Across) -> str:
    notes = [f"- {markdown_text(note)}" for note in across_captions(answer)]
    return "\n".join([f"## {markdown_text(across_title(answer))}", "", *_said(ACROSS, answer.rows), "", *notes, ""])


def _said(chosen: Sequence[Column], rows: Sequence[object]) -> list[str]:
    return markdown_table(_saying(chosen, rows), rows)
