"""What a published experiment is: its runs, the work that looks into them, and what is shown in the end.

A paper is a folder with its experiments, their jobs, the published figures as CSV, and the pictures;
:mod:`normbench.papers.experiments` lists the entries, and ``normbench reproduce`` has one command for each.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pandas as pd
from rich.console import RenderableType

from normbench.backends import names
from normbench.campaigns.engine.jobs import Job
from normbench.campaigns.plan import Plan
from normbench.papers.runs import QUADROTOR_TASKS, Setting
from normbench.records.formats import csv_frame
from normbench.records.schema import Record
from normbench.writing import write_text


@dataclass(frozen=True, eq=False)
class Found:
    """What was run: the records of the plan, and the rows that the jobs returned, one after the other."""

    records: Sequence[Record]
    rows: list[Any]


@runtime_checkable
class File(Protocol):
    """A picture or a table that is written into a folder."""

    def save(self, folder: Path) -> list[Path]:
        """Write it; the paths of what was written."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """A table that is kept as CSV."""

    name: str
    data: pd.DataFrame

    def save(self, folder: Path) -> list[Path]:
        """Write the file ``name.csv``."""
        path = folder / f"{self.name}.csv"
        write_text(path, csv_frame(self.data).to_csv(index=False, float_format="%.6g", lineterminator="\n"))
        return [path]


Shown = RenderableType | File
RowsJob = Job[list[Any]]  # work in a worker process that returns rows


@dataclass(frozen=True)
class Experiment:
    """One published experiment.

    Attributes
    ----------
    name : str
        As ``normbench reproduce`` takes it.
    about : str
        What it reproduces, in one sentence.
    seeds : int
        How many, unless the user says otherwise.
    plan : callable
        The runs; each leaves a record, and what is stored is not made again.
    jobs : callable
        Work in worker processes that looks into trainings, given the records of the plan; each job returns rows, and
        nothing of them is stored.
    show : callable
        From what was found, tables, lines of text and files in the order in which they are shown.
    drawn_by : str
        Module that draws; it is imported before anything is computed, so that a missing library shows at once. Empty
        where tables come first and a picture is optional, or where there is none.
    tasks : tuple of str
        What it can be made of, the usual one first; one alone leaves nothing to choose.
    backends : tuple of str
        What can compute it; one alone leaves nothing to choose.
    keeps : bool
        True if it writes files, into the folder that the user names.
    """

    name: str
    about: str
    seeds: int
    show: Callable[[Setting, Found], Iterator[Shown]]
    plan: Callable[[Setting], Plan] = lambda setting: Plan(())
    jobs: Callable[[Setting, Sequence[Record]], Sequence[RowsJob]] = lambda setting, records: ()
    drawn_by: str = ""
    tasks: tuple[str, ...] = QUADROTOR_TASKS
    backends: tuple[str, ...] = names()
    keeps: bool = True
