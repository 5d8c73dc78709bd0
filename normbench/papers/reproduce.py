"""The published experiments again: measured beside published, cell by cell."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd
from rich.console import RenderableType

from normbench import published
from normbench.analysis.statistics import Spread, spread
from normbench.backends.trajectory import Status
from normbench.papers.experiments import DEPTHS, WIDTHS, perceptron_layers
from normbench.presentation.tables import mean_sd, number, percent, titled
from normbench.presentation.terminal import plain_table
from normbench.published import EXPERIMENT1
from normbench.records.schema import Record


@dataclass(frozen=True)
class Cell:
    """One published figure and what was measured here, in the unit of the data.

    Attributes
    ----------
    name : str
        "method1", "method2", or "depth 4, width 25".
    quantity : str
        "train RMS" or "test RMS".
    measured, published : Spread
    seconds, published_seconds : float
        Mean training seconds per run here and in the paper, on different machines.
    failures : int
        Runs that diverged or failed, left out of ``measured``.
    """

    name: str
    quantity: str
    measured: Spread
    published: Spread
    seconds: float
    published_seconds: float
    failures: int

    @property
    def difference(self) -> float:
        """Measured mean over published mean, minus one."""
        return self.measured.mean / self.published.mean - 1.0


def experiment1_cells(records: Iterable[Record]) -> list[Cell]:
    """Table 1: training and test RMS of methods 1 and 2."""
    runs = list(records)
    return [
        cell
        for optimiser in EXPERIMENT1
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
            f"depth {depth}, width {width}",
            [r for r in runs if r.request.layers == perceptron_layers(width=width, depth=depth)],
            figures.loc[(depth, width)],
        )
    ]


def _cells(name: str, runs: Sequence[Record], figures) -> list[Cell]:
    failures = sum(r.outcome.status in (Status.DIVERGED, Status.FAILED) for r in runs)
    seconds = spread([r.outcome.seconds_train for r in runs]).mean
    return [
        Cell(
            name=name,
            quantity=f"{part} RMS",
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


def published_gan() -> pd.DataFrame:
    """The GAN of Table 1 of arXiv 2002.03432 by optimiser: ``learning_rate, fid``; LARS, not in it, as Fromage."""
    table = published.table("fromage_table1")
    row = table[table["benchmark"].str.startswith("GAN")].iloc[0]
    figures = {key: (float(row[f"{key}_lr"]), str(row[key])) for key in ("fromage", "adam", "sgd")}
    figures["lars"] = (figures["fromage"][0], "")
    return pd.DataFrame.from_dict(figures, orient="index", columns=["learning_rate", "fid"])


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


def frame_table(frame: pd.DataFrame, *, title: str) -> RenderableType:
    """Any small frame as a table of the terminal: floats with three decimals, the first column to the left."""
    table = plain_table()
    for column in frame.columns:
        table.add_column(str(column), justify="left" if column == frame.columns[0] else "right")
    for values in frame.itertuples(index=False):
        table.add_row(*(number(value) if isinstance(value, float) else str(value) for value in values))
    return titled(title, table)


def against(simulated: bool) -> str:
    """What is compared with what, for titles."""
    return f"measured on {'SIMULATED' if simulated else 'real'} data, published on real data"


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
    by_name = {cell.name: cell for cell in cells if cell.quantity == quantity}
    for depth in DEPTHS:
        row = [by_name[f"depth {depth}, width {width}"] for width in WIDTHS]
        table.add_row(str(depth), "measured", *(mean_sd(c.measured) for c in row))
        table.add_row("", "published", *(mean_sd(c.published) for c in row))
        table.add_row("", "difference", *(percent(c.difference) for c in row))
        if any(c.failures for c in row):
            table.add_row("", "failures", *(str(c.failures) for c in row))
        table.add_section()
    return titled(f"{title}: {quantity}", table)
