"""The GAN of Table 1 of arXiv 2002.03432, small and on digits: distance to the real images over the steps."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from normbench.analysis.statistics import spread
from normbench.papers.fromage.figures import PAPER
from normbench.papers.fromage.gan import COMPONENTS, PATIENCE, Size
from normbench.presentation.figures.style import (
    TWO_COLUMNS,
    Origin,
    Picture,
    Rows,
    band,
    canvas,
    entitle,
    finish,
    level_line,
    lines,
    optimiser_looks,
    printed,
)
from normbench.presentation.tables import mean_sd

OPTIMISER, REFERENCE = "optimiser", "reference"
_FIGURES = {"distance": "Fréchet distance to the seen half", "accuracy": "in the wanted class (least squares)"}


def gan_curves(rows: Rows, references: Rows) -> pd.DataFrame:
    """What jobs saw, over seeds: ``kind, name, step, distance, distance_sd, accuracy, accuracy_sd, seeds``.

    Parameters
    ----------
    rows : list of dict
        Of :class:`normbench.papers.fromage.gan.GanJob`. A game that broke down counts up to there.
    references : list of dict
        Of :func:`normbench.papers.fromage.gan.reference_rows`; they have no step.
    """
    played = pd.DataFrame(rows).rename(columns={OPTIMISER: "name"}).assign(kind=OPTIMISER)
    known = pd.DataFrame(references).rename(columns={REFERENCE: "name"}).assign(kind=REFERENCE, step=np.nan)
    groups = pd.concat([played, known]).groupby(["kind", "name", "step"], sort=False, dropna=False)
    return groups.agg(
        distance=("distance", "mean"),
        distance_sd=("distance", "std"),
        accuracy=("accuracy", "mean"),
        accuracy_sd=("accuracy", "std"),
        seeds=("distance", "count"),
    ).reset_index()


def gan_summary(rows: Rows, references: Rows, published: pd.DataFrame) -> pd.DataFrame:
    """One line per optimiser and reference: mean ± sd at the end and at each seed's best, beside the paper's FID.

    Parameters
    ----------
    rows, references : list of dict
        As :func:`gan_curves` takes them.
    published : DataFrame
        :func:`normbench.papers.fromage.published.published_gan`.
    """
    lines_ = []
    for name, runs in pd.DataFrame(rows).groupby(OPTIMISER, sort=False):
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


def _ends(rows: list[pd.Series]) -> dict[str, str]:
    """Where runs ended, and how many of them broke down."""
    lost = sum(not np.isfinite(row["distance"]) for row in rows)
    return {
        "distance": mean_sd(spread([row["distance"] for row in rows])),
        "accuracy": mean_sd(spread([row["accuracy"] for row in rows])),
        "seeds": str(len(rows)),
        "failures": str(lost or "none"),
    }


def gan(rows: Rows, references: Rows, source: Origin, published: pd.DataFrame, *, size: Size) -> Picture:
    """Fréchet distance and accuracy of the generated images over the steps, by optimiser.

    Parameters
    ----------
    rows, references, published
        As :func:`gan_summary` takes them.
    source : Origin
    size : Size
        Of the games.
    """
    data = gan_curves(rows, references)
    with printed():
        figure, (panels,) = canvas(1, 2, width=TWO_COLUMNS, height=3.4, sharex=True)
        for panel, quantity in zip(panels, _FIGURES, strict=True):
            _curves(panel, data, quantity)
        # below the least mean there are only bands, which on a log scale reach down to nothing
        panels[0].set(yscale="log", ylim=(0.6 * data["distance"].min(), None))
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside right center")
        rates = ", ".join(
            f"{name} {published.loc[name, 'learning_rate']:g}" for name in dict.fromkeys(r[OPTIMISER] for r in rows)
        )
        entitle(
            figure,
            f"Fromage, Table 1: a class-conditional GAN. {source.data}",
            f"Not the paper's FID: squared distance of Gaussians on {COMPONENTS} principal components of the half of "
            "the digits that the players see, pixels from -1 to 1. Mean and sd over seeds "
            f"({source.runs}); dotted: images without a generator. 8 x 8 digits, width {size.width}, batches of "
            f"{size.batch}, hinge loss, a step of each player in turn with the same optimiser; the paper's learning "
            f"rates: {rates} (LARS: Fromage's), from halfway on divided by 10 where the distance has not fallen by 1 % "
            f"in {PATIENCE + 1} evaluations; Adam's betas 0.9 and 0.999. {PAPER}: CIFAR-10, Inception features; its "
            "loss, networks and batches are in an appendix that was not at hand.",
        )
    return Picture("fromage-gan", figure, data)


def _curves(panel: Axes, data: pd.DataFrame, quantity: str) -> None:
    played = data[data["kind"] == OPTIMISER]
    looks = optimiser_looks(played["name"].unique())
    lines(panel, played, x="step", y=quantity, by="name", looks=looks, marked=True)
    for name, rows in played.groupby("name"):
        band(panel, rows, x="step", colour=looks.palette[name], mean=quantity, sd=f"{quantity}_sd")
    for _, row in data[data["kind"] == REFERENCE].iterrows():
        level_line(panel, row["name"], row[quantity])
    panel.set(xlabel="step of each player", ylabel=_FIGURES[quantity])
    finish(panel)
