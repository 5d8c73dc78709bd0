"""``normbench validate``: does every optimiser do the same on every backend as in the float64 reference?"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from normbench import backends, data
from normbench.campaigns.engine.workers import Workers
from normbench.cli import options
from normbench.cli.errors import CHECK_FAILED
from normbench.cli.workers import given_workers
from normbench.data.dataset import origin
from normbench.errors import DataError
from normbench.presentation.tables import titled
from normbench.presentation.terminal import console, plain_table
from normbench.problems.tasks import TASKS, get
from normbench.specs import REFERENCED

if TYPE_CHECKING:
    from normbench.running.validation import Agreement, Scope

_FLIGHTS, _SIMULATED = "neural-fly", "quadrotor-sim"
_KERNELS = "digits-conv-xent"  # convolutions and cross-entropy
_NETWORKS = ("digits", "digits-conv", _KERNELS)  # beside the flights: dense, with kernels, cross-entropy
_ITERATIONS, _FEW_ITERATIONS, _FEW_SAMPLES = 200, 20, 300  # the reference is slow on kernels
# The quick check: compiling costs nearly all of its time, so a backend that compiles has the smaller network and
# float64 only.
_COMPILING = {backend.name: backend.title for backend in backends.usual() if backend.compiles}
_KERNELS_ON = ", ".join(backend.name for backend in backends.usual() if not backend.compiles)
_QUICK_ITERATIONS, _QUICK_SAMPLES, _QUICK_HIDDEN = 10, 2000, (8, 6)
_QUICK_KERNEL_SAMPLES = 64
_TASKS = [key for key, task in TASKS.items() if task.family in ("perceptron", "convolutional")]  # the reference's


@click.command("validate")
@options.many("optimiser", "What to check", REFERENCED, default="all that have a reference")
@options.many(
    "task",
    "On what",
    _TASKS,
    default=f"{_FLIGHTS}, where it is at hand, else {_SIMULATED}; {_KERNELS} ({_KERNELS_ON}), or all digits with "
    "--thorough",
)
@options.many_backends("Where", [backend.name for backend in backends.usual()])
@click.option(
    "--iterations",
    type=click.IntRange(min=1),
    help=f"Iterations per run.  [default: {_QUICK_ITERATIONS}; thorough: {_ITERATIONS}, on digits {_FEW_ITERATIONS}]",
)
@click.option("--thorough", is_flag=True, help="Everything: all samples, widths, precisions and variants.")
@options.data_dir
@given_workers
@options.output_format("table", "json")
def command(
    *,
    optimisers: Sequence[str],
    tasks: Sequence[str],
    backends: Sequence[str],
    iterations: int | None,
    thorough: bool,
    data_dir: Path | None,
    workers: Workers,
    format_: str,
) -> None:
    """Compare every optimiser with the reference.

    The reference is plain float64 NumPy; the command exits with 1 where an implementation deviates from it. In
    float64 losses, step sizes and weights must agree over all iterations, to 1e-9 or, where that is more, to ten
    times what another rounding of the weights does to the reference; in float32 the final RMS. Two paths are
    judged: fast, the trainer of the benchmark, for perceptrons with derivatives by hand, in tiles; and plain, the
    drop-in class in a loop of its own with automatic differentiation, the batch whole. The data are the real
    Neural-Fly flights where they are on this machine, else the simulated ones, and handwritten digits.

    Without --thorough, a check of an installation in under a minute: every optimiser, backend and path on small
    networks for a few iterations, in float64; float32, convolutions and cross-entropy only where nothing is compiled
    for them, as in PyTorch. It says what it leaves out. With --thorough: 200 iterations on all flights, digits with
    dense layers and convolutions, square loss and cross-entropy (300 of them, 20 iterations), both precisions, and
    hyperparameters and parametrisations beside the defaults.

    \b
    Examples:
      normbench validate
      normbench validate --thorough
      normbench validate --optimiser method1 --backend jax --data-dir ~/neural_fly
      normbench validate --task digits-conv-xent --optimiser agd
    """
    from normbench.campaigns.agreement import ValidationJob
    from normbench.campaigns.engine.engine import results_of

    chosen = options.choose_backends(backends)
    wanted = list(dict.fromkeys(tasks)) or [_flights(data_dir), *(_NETWORKS if thorough else (_KERNELS,))]
    folders = {task: data_dir if get(task).source == _FLIGHTS else None for task in wanted}
    # kernels take half a minute to compile: unasked, only a thorough check has them
    unasked = [] if thorough or tasks else [_KERNELS]
    where = {task: [b for b in chosen if b not in _COMPILING or task not in unasked] for task in wanted}
    for task in wanted:
        click.echo(f"Validating on {task} ({_kind(task)}).", err=True)
    if not thorough:
        click.echo(_left_out(chosen, bool(unasked), iterations), err=True)
    judged = results_of(
        [
            ValidationJob(task, folders[task], key, tuple(where[task]), _scope(task, iterations, thorough))
            for task in wanted
            if where[task]
            for key in dict.fromkeys(optimisers or REFERENCED)
        ],
        workers,
        on_done=lambda job: click.echo(f"  {job.optimiser} judged on {job.task}", err=True),
    )
    agreements = [agreement for group in judged for agreement in group]
    if format_ == "json":
        for agreement in agreements:
            extra = {"data": get(agreement.task).source, "simulated": _is_simulated(agreement.task)}
            click.echo(json.dumps(asdict(agreement) | extra, default=float))
    else:
        for task in (task for task in wanted if where[task]):
            title = f"Largest relative deviation from the reference on {task} ({_kind(task)})"
            console().print(titled(title, _table([a for a in agreements if a.task == task])))
    if not agreements or not all(a.passed for a in agreements):
        raise click.exceptions.Exit(CHECK_FAILED)


def _flights(data_dir: Path | None) -> str:
    """The task of the real flights if their files are at hand, else of the simulated ones."""
    if data_dir is not None:
        try:
            get(_FLIGHTS).dataset(data_dir)
        except DataError as error:
            click.echo(f"No real data: {error}", err=True)
            return _SIMULATED
        return _FLIGHTS
    return _FLIGHTS if data.info(_FLIGHTS).present else _SIMULATED


def _scope(task: str, iterations: int | None, thorough: bool) -> "Scope":
    from normbench.running.validation import Scope

    on_digits = get(task).source == "digits"
    if thorough:
        samples = _FEW_SAMPLES if on_digits else None
        return Scope(iterations or (_FEW_ITERATIONS if on_digits else _ITERATIONS), samples)
    if get(task).family == "convolutional":
        return Scope(iterations or _QUICK_ITERATIONS, _QUICK_KERNEL_SAMPLES, None, False, tuple(_COMPILING))
    return Scope(iterations or _QUICK_ITERATIONS, _QUICK_SAMPLES, _QUICK_HIDDEN, False, tuple(_COMPILING))


def _left_out(chosen: Sequence[str], no_kernels: bool, iterations: int | None) -> str:
    """What the quick check does not see, in one line."""
    missing = [f"more than {iterations or _QUICK_ITERATIONS} iterations", "wider networks on more samples"]
    compiled = " and ".join(title for name, title in _COMPILING.items() if name in chosen)
    if compiled:
        missing.append(f"float32 in {compiled}")
        missing += [f"convolutions and cross-entropy in {compiled}"] if no_kernels else []
    missing.append("other hyperparameters")
    return f"A quick check, without {', '.join(missing)} and other parametrisations: --thorough has them."


def _is_simulated(task: str) -> bool:
    return data.info(get(task).source).simulated


def _kind(task: str) -> str:
    return f"{origin(_is_simulated(task))} data"


def _name(agreement: "Agreement") -> str:
    values = (f"{name} {value}" for name, value in agreement.hyperparameters.items())
    through = [agreement.parametrisation] if agreement.parametrisation else []
    return ", ".join([agreement.optimiser, *values, *through])


def _table(agreements: Sequence["Agreement"]) -> Table:
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
    return table
