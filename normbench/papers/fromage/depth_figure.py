"""Figure 3 of arXiv 2002.03432 on the benchmark's regression or on MNIST: training over depth."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd

from normbench.papers.fromage.figures import PAPER, batches, file_name
from normbench.papers.fromage.sizes import FIGURE3
from normbench.presentation.charts.axes import axis, log_axis
from normbench.presentation.charts.base import Layers
from normbench.presentation.charts.data import chosen, rows, spread, trivial
from normbench.presentation.charts.lines import bars, levels, line, marks
from normbench.presentation.charts.looks import Looks, chosen_looks, ordered_looks
from normbench.presentation.charts.sheet import Picture, key, origin, panel, sheet
from normbench.presentation.palette import variable
from normbench.records.schema import Record
from normbench.specs import SPECS


def depth_label(run: Record) -> str:
    """Key of the optimiser, with epsilon where it has one."""
    epsilon = run.request.hyperparameters.get("epsilon")
    return run.request.optimiser if epsilon is None else f"{run.request.optimiser}, epsilon {epsilon:g}"


@dataclass(frozen=True)
class Judged:
    """What trainings over depth are judged by.

    Attributes
    ----------
    column : str
        Of the data, in the unit that is drawn.
    part : str
        As a predictor without an optimiser names it.
    words : str
        With the unit.
    rises : bool
        True where more is better.
    factor : float
        From what a record holds to the unit.
    """

    column: str
    part: str
    words: str
    rises: bool = False
    factor: float = 1.0

    def of(self, run: Record) -> float:
        """The figure of a run; NaN where it has none."""
        found: float | None = getattr(run.outcome, "train_rms" if self.part == "train" else self.part)
        return math.nan if found is None else self.factor * found


def judged(records: Sequence[Record]) -> Judged:
    """By their accuracy where they classify, as in the paper, else by their error."""
    first = records[0].outcome
    if "train_accuracy" in first.predictors["mean"]:
        return Judged("train_accuracy_percent", "train_accuracy", "final training accuracy in %", True, 100.0)
    return Judged("train_rms", "train", f"final training RMS in {first.unit}")


def depth_runs(records: Sequence[Record]) -> pd.DataFrame:
    """Final training RMS over depth: ``depth, optimiser, learning_rate, train_rms, sd, seeds, lost, best``.

    Of classes the accuracy, ``train_accuracy_percent``, in the place of ``train_rms``. Adam counts as two optimisers if
    it has two values of epsilon. ``lost`` counts diverged and failed runs; ``best`` marks, for each depth and
    optimiser, the learning rate with the best mean among those that lost no run.
    """
    by = judged(records)
    finals = pd.DataFrame(
        {
            "depth": len(run.request.layers) - 1,
            "optimiser": depth_label(run),
            "learning_rate": run.request.hyperparameters["learning_rate"],
            "found": by.of(run),
        }
        for run in records
    )
    groups = finals.groupby(["depth", "optimiser", "learning_rate"], sort=False)["found"]
    table = groups.agg(mean="mean", sd="std", seeds="count", lost=lambda found: int(found.isna().sum())).reset_index()
    whole = table[(table["lost"] == 0) & table["mean"].notna()].groupby(["depth", "optimiser"])["mean"]
    best = whole.idxmax() if by.rises else whole.idxmin()
    return table.assign(best=table.index.isin(best)).rename(columns={"mean": by.column})


def depth_summary(data: pd.DataFrame, column: str) -> pd.DataFrame:
    """The best figure, which is in that column, of each optimiser: depths down, optimisers across."""
    best = data[data["best"]]
    table = best.pivot(index="depth", columns="optimiser", values=column)
    return table[list(best["optimiser"].unique())].reset_index()


def figure3(records: Sequence[Record]) -> Picture:
    """Training RMS, or accuracy, over depth: the best learning rate of each optimiser, and every one of Fromage's."""
    data, by = depth_runs(records), judged(records)
    source, asked = origin(records), records[0].request
    known, best, rates = trivial(records, by.part), data[data["best"]], chosen(data, {"optimiser": "fromage"})
    # the lowest name stands below its line, since zero and mean have nearly the same accuracy
    beside = np.where(known["rms"] == known["rms"].min(), "top", "bottom") if by.rises else "middle"
    known = known.assign(rms=by.factor * known["rms"], baseline=beside)
    keys = {depth_label(run): run.request.optimiser for run in records}
    names = {label: keys[label] for label in best["optimiser"].unique()}
    shown = [*known["rms"], *best[by.column], *rates[by.column]]
    span = 0.97 * np.nanmin(shown), 1.03 * np.nanmax(shown)
    y = axis(alt.Y, by.column, by.words, domain=span)
    panels = [
        _over_depth(best, "optimiser", _depth_looks(names), by.column, y, known, title="best of three learning rates"),
        _over_depth(
            rates,
            "learning_rate",
            ordered_looks(sorted(rates["learning_rate"].unique().tolist())),
            by.column,
            y,
            known,
            title="Fromage by learning rate",
        ),
    ]
    chart = sheet(
        f"Fromage, figure 3: training over depth. {source.data}",
        f"Perceptrons of width {asked.layers[1]}, {asked.iterations} {batches(asked.batch_size)}, {source.runs}. The "
        "gradient of a normalised network shrinks with every layer, far below Adam's default epsilon of 1e-8, "
        "hence a second, negligible one. Dotted: predictors without an optimiser. "
        f"{PAPER}: {FIGURE3[asked.task].otherwise}.",
        [chart for drawn in panels for chart in drawn],
        columns=4,
    )
    return Picture(file_name(3, source.task), chart, data)


def _depth_looks(names: Mapping[str, str]) -> Looks:
    """Those of the optimisers by their labels; of one with two variants the second is grey."""
    seen: set[str] = set()
    looks = []
    for label, name in names.items():
        again = name in seen
        looks.append((label, "var(--muted)" if again else variable(name), list(SPECS).index(name) + 2 * again))
        seen.add(name)
    return chosen_looks(looks)


def _over_depth(
    data: pd.DataFrame, by: str, looks: Looks, column: str, y: alt.Y, known: pd.DataFrame, *, title: str
) -> list[Layers]:
    """Lines of a column over depth with bars of one standard deviation, and their key."""
    depths = sorted(data["depth"].unique().tolist())
    x = log_axis(alt.X, "depth", "depth (weight matrices)", base=2, values=depths)
    table = spread(data, mean=column)[[by, "depth", column, "low", "high"]]
    drawn = alt.Chart(rows(table)).encode(x=x, y=y, color=looks.colour(by))
    spreads = [bars(drawn)] if table["low"].notna().any() else []
    layers = [line(drawn, dash=looks.dash(by)), *spreads, marks(drawn, shape=looks.shape(by))]
    return [panel(levels(rows(known), align="left"), *layers, title=title, width=190, height=200), key(looks)]
