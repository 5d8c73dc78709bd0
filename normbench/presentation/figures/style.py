"""The one style of all figures: sizes for print, looks that survive greyscale, files that come out the same again."""

import io
import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from normbench.presentation.palette import series
from normbench.problems.predictors import NAMES
from normbench.records.formats import csv_frame
from normbench.records.schema import Record
from normbench.specs import SPECS
from normbench.writing import write_bytes, write_text

ONE_COLUMN, TWO_COLUMNS = 3.5, 7.2  # widths in inches
SEQUENTIAL = "viridis"  # lightness rises steadily: readable in greyscale and with any colour vision
GUIDE = "0.45"  # grey of lines that are no data of an optimiser

Rows = list[dict[str, Any]]  # what the jobs that look into a training return

_MARKS = 15  # on a line at most: more run into each other
_LETTERS_PER_INCH = 21.0  # of a caption
_RC: dict[str, Any] = {
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.title_fontsize": 7,
    "legend.handlelength": 3.2,  # long enough to show a dash pattern twice
    "legend.frameon": False,
    "figure.titlesize": 9,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
    "axes.linewidth": 0.6,
    "grid.linewidth": 0.4,
    "svg.hashsalt": "normbench",
    "pdf.fonttype": 42,  # text stays text
}
_MARKERS = ("o", "s", "D", "^", "v", "P", "X", "<", ">", "*", "p", "h", "d")
DASHES: tuple[Any, ...] = ("", (4, 1.5), (1, 1), (5, 1, 1, 1), (2, 1), (7, 1.5, 2, 1.5), (1, 2))


@contextmanager
def printed() -> Iterator[None]:
    """Draw and save inside; leaves matplotlib's settings as they were."""
    with mpl.rc_context({**sns.plotting_context("paper"), **sns.axes_style("ticks"), **_RC}):
        yield


def save_figure(figure: Figure, path: Path, *, metadata: dict[str, None] | None = None) -> None:
    """Write a figure, whole, in the format that the ending of the path says.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    content = io.BytesIO()
    figure.savefig(content, format=path.suffix.removeprefix("."), metadata=metadata)
    write_bytes(path, content.getvalue())


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure and exactly the numbers that are drawn in it.

    Attributes
    ----------
    name : str
        Of the files, without ending.
    figure : Figure
    data : DataFrame
        Tidy; a unit stands in the column's name or in a column of its own.
    """

    name: str
    figure: Figure
    data: pd.DataFrame

    def save(self, folder: Path) -> list[Path]:
        """Write SVG, PDF and CSV; the same data give the same bytes."""
        svg, pdf, csv = (folder / f"{self.name}{ending}" for ending in (".svg", ".pdf", ".csv"))
        with printed():
            save_figure(self.figure, svg, metadata={"Date": None})
            save_figure(self.figure, pdf, metadata={"CreationDate": None})
        write_text(csv, csv_frame(self.data).to_csv(index=False, float_format="%.6g", lineterminator="\n"))
        return [svg, pdf, csv]


@dataclass(frozen=True)
class Origin:
    """Where the numbers of a figure come from, for its title and caption.

    Attributes
    ----------
    task, unit, backend, dtype : str
    simulated : bool
    seeds : int
    """

    task: str
    unit: str
    backend: str
    dtype: str
    simulated: bool
    seeds: int

    @property
    def data(self) -> str:
        """``quadrotor-sim, SIMULATED data``."""
        return f"{self.task}, {'SIMULATED' if self.simulated else 'real'} data"

    @property
    def runs(self) -> str:
        """``jax, float32, 3 seeds``."""
        return f"{self.backend}, {self.dtype}, {self.seeds} seed{'' if self.seeds == 1 else 's'}"


def origin(records: Sequence[Record]) -> Origin:
    """Origin of records that share task and backend."""
    first = records[0]
    dtypes = "/".join(sorted({record.request.dtype for record in records}))
    seeds = len({record.request.seed for record in records})
    return Origin(
        first.request.task, first.outcome.unit, first.request.backend, dtypes, first.provenance.simulated, seeds
    )


def canvas(
    rows: int, columns: int, *, width: float, height: float, sharex: Any = False, sharey: Any = False
) -> tuple[Figure, Any]:
    """A figure of its own, apart from pyplot's, and its panels as an array of shape (rows, columns)."""
    figure = Figure(figsize=(width, height), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=sharex, sharey=sharey, squeeze=False)
    return figure, panels


def entitle(figure: Figure, title: str, caption: str) -> None:
    """Title above, caption below, both flush left; the caption is wrapped to the width of the figure."""
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    wrapped = textwrap.wrap(caption, int(figure.get_figwidth() * _LETTERS_PER_INCH))
    figure.supxlabel("\n".join(wrapped), x=0.01, ha="left", fontsize=6.5, color="0.25")


def finish(panel: Axes) -> None:
    """Light grid, no frame on the right and on top."""
    panel.grid(visible=True, color="0.88")
    panel.set_axisbelow(True)
    sns.despine(ax=panel)


def lines(
    panel: Axes, data: pd.DataFrame, *, x: str, by: str, looks: "Looks", y: str = "mean", marked: bool = False
) -> None:
    """One line per value of the column ``by``; its handles are left on the panel, for a legend elsewhere."""
    every = math.ceil(data.groupby(by).size().max() / _MARKS)
    sns.lineplot(
        data, x=x, y=y, hue=by, style=by, palette=looks.palette, dashes=looks.dashes, errorbar=None, legend="full",
        markers=looks.markers if marked else False, markeredgewidth=0.3, markevery=every, ax=panel,
    )  # fmt: skip
    legend = panel.get_legend()
    if legend is not None:
        legend.remove()


def band(panel: Axes, rows: pd.DataFrame, *, x: str, colour: Any, mean: str = "mean", sd: str = "sd") -> None:
    """One standard deviation on either side of the mean, where there is one."""
    known = rows[rows[sd].notna()]
    if len(known):
        low, high = known[mean] - known[sd], known[mean] + known[sd]
        panel.fill_between(known[x], low, high, color=colour, alpha=0.2, linewidth=0)


def level_line(panel: Axes, name: str, level: float) -> None:
    """A dotted horizontal line with its name at the right, left out where it lies outside the panel."""
    panel.axhline(level, color=GUIDE, linewidth=0.7, linestyle=(0, (1, 2)))
    panel.annotate(
        name, (0.999, level), xycoords=("axes fraction", "data"), xytext=(3, 0), textcoords="offset points",
        va="center", fontsize=6, color="0.3", annotation_clip=True,
    )  # fmt: skip


def trivial_levels(panel: Axes, records: Iterable[Record], part: str) -> float:
    """RMS of the predictors without an optimiser as level lines, mean over seeds; returns the zero predictor's."""
    by_seed = {run.request.seed: run.outcome.predictors for run in records}
    levels = {name: float(np.mean([found[name][part] for found in by_seed.values()])) for name in NAMES}
    for name, level in levels.items():
        level_line(panel, name, level)
    return levels["zero"]


@dataclass(frozen=True)
class Looks:
    """Colour, marker and dash pattern by name, as seaborn takes them."""

    palette: dict[Any, Any]
    markers: dict[Any, Any]
    dashes: dict[Any, Any]


def optimiser_looks(keys: Iterable[str]) -> Looks:
    """Looks of optimisers, the same in every figure; no two share colour, marker and dashes."""
    wanted = set(keys)
    place = {key: k for k, key in enumerate(SPECS) if key in wanted}
    return Looks(
        palette={key: light for key, (light, _) in series(wanted).items()},
        markers={key: _MARKERS[k % len(_MARKERS)] for key, k in place.items()},
        dashes={key: DASHES[k % len(DASHES)] for key, k in place.items()},
    )


def ordered_looks(values: Sequence[Any]) -> Looks:
    """Looks of a few values that have an order: light to dark, every one with its own marker and dashes."""
    colours = sns.color_palette(SEQUENTIAL, len(values) + 1)[:-1][::-1]  # without the palest
    return Looks(
        palette=dict(zip(values, colours, strict=True)),
        markers={value: _MARKERS[k % len(_MARKERS)] for k, value in enumerate(values)},
        dashes={value: DASHES[k % len(DASHES)] for k, value in enumerate(values)},
    )
