"""One run from start to finish: build the problem, train in segments, evaluate between them, read the clock."""

import math
import os
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from itertools import islice
from typing import TypeVar

import numpy as np

from normbench import specs
from normbench.backends.trajectory import Part, Path, Status, Trainer
from normbench.data.cache import cache_folder
from normbench.data.dataset import Dataset
from normbench.errors import BackendUnavailableError, InvalidArgumentError, OutputError
from normbench.machine import variable
from normbench.networks import Loss
from normbench.problems import tasks
from normbench.problems.predictors import trivial_predictors
from normbench.problems.problem import Problem
from normbench.running.batches import batches
from normbench.running.certificate import largest_gain
from normbench.running.request import RunRequest
from normbench.running.result import Curves, Errors, Outcome, RunResult
from normbench.running.schedule import Plateau
from normbench.running.support import check_support
from normbench.specs import BACKENDS
from normbench.writing import probe_folder

CHECKPOINTS = 20


_NO_ERRORS = (Errors(math.nan, math.nan),) * 2

_NEEDS = {"torch": ("torch",), "jax": ("jax", "optax"), "reference": ()}

Result = TypeVar("Result")


def available_backends() -> dict[str, str]:
    """Every backend with the reason why it cannot be used, or an empty string; imports none of them.

    Raises
    ------
    InvalidArgumentError
        If a declared backend does not say what it needs.
    """
    reasons = {}
    for backend in BACKENDS:
        if backend not in _NEEDS:
            raise InvalidArgumentError(f"backend {backend!r} does not say which libraries it needs. Add it to _NEEDS.")
        missing = [name for name in _NEEDS[backend] if find_spec(name) is None]
        remedy = f"{' and '.join(missing)} not installed; pip install 'normbench[{backend}]'"
        reasons[backend] = remedy if missing else ""
    return reasons


def share_compilations() -> None:
    """Keep what JAX compiles in the cache folder, for the other processes of this run and for later ones.

    Call it before JAX is imported. A user's own setting of the same variables stands. Where the folder cannot be
    written nothing is kept; :func:`can_share_compilations` says why.
    """
    if can_share_compilations():
        return
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache_folder() / "jax"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")


def can_share_compilations() -> str:
    """Why what JAX compiles cannot be kept in the cache folder, or an empty string."""
    if variable("JAX_COMPILATION_CACHE_DIR"):
        return ""
    try:
        probe_folder(cache_folder() / "jax")
    except OutputError as error:
        return str(error)
    return ""


def build_trainer(request: RunRequest, problem: Problem) -> Trainer:
    """A trainer of the requested backend, with the data already on the device.

    Raises
    ------
    InvalidArgumentError
        If there is no such backend.
    BackendUnavailableError
        If the backend or the device is missing; the message gives the remedy.
    """
    _require_backend(request.backend)
    hyperparameters, rows = dict(request.hyperparameters), rows_of(request, problem)
    if request.backend == "torch":
        from normbench.torch.benchmark.trainer import TorchTrainer

        return TorchTrainer(
            problem, request.optimiser, hyperparameters, dtype=request.dtype, device=request.device, rows=rows
        )
    if request.backend == "jax":
        from normbench.jax.benchmark.trainer import JaxTrainer

        return JaxTrainer(
            problem,
            request.optimiser,
            hyperparameters,
            iterations=request.iterations,
            dtype=request.dtype,
            device=request.device,
            rows=rows,
        )
    if request.backend == "reference":
        from normbench.reference.trainer import ReferenceTrainer

        return ReferenceTrainer(problem, request.optimiser, hyperparameters, rows=rows)
    raise InvalidArgumentError(f"backend {request.backend!r} is declared and has no trainer. Add it to build_trainer.")


def rows_of(request: RunRequest, problem: Problem) -> np.ndarray | None:
    """Samples of every iteration's batch, shape (iterations, batch_size), or None for full batches."""
    if request.batch_size is None:
        return None
    drawn = batches(len(problem.x_train), request.batch_size, seed=request.seed)
    return np.stack(list(islice(drawn, request.iterations)))


def build_plain_trainer(request: RunRequest, problem: Problem) -> Path:
    """A trainer made of the backend's drop-in class and automatic differentiation, as a user's own loop would be.

    Raises
    ------
    InvalidArgumentError
        If there is no such backend, or it has no drop-in classes: the reference has none.
    BackendUnavailableError
        If the backend is missing.
    """
    _require_backend(request.backend)
    hyperparameters = dict(request.hyperparameters)
    if request.backend == "torch":
        from normbench.torch.benchmark import plain as torch_plain

        return torch_plain.PlainTrainer(
            problem, request.optimiser, hyperparameters, dtype=request.dtype, device=request.device
        )
    if request.backend == "jax":
        from normbench.jax.benchmark import plain as jax_plain

        return jax_plain.PlainTrainer(problem, request.optimiser, hyperparameters, dtype=request.dtype)
    raise InvalidArgumentError(
        f"backend {request.backend!r} has no drop-in classes, so there is no plain trainer of it. Use torch or jax."
    )


def _require_backend(backend: str) -> None:
    reasons = available_backends()
    if backend not in reasons:
        raise InvalidArgumentError(f"no backend {backend!r}; the benchmark knows {', '.join(reasons)}.")
    reason = reasons[backend]
    if reason:
        raise BackendUnavailableError(f"backend {backend!r}: {reason}.")


def problem_of(request: RunRequest, dataset: Dataset) -> Problem:
    """The normalised problem that a request starts from."""
    task = tasks.get(request.task)
    return tasks.problem(
        dataset,
        task.network(dataset, request.layers, request.activation),
        specs.get(request.optimiser).normalisation,
        split=request.split,
        seed=request.seed,
        loss=task.loss,
        hyperparameters=dict(request.hyperparameters),
        initialisation=request.initialisation,
    )


def run(request: RunRequest, dataset: Dataset) -> RunResult:
    """Train as requested and measure; divergence and stalls are results, not exceptions.

    Parameters
    ----------
    request : RunRequest
    dataset : Dataset
        The samples of the task.

    Raises
    ------
    BackendUnavailableError
        If the backend or the device is missing.
    InvalidArgumentError
        If the layers do not fit the data, or the optimiser the network.
    """
    problem = problem_of(request, dataset)
    check_support(specs.get(request.optimiser), problem.network, batch_size=request.batch_size)
    trainer, transfer = _timed(partial(build_trainer, request, problem))
    _, compiling = _timed(trainer.compile)
    plateau = Plateau() if request.schedule == "plateau" else None
    training = evaluating = 0.0
    iteration = 0
    test_iterations, test_loss, elapsed = [], [], []
    errors: list[dict[Part, Errors]] = []
    for target in _checkpoints(request.iterations):
        done, seconds = _timed(partial(trainer.advance, target - iteration))
        training += seconds
        iteration += done
        loss, seconds = _timed(trainer.test_loss)
        evaluating += seconds
        if _needs_outputs(request, problem):
            found, seconds = _timed(partial(_errors, trainer, problem))
            evaluating += seconds
            errors.append(found)
        test_iterations.append(iteration)
        test_loss.append(float(loss))
        elapsed.append(training)
        if plateau and plateau.is_flat(errors[-1][Part.TRAIN].rms if errors else trainer.trajectory().loss[-1]):
            trainer.scale_learning_rate(plateau.factor)
        if iteration < target:
            break
    trajectory = trainer.trajectory()
    diverged = trajectory.status is Status.DIVERGED
    train, test = _NO_ERRORS if diverged else _final(problem, trajectory.loss[-1], test_loss[-1], errors)
    steps = len(trajectory.step_size)
    outcome = Outcome(
        status=str(trajectory.status),
        reason=trajectory.reason,
        unit=dataset.unit,
        predictors=trivial_predictors(dataset, split=request.split, seed=request.seed),
        train_rms=train.rms,
        test_rms=test.rms,
        train_accuracy=train.accuracy if math.isfinite(train.accuracy) else None,
        test_accuracy=test.accuracy if math.isfinite(test.accuracy) else None,
        train_loss=float(trajectory.loss[-1]),
        test_loss=test_loss[-1],
        lipschitz_bound=problem.lipschitz_bound(trajectory.weights),
        lipschitz_measured=largest_gain(problem, trajectory.weights),
        seconds_train=training,
        seconds_compile=compiling,
        seconds_evaluate=evaluating,
        seconds_transfer=transfer,
        seconds_per_iteration=training / steps if steps else math.nan,
        loss_evaluations=int(trajectory.loss_evaluations[-1]),
        gradient_evaluations=int(trajectory.gradient_evaluations[-1]),
        halvings=trajectory.halvings,
        iterations_done=steps,
        curves=Curves(
            loss=tuple(map(float, trajectory.loss)),
            step_size=tuple(map(float, trajectory.step_size)),
            test_iterations=tuple(test_iterations),
            test_loss=tuple(test_loss),
            seconds=tuple(elapsed),
            loss_evaluations=tuple(map(int, trajectory.loss_evaluations)),
            gradient_evaluations=tuple(map(int, trajectory.gradient_evaluations)),
            **{
                f"{part}_{name}": tuple(getattr(found[part], name) for found in errors)
                for part in Part
                for name in ("rms", "accuracy")
            },
        ),
    )
    return RunResult(outcome, trajectory)


def _needs_outputs(request: RunRequest, problem: Problem) -> bool:
    """True where the losses along the run do not tell the errors: classes, cross-entropy, mini-batches."""
    return problem.classes > 0 or problem.loss is not Loss.SQUARE or request.batch_size is not None


def _errors(trainer: Trainer, problem: Problem) -> dict[Part, Errors]:
    targets = {Part.TRAIN: problem.y_train, Part.TEST: problem.y_test}
    return {part: Errors(*problem.errors(trainer.outputs(part), targets[part])) for part in Part}


def _final(
    problem: Problem, train_loss: float, test_loss: float, errors: list[dict[Part, Errors]]
) -> tuple[Errors, Errors]:
    if errors:
        return errors[-1][Part.TRAIN], errors[-1][Part.TEST]
    return Errors(problem.rms(train_loss), math.nan), Errors(problem.rms(test_loss), math.nan)


def _checkpoints(iterations: int) -> list[int]:
    """0 and up to ``CHECKPOINTS`` evenly spaced iterations, the last one included."""
    return [int(k) for k in np.unique(np.linspace(0, iterations, min(CHECKPOINTS, iterations) + 1).round())]


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start
