"""Experiments 1 and 2 of arXiv 2312.10672: measured beside published, cell by cell."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd
from rich.console import RenderableType

from normbench.analysis.statistics import Spread, spread
from normbench.backends.trajectory import Status
from normbench.papers.asgd import published
from normbench.papers.runs import perceptron_layers
from normbench.presentation.tables import mean_sd, number, percent, titled
from normbench.presentation.terminal import plain_table
from normbench.records.schema import Record

WIDTHS = (15, 20, 25, 30, 35)
DEPTHS = (4, 6, 8, 10, 12)


class Size(NamedTuple):
    """Weight matrices, and widths of the layers between them, of a network of experiment 2."""

    depth: int
    width: int

    def __str__(self) -> str:
        return f"depth {self.depth}, width {self.width}"


@dataclass(frozen=True)
class Cell:
    """One published figure and what was measured here, in the unit of the data.

    Attributes
    ----------
    subject : str or Size
        An optimiser, or a network.
    part : str
        "train" or "test": of which the RMS is.
    measured, published : Spread
    seconds, published_seconds : float
        Mean training seconds per run here and in the paper, on different machines.
    failures : int
        Runs that diverged or failed, left out of ``measured``.
    """

    subject: str | Size
    part: str
    measured: Spread
    published: Spread
    seconds: float
    published_seconds: float
    failures: int

    @property
    def name(self) -> str:
        """The subject in words: ``method1``, ``depth 4, width 25``."""
        return str(self.subject)

    @property
    def size(self) -> dict[str, int]:
        """``depth`` and ``width`` of a network; nothing of an optimiser."""
        return self.subject._asdict() if isinstance(self.subject, Size) else {}

    @property
    def quantity(self) -> str:
        """``train RMS``, ``test RMS``."""
        return f"{self.part} RMS"

    @property
    def difference(self) -> float:
        """Measured mean over published mean, minus one."""
        return self.measured.mean / self.published.mean - 1.0


def experiment1_cells(records: Iterable[Record]) -> list[Cell]:
    """Table 1: training and test RMS of methods 1 and 2."""
    runs = list(records)
    return [
        cell
        for optimiser in published.ITERATIONS
        for cell in _cells(
            optimiser, [r for r in runs if r.request.optimiser == optimiser], published.experiment1(optimiser)
        )
    ]


def experiment2_cells(records: Iterable[Record]) -> list[Cell]:
    """Figure 2: training and test RMS of method 1 for every depth and width, depth first."""
    runs = list(records)
    figures = published.experiment2()
    return [
        cell
        for depth in DEPTHS
        for width in WIDTHS
        for cell in _cells(
            Size(depth, width),
            [r for r in runs if r.request.layers == perceptron_layers(width=width, depth=depth)],
            figures.loc[(depth, width)],
        )
    ]


def _cells(subject: str | Size, runs: Sequence[Record], figures) -> list[Cell]:
    failures = sum(r.outcome.status in (Status.DIVERGED, Status.FAILED) for r in runs)
    seconds = spread([r.outcome.seconds_train for r in runs]).mean
    return [
        Cell(
            subject=subject,
            part=part,
            measured=spread([getattr(r.outcome, f"{part}_rms") for r in runs]),
            published=Spread(
                float(figures[f"{part}_rms_mean_n"]), float(figures[f"{part}_rms_std_n"]), int(figures["seeds"])
            ),
            seconds=seconds,
            published_seconds=float(figures["time_mean_s"]),
            failures=failures,
        )
        for part in ("train", "test")
    ]


def cells_frame(cells: Iterable[Cell]) -> pd.DataFrame:
    """One row a cell: ``name, quantity, measured_mean, measured_sd, seeds, published_mean, published_sd, ...``."""
    return pd.DataFrame(
        {
            "name": cell.name,
            "quantity": cell.quantity,
            "measured_mean": cell.measured.mean,
            "measured_sd": cell.measured.sd,
            "seeds": cell.measured.count,
            "published_mean": cell.published.mean,
            "published_sd": cell.published.sd,
            "published_seeds": cell.published.count,
            "difference": cell.difference,
            "seconds": cell.seconds,
            "published_seconds_per_run": cell.published_seconds,
            "failures": cell.failures,
        }
        for cell in cells
    )


def list_table(cells: Sequence[Cell], *, title: str) -> RenderableType:
    """One line per cell: measured, published, difference and seconds."""
    table = plain_table()
    table.add_column("method")
    table.add_column("quantity")
    for header in ("measured", "seeds", "published", "difference", "s/run", "paper's s/run", "failures"):
        table.add_column(header, justify="right")
    for cell in cells:
        table.add_row(
            cell.name,
            cell.quantity,
            mean_sd(cell.measured),
            str(cell.measured.count),
            mean_sd(cell.published),
            percent(cell.difference),
            number(cell.seconds, 2),
            number(cell.published_seconds, 1),
            str(cell.failures or "none"),
        )
    return titled(title, table)


def grid_table(cells: Sequence[Cell], *, quantity: str, title: str) -> RenderableType:
    """Depths down, widths across; each cell holds measured mean and sd over published mean and sd."""
    table = plain_table()
    table.add_column("depth", justify="right")
    table.add_column("")
    for width in WIDTHS:
        table.add_column(f"width {width}", justify="right")
    by_subject = {cell.subject: cell for cell in cells if cell.quantity == quantity}
    for depth in DEPTHS:
        row = [by_subject[Size(depth, width)] for width in WIDTHS]
        table.add_row(str(depth), "measured", *(mean_sd(c.measured) for c in row))
        table.add_row("", "published", *(mean_sd(c.published) for c in row))
        table.add_row("", "difference", *(percent(c.difference) for c in row))
        if any(c.failures for c in row):
            table.add_row("", "failures", *(str(c.failures) for c in row))
        table.add_section()
    return titled(f"{title}: {quantity}", table)
