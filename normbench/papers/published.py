"""The papers' own figures: CSV files in their folders, each row with its source."""

from importlib.resources import files

import pandas as pd


def table(paper: str, name: str) -> pd.DataFrame:
    """One of the published tables.

    Parameters
    ----------
    paper, name : str
        Folder and file: "asgd", "table1" or "figure2"; "fromage", "table1" or "mnist"; "agd", "results";
        "neural_lander", "errors".
    """
    with (files(f"normbench.papers.{paper}") / f"{name}.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file)
