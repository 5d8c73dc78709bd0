"""One run from start to finish: build the problem, train in segments, evaluate between them, read the clock."""

import math
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import TypeVar

import numpy as np

from normbench import backends, specs
from normbench.backends import Start
from normbench.backends.trajectory import Part, Path, Status, Trainer
from normbench.data.dataset import Dataset
from normbench.errors import InvalidArgumentError, argument
from normbench.networks import Loss
from normbench.problems import tasks
from normbench.problems.predictors import trivial_predictors
from normbench.problems.problem import Problem
from normbench.running.batches import batches
from normbench.running.certificate import largest_gain
from normbench.running.devices import check_samples
from normbench.running.export import exported
from normbench.running.feed import feed_of, is_fed
from normbench.running.request import RunRequest
from normbench.running.result import Curves, Errors, Outcome, RunResult
from normbench.running.schedule import schedule
from normbench.running.start import bounded_start, check_range
from normbench.running.support import check_support

CHECKPOINTS = 20
_NO_ERRORS = (Errors(math.nan, math.nan),) * 2

Result = TypeVar("Result")


def build_trainer(request: RunRequest, problem: Problem) -> Trainer:
    """A trainer of the requested backend, with the data already on the device.

    Raises
    ------
    InvalidArgumentError
        If there is no such backend.
    BackendUnavailableError
        If the backend or the device is missing; the message gives the remedy.
    """
    return backends.usable(request.backend).trainer.build(_start(request, problem))


def build_plain_trainer(request: RunRequest, problem: Problem) -> Path:
    """A trainer made of the backend's drop-in class and automatic differentiation, as a user's own loop would be.

    Raises
    ------
    InvalidArgumentError
        If there is no such backend, or it has no drop-in classes.
    BackendUnavailableError
        If the backend is missing.
    """
    backend = backends.usable(request.backend)
    if backend.plain is None:
        others = " or ".join(other.name for other in backends.every() if other.plain)
        raise InvalidArgumentError(
            f"backend {backend.name!r} has no drop-in classes, so there is no plain trainer of it. Use {others}."
        )
    if request.devices > 1:
        raise InvalidArgumentError(
            f"the plain trainer computes on one device; got {argument('devices', request.devices)}."
        )
    return backend.plain.build(_start(request, problem))


def _start(request: RunRequest, problem: Problem) -> Start:
    check_samples(request.devices, len(problem.x_train))
    return Start(
        problem=problem,
        optimiser=request.optimiser,
        hyperparameters=dict(request.hyperparameters),
        iterations=request.iterations,
        dtype=request.dtype,
        device=request.device,
        rows=rows_of(request, problem),
        feed=feed_of(request, problem),
        parametrisation=request.parametrisation,
        devices=request.devices,
    )


def rows_of(request: RunRequest, problem: Problem) -> np.ndarray | None:
    """Samples of every iteration's batch, shape (iterations, batch_size); None for full batches, or with a feed."""
    if request.batch_size is None or is_fed(request.augmentation, problem.x_train):
        return None
    drawn = batches(len(problem.x_train), request.batch_size, seed=request.seed)
    return np.stack(list(islice(drawn, request.iterations)))


def problem_of(request: RunRequest, dataset: Dataset) -> Problem:
    """The normalised problem that a request starts from.

    At a bound the weights are those of :func:`normbench.running.start.bounded_start`.
    """
    task = tasks.get(request.task)
    found = tasks.problem(
        dataset,
        task.network(dataset, request.layers, request.activation),
        specs.get(request.optimiser).normalisation,
        split=request.split,
        seed=request.seed,
        loss=task.loss,
        hyperparameters=dict(request.hyperparameters),
        initialisation=request.initialisation,
        lipschitz=request.lipschitz,
        output_scale=request.output_scale,
        judged_on=request.judged_on,
    )
    if request.output_scale is not None:
        check_range(found, request.dtype, output_scale=request.output_scale)
    if request.lipschitz is None:
        return found
    check_range(found, request.dtype, lipschitz=request.lipschitz)
    return bounded_start(found, specs.get(request.optimiser), request.parametrisation)


def predictors_of(request: RunRequest, dataset: Dataset) -> dict[str, dict[str, float]]:
    """The trivial predictors on the parts that the request trains and is judged on."""
    return trivial_predictors(dataset, split=request.split, seed=request.seed, judged_on=request.judged_on)


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
    check_support(
        specs.get(request.optimiser),
        problem.network,
        loss=problem.loss,
        batch_size=request.batch_size,
        parametrisation=request.parametrisation,
        bounded=request.lipschitz is not None,
    )
    trainer, transfer = _timed(partial(build_trainer, request, problem))
    _, compiling = _timed(trainer.compile)
    checkpoints = _checkpoints(request.iterations)
    decay = schedule(request.schedule, stairs=len(checkpoints) - 1)
    training = evaluating = 0.0
    iteration = 0
    test_iterations, test_loss, elapsed = [], [], []
    errors: list[dict[Part, Errors]] = []
    for target in checkpoints:
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
        if decay:
            factor = decay.factor_at(lambda: errors[-1][Part.TRAIN].rms if errors else trainer.trajectory().loss[-1])
            if factor != 1.0:
                trainer.scale_learning_rate(factor)
        if iteration < target:
            break
    trajectory = trainer.trajectory()
    diverged = trajectory.status is Status.DIVERGED
    train, test = _NO_ERRORS if diverged else _final(problem, trajectory.loss[-1], test_loss[-1], errors)
    steps = len(trajectory.step_size)
    export = exported(request, problem, trajectory)
    outcome = Outcome(
        status=str(trajectory.status),
        reason=trajectory.reason,
        unit=dataset.unit,
        predictors=predictors_of(request, dataset),
        train_rms=train.rms,
        test_rms=test.rms,
        train_accuracy=train.accuracy if math.isfinite(train.accuracy) else None,
        test_accuracy=test.accuracy if math.isfinite(test.accuracy) else None,
        train_loss=float(trajectory.loss[-1]),
        test_loss=test_loss[-1],
        lipschitz_bound=problem.lipschitz_bound(trajectory.weights),
        lipschitz_certificate=export.certificate.bound if export else math.nan,
        certified_by=export.certificate.kind if export else "",
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
    return RunResult(outcome, trajectory, export.network if export else None)


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
