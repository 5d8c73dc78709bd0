"""The papers' own figures, as CSV files with their sources, and how to read them."""

from importlib.resources import files

import pandas as pd

from normbench.problems.tasks import PAPER_HIDDEN

INPUTS, OUTPUTS = 12, 3
PAPER_LAYERS = (INPUTS, *PAPER_HIDDEN, OUTPUTS)
EXPERIMENT1 = {"method1": 200, "method2": 3000}
QUADROTOR_TASKS = ("quadrotor", "quadrotor-sim")


def table(name: str) -> pd.DataFrame:
    """One of the published tables.

    Parameters
    ----------
    name : str
        "asgd_experiment1", "asgd_experiment2", "neural_lander", "fromage_table1" or "agd_results".
    """
    with (files(__name__) / f"{name}.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file)


def experiment1(optimiser: str) -> pd.Series:
    """Row of Table 1 of arXiv 2312.10672 for "method1" or "method2": RMS in N and seconds, mean and sd."""
    rows = table("asgd_experiment1")
    return rows[rows["method"] == optimiser].iloc[0]


def experiment2() -> pd.DataFrame:
    """Figure 2 of arXiv 2312.10672: RMS in N and seconds, indexed by depth and width."""
    return table("asgd_experiment2").set_index(["depth", "width"])


def applies(task: str, layers: tuple[int, ...]) -> bool:
    """True where Table 1 can stand beside a leaderboard: the quadrotor tasks with the paper's network."""
    return task in QUADROTOR_TASKS and layers == PAPER_LAYERS
