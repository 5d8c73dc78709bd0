"""The network of the Neural-Lander authors again."""

from pathlib import Path

import click

from normbench.campaigns.pool import results_of
from normbench.cli import options
from normbench.cli.reproduce.setting import TASK
from normbench.machine import threads_per_run
from normbench.papers import neural_lander as lander
from normbench.presentation.terminal import console
from normbench.problems import tasks


@click.command("neural-lander")
@TASK
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
        threads=threads_per_run(),
        on_done=lambda job: click.echo(f"seed {job.seed} done", err=True),
    )
    console().print(lander.lander_table(results, task=task, simulated=dataset.simulated))
