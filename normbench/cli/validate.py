"""``normbench validate``: does every optimiser do the same on every backend as in the float64 reference?"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import RenderableType

from normbench import data, tasks
from normbench.cli import options
from normbench.cli.errors import CHECK_FAILED
from normbench.data.dataset import Dataset
from normbench.errors import DataError
from normbench.report.tables import console, plain_table, titled
from normbench.specs import OWN

if TYPE_CHECKING:
    from normbench.training.validation import Agreement

_BACKENDS = ("torch", "jax")


@click.command("validate")
@options.many("optimiser", "What to check", OWN, default="all that have a reference")
@options.many("backend", "Where", _BACKENDS, default="torch and jax, where installed")
@click.option("--iterations", type=click.IntRange(min=1), default=200, show_default=True, help="Iterations per run.")
@options.data_dir
@options.jobs
@options.output_format("table", "json")
def command(
    *,
    optimisers: Sequence[str],
    backends: Sequence[str],
    iterations: int,
    data_dir: Path | None,
    jobs: int | None,
    format_: str,
) -> None:
    """Compare every optimiser with the reference.

    The reference is plain float64 NumPy; the command exits with 1 where an implementation deviates from it. In
    float64 losses, step sizes and weights must agree over all iterations; in float32 the final RMS. Two paths are
    judged: fast, the trainer of the benchmark with derivatives by hand, in tiles; and plain, the drop-in class in a
    loop of its own with automatic differentiation, the batch whole. The data are the real Neural-Fly flights where
    they are on this machine, else the simulated ones.

    \b
    Examples:
      normbench validate
      normbench validate --optimiser method1 --backend jax --data-dir ~/neural_fly
    """
    from normbench.records.pool import results_of
    from normbench.report.agreement import ValidationJob

    chosen = options.choose_backends(backends)
    dataset = _dataset(data_dir)
    task = next(task.key for task in tasks.TASKS.values() if task.source == dataset.name)
    kind = "SIMULATED" if dataset.simulated else "real"
    click.echo(f"Validating on {dataset.name} ({kind} data), {iterations} iterations.", err=True)
    processes = options.job_count(jobs)
    judged = results_of(
        [ValidationJob(task, data_dir, key, tuple(chosen), iterations) for key in dict.fromkeys(optimisers or OWN)],
        size=processes,
        threads=options.threads_per_job(processes),
        on_done=lambda job: click.echo(f"  {job.optimiser} judged", err=True),
    )
    agreements = [agreement for group in judged for agreement in group]
    if format_ == "json":
        for agreement in agreements:
            extra = {"data": dataset.name, "simulated": dataset.simulated}
            click.echo(json.dumps(asdict(agreement) | extra, default=float))
    else:
        console().print(_table(agreements, dataset))
    if not agreements or not all(a.passed for a in agreements):
        raise click.exceptions.Exit(CHECK_FAILED)


def _dataset(data_dir: Path | None) -> Dataset:
    """The real flights if their files are at hand, else the simulated ones."""
    if data_dir is not None:
        try:
            return tasks.get("neural-fly").dataset(data_dir)
        except DataError as error:
            click.echo(f"No real data: {error}", err=True)
    elif data.info("neural-fly").present:
        return tasks.get("neural-fly").dataset()
    return tasks.get("quadrotor-sim").dataset()


def _name(agreement: "Agreement") -> str:
    values = (f"{name} {value}" for name, value in agreement.hyperparameters.items())
    return ", ".join([agreement.optimiser, *values])


def _table(agreements: Sequence["Agreement"], dataset: Dataset) -> RenderableType:
    table = plain_table()
    for header in ("optimiser", "backend", "path", "dtype"):
        table.add_column(header)
    for header in ("iter.", "losses", "steps", "weights", "final RMS", "limit"):
        table.add_column(header, justify="right")
    table.add_column("verdict")
    for a in agreements:
        deviations = (a.loss_deviation, a.step_deviation, a.weight_deviation, a.rms_deviation, a.limit)
        verdict = "ok" if a.passed else "BREACH"
        table.add_row(
            _name(a), a.backend, a.path, a.dtype, str(a.iterations), *(f"{d:.1e}" for d in deviations), verdict
        )
    kind = "SIMULATED" if dataset.simulated else "real"
    return titled(f"Largest relative deviation from the reference on {dataset.name} ({kind} data)", table)
