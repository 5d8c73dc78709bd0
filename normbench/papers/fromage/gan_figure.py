"""The GAN of Table 1 of arXiv 2002.03432, small and on digits: distance to the real images over the steps."""

import altair as alt
import numpy as np
import pandas as pd

from normbench.analysis.statistics import spread
from normbench.papers.fromage.figures import PAPER
from normbench.papers.fromage.gan import COMPONENTS, PATIENCE, Size
from normbench.presentation.charts.axes import axis, decades, log_axis
from normbench.presentation.charts.data import chosen, rows
from normbench.presentation.charts.data import spread as around
from normbench.presentation.charts.lines import band, levels, line, marks
from normbench.presentation.charts.looks import Looks, optimiser_looks
from normbench.presentation.charts.sheet import Origin, Picture, Rows, key, panel, sheet
from normbench.presentation.tables import mean_sd

OPTIMISER, REFERENCE = "optimiser", "reference"
_FIGURES = {"distance": "Fréchet distance to the seen half", "accuracy": "in the wanted class (least squares)"}


def gan_curves(seen: Rows, references: Rows) -> pd.DataFrame:
    """What jobs saw, over seeds: ``kind, name, step, distance, distance_sd, accuracy, accuracy_sd, seeds``.

    Parameters
    ----------
    seen : list of dict
        Of :class:`normbench.papers.fromage.gan.GanJob`. A game that broke down counts up to there.
    references : list of dict
        Of :func:`normbench.papers.fromage.gan.reference_rows`; they have no step.
    """
    played = pd.DataFrame(seen).rename(columns={OPTIMISER: "name"}).assign(kind=OPTIMISER)
    known = pd.DataFrame(references).rename(columns={REFERENCE: "name"}).assign(kind=REFERENCE, step=np.nan)
    groups = pd.concat([played, known]).groupby(["kind", "name", "step"], sort=False, dropna=False)
    return groups.agg(
        distance=("distance", "mean"),
        distance_sd=("distance", "std"),
        accuracy=("accuracy", "mean"),
        accuracy_sd=("accuracy", "std"),
        seeds=("distance", "count"),
    ).reset_index()


def gan_summary(seen: Rows, references: Rows, published: pd.DataFrame) -> pd.DataFrame:
    """One line per optimiser and reference: mean ± sd at the end and at each seed's best, beside the paper's FID.

    Parameters
    ----------
    seen, references : list of dict
        As :func:`gan_curves` takes them.
    published : DataFrame
        :func:`normbench.papers.fromage.published.published_gan`.
    """
    lines_ = []
    for name, runs in pd.DataFrame(seen).groupby(OPTIMISER, sort=False):
        games = [game for _, game in runs.groupby("seed")]
        least = [game["distance"].min() for game in games]
        figures = _ends([game.iloc[-1] for game in games])
        paper = published.loc[name]
        lines_.append(
            {"images of": name, "learning rate": f"{paper['learning_rate']:g}"}
            | {"decays": ", ".join(str(game["decays"].iloc[-1]) for game in games), **figures}
            | {"least distance": mean_sd(spread(least)), "paper's FID": paper["fid"]}
        )
    for name, found in pd.DataFrame(references).groupby(REFERENCE, sort=False):
        figures = _ends([row for _, row in found.iterrows()])
        lines_.append({"images of": name, **figures})
    return pd.DataFrame(lines_).fillna("")


def _ends(found: list[pd.Series]) -> dict[str, str]:
    """Where runs ended, and how many of them broke down."""
    lost = sum(not np.isfinite(row["distance"]) for row in found)
    return {
        "distance": mean_sd(spread([row["distance"] for row in found])),
        "accuracy": mean_sd(spread([row["accuracy"] for row in found])),
        "seeds": str(len(found)),
        "failures": str(lost or "none"),
    }


def gan(seen: Rows, references: Rows, source: Origin, published: pd.DataFrame, *, size: Size) -> Picture:
    """Fréchet distance and accuracy of the generated images over the steps, by optimiser, see :func:`gan_summary`."""
    data = gan_curves(seen, references)
    looks = optimiser_looks(data.loc[data["kind"] == OPTIMISER, "name"].unique())
    # below the least mean there are only bands, which on a log scale reach down to nothing
    span = 0.6 * data["distance"].min(), 1.2 * data["distance"].max()
    axes = {
        "distance": log_axis(alt.Y, "distance", _FIGURES["distance"], domain=span, values=decades(span)),
        "accuracy": axis(alt.Y, "accuracy", _FIGURES["accuracy"]),
    }
    rates = ", ".join(
        f"{name} {published.loc[name, 'learning_rate']:g}" for name in dict.fromkeys(r[OPTIMISER] for r in seen)
    )
    chart = sheet(
        f"Fromage, Table 1: a class-conditional GAN. {source.data}",
        f"Not the paper's FID: squared distance of Gaussians on {COMPONENTS} principal components of the half of "
        "the digits that the players see, pixels from -1 to 1. Mean and sd over seeds "
        f"({source.runs}); dotted: images without a generator. 8 x 8 digits, width {size.width}, batches of "
        f"{size.batch}, hinge loss, a step of each player in turn with the same optimiser; the paper's learning "
        f"rates: {rates} (LARS: Fromage's), from halfway on divided by 10 where the distance has not fallen by 1 % "
        f"in {PATIENCE + 1} evaluations; Adam's betas 0.9 and 0.999. {PAPER}: CIFAR-10, Inception features; its "
        "loss, networks and batches are in an appendix that was not at hand.",
        [panel(*_curves(data, quantity, y, looks), width=235, height=240) for quantity, y in axes.items()],
        columns=2,
        legend=key(looks),
    )
    return Picture("fromage-gan", chart, data)


def _curves(data: pd.DataFrame, quantity: str, y: alt.Y, looks: Looks) -> list[alt.Chart | alt.LayerChart]:
    floor = 0.0 if quantity == "accuracy" else data[quantity].min() / 2
    played = around(chosen(data, {"kind": OPTIMISER}), mean=quantity, sd=f"{quantity}_sd", floor=floor)
    every = max(1, len(played) // played["name"].nunique() // 12)
    table = played.assign(marked=played.groupby("name").cumcount() % every == 0)
    curves = alt.Chart(rows(table[["name", "step", quantity, "low", "high", "marked"]])).encode(
        x=axis(alt.X, "step", "step of each player"), y=y, color=looks.colour("name")
    )
    known = chosen(data, {"kind": REFERENCE})[["name", quantity]].set_axis(["predictor", "rms"], axis="columns")
    marked = marks(curves.transform_filter("datum.marked"), size=50, shape=looks.shape("name"))
    return [levels(rows(known), align="left"), band(curves), line(curves, dash=looks.dash("name")), marked]
