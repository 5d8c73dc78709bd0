"""Table 1 and figure 2 of arXiv 2312.10672 as printed, and the rows of table 1 for the boards that it can stand on."""

import pandas as pd

from normbench.analysis.rows import PublishedRow
from normbench.analysis.statistics import Spread
from normbench.papers.published import table
from normbench.papers.runs import PAPER_LAYERS, QUADROTOR_TASKS

ITERATIONS = {"method1": 200, "method2": 3000}  # of table 1, by optimiser


def experiment1(optimiser: str) -> pd.Series:
    """Row of table 1 for "method1" or "method2": RMS in N and seconds, mean and sd."""
    rows = table("asgd", "table1")
    return rows[rows["method"] == optimiser].iloc[0]


def experiment2() -> pd.DataFrame:
    """Figure 2: RMS in N and seconds, indexed by depth and width."""
    return table("asgd", "figure2").set_index(["depth", "width"])


def applies(task: str, split: str, layers: tuple[int, ...]) -> bool:
    """True where table 1 can stand beside a leaderboard: a quadrotor task with the paper's split and network."""
    return task in QUADROTOR_TASKS and split == "random" and layers == PAPER_LAYERS


def board_rows(task: str, split: str, layers: tuple[int, ...]) -> list[PublishedRow]:
    """What :func:`normbench.analysis.leaderboard.boards` shows of the paper; nothing on boards that it is not about."""
    return [_row(optimiser) for optimiser in ITERATIONS] if applies(task, split, layers) else []


def _row(optimiser: str) -> PublishedRow:
    figures = experiment1(optimiser)
    seeds = int(figures["seeds"])
    return PublishedRow(
        optimiser=optimiser,
        simulated=False,
        train=Spread(float(figures["train_rms_mean_n"]), float(figures["train_rms_std_n"]), seeds),
        test=Spread(float(figures["test_rms_mean_n"]), float(figures["test_rms_std_n"]), seeds),
        seeds=(),
        runs=seeds,
        iterations=int(figures["iterations"]),
        seconds_per_run=float(figures["time_mean_s"]),
    )
