"""``normbench reproduce``: the published experiments again, measured beside published."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from normbench import tasks
from normbench.cli import options
from normbench.cli.progress import campaign_progress
from normbench.records.campaign import Campaign
from normbench.records.plan import Plan
from normbench.records.pool import results_of
from normbench.records.schema import Record
from normbench.records.store import Store
from normbench.report import neural_lander as lander
from normbench.report import reproduce as report
from normbench.report.published import QUADROTOR_TASKS
from normbench.report.tables import console
from normbench.training import experiments
from normbench.training.request import BACKENDS, RunRequest


@click.group("reproduce")
def command() -> None:
    """Repeat a published experiment.

    Measured figures are printed beside the published ones.

    \b
    Examples:
      normbench reproduce experiment1 --seeds 4
      normbench reproduce experiment2 --seeds 2 --backend jax
      normbench reproduce neural-lander --seeds 8
    """


_TASK = click.option(
    "--task",
    type=click.Choice(QUADROTOR_TASKS),
    default="quadrotor-sim",
    show_default=True,
    help="quadrotor-sim is simulated; quadrotor is the papers' table.",
)
_BACKEND = click.option(
    "--backend", type=click.Choice(BACKENDS), help="What computes.  [default: torch if installed, else jax]"
)


def _shared(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (options.out, options.jobs, options.data_dir, _BACKEND, options.seeds(40), _TASK):
        function = option(function)
    return function


Experiment = Callable[[str, str, Sequence[int]], list[RunRequest]]


def _records(
    experiment: Experiment, *, task: str, seeds: int, backend: str | None, data_dir: Path | None,
    jobs: int | None, out: Path,
) -> list[Record]:  # fmt: skip
    chosen = options.choose_backends([backend] if backend else [])[0]
    store = Store(out / options.RECORDS)
    with campaign_progress() as on_progress:
        campaign = Campaign(store, data_dir, options.job_count(jobs), on_progress)
        return campaign.run(Plan(tuple(experiment(task, chosen, range(seeds)))))


def _title(records: Sequence[Record], what: str) -> str:
    first = records[0]
    versus = report.against(first.simulated)
    return f"{what} on {first.task} ({first.backend}, {first.unit}): {versus}"


@command.command("experiment1")
@_shared
def experiment1(
    *, task: str, seeds: int, backend: str | None, data_dir: Path | None, jobs: int | None, out: Path
) -> None:
    """Table 1 of arXiv 2312.10672: methods 1 and 2, with 200 and 3000 iterations."""
    records = _records(
        experiments.experiment1, task=task, seeds=seeds, backend=backend, data_dir=data_dir, jobs=jobs, out=out
    )
    cells = report.experiment1_cells(records)
    console().print(report.list_table(cells, title=_title(records, "Experiment 1")))


@command.command("experiment2")
@_shared
def experiment2(
    *, task: str, seeds: int, backend: str | None, data_dir: Path | None, jobs: int | None, out: Path
) -> None:
    """Figure 2 of arXiv 2312.10672: method 1 over widths 15 to 35 and depths 4 to 12."""
    records = _records(
        experiments.experiment2, task=task, seeds=seeds, backend=backend, data_dir=data_dir, jobs=jobs, out=out
    )
    cells = report.experiment2_cells(records)
    for quantity in ("train RMS", "test RMS"):
        table = report.grid_table(cells, quantity=quantity, title=_title(records, "Experiment 2"))
        console().print(table)


@command.command("neural-lander")
@_TASK
@options.seeds(8)
@options.data_dir
@options.jobs
def neural_lander(*, task: str, seeds: int, data_dir: Path | None, jobs: int | None) -> None:
    """The network with biases of the Neural-Lander authors: Adam, five epochs, clipped spectral norms (torch)."""
    options.choose_backends(["torch"])
    dataset = tasks.get(task).dataset(data_dir)  # generated or downloaded once, before the workers read it
    count = options.job_count(jobs)
    results = results_of(
        [lander.LanderJob(task, data_dir, seed) for seed in range(seeds)],
        size=count,
        threads=options.threads_per_job(count),
        on_done=lambda job: click.echo(f"seed {job.seed} done", err=True),
    )
    console().print(lander.lander_table(results, task=task, simulated=dataset.simulated))
