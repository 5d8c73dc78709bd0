"""Errors of the Neural-Lander network on a data set, seed by seed, beside those that its authors printed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import RenderableType

from normbench.analysis.statistics import spread
from normbench.campaigns.samples import of_worker
from normbench.papers.published import table as printed
from normbench.papers.tables import against
from normbench.presentation.tables import mean_sd, titled
from normbench.presentation.terminal import plain_table

PARTS = ("train", "test")


@dataclass(frozen=True)
class LanderJob:
    """One training of the network in a worker process."""

    task: str
    data_dir: Path | None
    seed: int
    cost: float = 1.0
    family: object = None

    def __call__(self) -> list[tuple[float, float]]:
        """One row: training and test MSE per component, in N^2."""
        from normbench.torch.benchmark import neural_lander

        return [neural_lander.train(of_worker(self.data_dir).of(self.task), seed=self.seed)]


def lander_table(results: Sequence[tuple[float, float]], *, task: str, simulated: bool) -> RenderableType:
    """Mean and sd of the measured MSE beside the published value, and their ratio."""
    table = plain_table()
    table.add_column("quantity")
    for header in ("measured", "seeds", "published", "ratio"):
        table.add_column(header, justify="right")
    reference = printed("neural_lander", "errors")
    for column, part in enumerate(PARTS):
        figure = float(reference.loc[reference["quantity"].str.startswith(part), "value"].iloc[0])
        measured = spread([result[column] for result in results])
        ratio = measured.mean / figure
        table.add_row(f"{part} MSE", mean_sd(measured), str(measured.count), f"{figure:.4f}", f"{ratio:.3f}")
    return titled(f"Neural-Lander network on {task}: {against(simulated)}; MSE per component in N²", table)
