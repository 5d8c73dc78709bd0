"""Experiments 1 and 2 of arXiv 2312.10672: methods 1 and 2, and method 1 over depth and width."""

from collections.abc import Iterator, Sequence
from itertools import chain

from normbench.campaigns.plan import Plan
from normbench.papers.asgd import tables
from normbench.papers.asgd.published import ITERATIONS
from normbench.papers.experiment import Experiment, Found, Sheet, Shown
from normbench.papers.runs import PAPER_LAYERS, Setting, asked, perceptron_layers
from normbench.papers.tables import against
from normbench.records.schema import Record


def experiment1(setting: Setting) -> Plan:
    """Table 1: methods 1 and 2 with 200 and 3000 iterations on 12-25-30-15-3."""
    every = (asked(setting, optimiser, PAPER_LAYERS, iterations) for optimiser, iterations in ITERATIONS.items())
    return Plan(tuple(chain.from_iterable(every)))


def experiment2(setting: Setting) -> Plan:
    """Figure 2: method 1 with 200 iterations over widths 15:5:35 and depths 4:2:12."""
    networks = [perceptron_layers(width=width, depth=depth) for depth in tables.DEPTHS for width in tables.WIDTHS]
    every = (asked(setting, "method1", layers, ITERATIONS["method1"]) for layers in networks)
    return Plan(tuple(chain.from_iterable(every)))


def _title(records: Sequence[Record], what: str) -> str:
    first = records[0]
    where = f"{first.request.task} ({first.request.backend}, {first.outcome.unit})"
    return f"{what} on {where}: {against(first.provenance.simulated)}"


def _show1(setting: Setting, found: Found) -> Iterator[Shown]:
    cells = tables.experiment1_cells(found.records)
    yield tables.list_table(cells, title=_title(found.records, "Experiment 1"))
    yield Sheet("experiment1-table1", tables.cells_frame(cells))
    from normbench.papers.asgd import figures

    yield figures.experiment1(found.records)


def _show2(setting: Setting, found: Found) -> Iterator[Shown]:
    cells = tables.experiment2_cells(found.records)
    for quantity in ("train RMS", "test RMS"):
        yield tables.grid_table(cells, quantity=quantity, title=_title(found.records, "Experiment 2"))
    from normbench.papers.asgd import figures

    yield figures.experiment2(found.records)


_ABOUT1 = "Table 1 and figure 1 of arXiv 2312.10672: methods 1 and 2, with 200 and 3000 iterations."
_ABOUT2 = "Figure 2 of arXiv 2312.10672: method 1 over widths 15 to 35 and depths 4 to 12."
EXPERIMENTS = (
    Experiment("experiment1", _ABOUT1, seeds=40, plan=experiment1, show=_show1),
    Experiment("experiment2", _ABOUT2, seeds=40, plan=experiment2, show=_show2),
)
