"""From records to the page: one HTML file that carries its data, charts, tables and libraries with it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jinja2
from markupsafe import Markup

import normbench
from normbench.analysis.frontier import Frontier, frontiers
from normbench.analysis.leaderboard import boards
from normbench.data.dataset import origin
from normbench.errors import InvalidArgumentError
from normbench.networks.families import layers_text
from normbench.papers.asgd.published import board_rows
from normbench.presentation.across import ACROSS, across, across_captions, across_title
from normbench.presentation.captions import captions
from normbench.presentation.charts.base import COST_NAMES
from normbench.presentation.commands import command
from normbench.presentation.compact import script_json
from normbench.presentation.frontiers import legend as frontier_legend
from normbench.presentation.labels import board_title, environment
from normbench.presentation.page import assets, reaching
from normbench.presentation.page.backends import backend_pairs
from normbench.presentation.page.bounds import levels
from normbench.presentation.page.cells import cell, columns, family, lines
from normbench.presentation.page.contents import contents
from normbench.presentation.page.figures import Figure, Gallery, backends, gallery, source
from normbench.presentation.page.frontiers import Shelf, shelves
from normbench.presentation.page.glance import answers
from normbench.presentation.page.heatmaps import grids
from normbench.presentation.page.ways import Section, environments, places, sections, short_network
from normbench.presentation.palette import backend_keys, declarations
from normbench.presentation.quantities import BOUND, legend
from normbench.presentation.tables import mean_sd, number, percent
from normbench.problems import tasks
from normbench.records.schema import Record

_WORDS = {
    "answers": answers,
    "bound": BOUND.value,
    "captions": captions,
    "cell": cell,
    "columns": columns,
    "command": command,
    "environment": environment,
    "family": family,
    "legend": legend,
    "lines": lines,
    "mean_sd": mean_sd,
    "network": layers_text,
    "number": number,
    "origin": origin,
    "percent": percent,
    "short_network": short_network,
    "title": board_title,
}


def report_page(records: Iterable[Record], *, record_link: Callable[[str], str] = "records/{}.json".format) -> str:
    """The report on the records as one HTML document; the same records give the same text.

    It links to the records beside it and asks nothing else of anyone: no network, no server.

    Parameters
    ----------
    records : iterable of Record
    record_link : callable
        From the identity of a record to where it is, seen from the page.

    Raises
    ------
    InvalidArgumentError
        If there is no record of an optimiser that this normbench knows.
    """
    runs = list(records)
    found = sections(boards(runs, published=board_rows))
    if not found:
        raise InvalidArgumentError("a report needs at least one record of a known optimiser; normbench run makes some.")
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("normbench.presentation.page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    figures, lines = gallery(found, runs), frontiers(runs)
    shown = shelves(lines, figures.data)
    figures.frontiers.extend(figure for shelf in shown for figure in shelf.figures)
    context = _context(found, figures) | {"record_link": record_link}
    context |= _leading(lines, shown, context["sections"])
    return templates.get_template("page.html.j2").render(_WORDS | context)


def _leading(lines: Sequence[Frontier], shown: Sequence[Shelf], compared: Sequence[Section]) -> dict[str, Any]:
    """What the page begins with."""
    answers = across(lines)
    return {
        "shelves": shown,
        "contents": contents(shown, compared),
        "across": [(across_title(answer), answer, across_captions(answer)) for answer in answers],
        "across_columns": ACROSS,
        "frontier_legend": frontier_legend(lines),
    }


def _title(task: str) -> str:
    """What a task is; its key where nobody here knows it."""
    return tasks.get(task).title if tasks.is_known(task) else task


def _context(found: Sequence[Section], figures: Gallery) -> dict[str, Any]:
    compared = [section for section in found if section.compares]
    grid = reaching.grid(compared)
    return {
        "version": normbench.__version__,
        "runs": sum(len(way.runs) for section in found for way in section.ways),
        "places": places(compared),
        "sections": compared,
        "others": [section for section in found if not section.compares],
        "titles": {section.board.task: _title(section.board.task) for section in found},
        "source": source,
        "figures": figures,
        "grids": grids(found),
        "grid": grid,
        "costs": COST_NAMES,
        "backends": backends(compared),
        "keys": backend_keys(backends(compared)),
        "pairs": {section.key: backend_pairs(section) for section in compared},
        "environments": environments(found),
        "style": Markup(assets.own("page.css")),
        "colours": Markup(declarations(way.row.optimiser for section in found for way in section.ways)),
        "table_style": Markup(assets.datatables_style()),
        "licences": assets.own("licences.txt"),
        "vega": Markup(assets.vega()),
        "datatables": Markup(assets.datatables()),
        "script": Markup(assets.own("page.js")),
        "data": Markup(script_json(figures.data)),
        "charts": Markup(script_json([_chart(figure) for figure in figures.figures])),
        "targets": Markup(script_json([_target(section) for section in compared])),
    }


def _chart(figure: Figure) -> dict[str, Any]:
    """What the script needs to draw a figure."""
    return {
        "key": figure.key,
        "specification": figure.specification,
        "data": figure.data,
        "summary": figure.summary,
    }


def _target(section: Section) -> dict[str, Any]:
    """What the slider's multiple of the linear fit is in the unit of the board."""
    linear = next((level["rms"] for level in levels(section, "train") if level["predictor"] == "linear"), None)
    return {"task": section.board.task, "unit": section.board.unit, "linear": linear}
