"""From the result of a run, or from what went wrong with it, to its record."""

import math
from datetime import UTC, datetime
from typing import Any

from normbench.backends.trajectory import Part, Status
from normbench.data.dataset import Dataset
from normbench.problems.predictors import trivial_predictors
from normbench.records.schema import Curves, Record, identify
from normbench.records.versions import code_version, environment
from normbench.running.request import RunRequest
from normbench.running.result import RunResult

_LONGEST_REASON = 2000


def request_id(request: RunRequest, data_sha256: str) -> str:
    """Identity that the record of this request has under the present code."""
    return identify(request.as_dict() | {"data_sha256": data_sha256, "code_version": code_version(request.backend)})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _known(share: float) -> float | None:
    return share if math.isfinite(share) else None


def _legible(reason: str) -> str:
    """The reason as a record may hold it: of bounded length, every character one that can be printed."""
    kept = "".join(char if char in "\n\t" or char.isprintable() else "?" for char in reason)
    return kept if len(kept) <= _LONGEST_REASON else f"{kept[:_LONGEST_REASON]} ..."


def _asked(request: RunRequest) -> dict[str, Any]:
    return request.as_dict() | {"layers": request.layers}


def finished_record(result: RunResult, dataset: Dataset, *, tuning_runs: int, jobs: int) -> Record:
    """Record of a run that returned, however it ended.

    Parameters
    ----------
    result : RunResult
    dataset : Dataset
        What the run was trained on.
    tuning_runs : int
        Runs that the choice of the hyperparameters cost.
    jobs : int
        Runs that were allowed at the same time; stored with the environment because it bears on the seconds.
    """
    request, trajectory, clock = result.request, result.trajectory, result.clock
    done = len(trajectory.step_size)
    return Record(
        **_asked(request),
        simulated=result.simulated,
        status=str(trajectory.status),
        train_rms=result.train_rms,
        test_rms=result.test_rms,
        train_accuracy=_known(result.train_accuracy),
        test_accuracy=_known(result.test_accuracy),
        train_loss=float(trajectory.loss[-1]),
        test_loss=float(result.test_loss[-1]) if len(result.test_loss) else math.nan,
        unit=result.unit,
        lipschitz_bound=result.lipschitz_bound,
        lipschitz_measured=result.lipschitz_measured,
        seconds_train=clock.train,
        seconds_compile=clock.compile,
        seconds_evaluate=clock.evaluate,
        seconds_transfer=clock.transfer,
        seconds_per_iteration=result.seconds_per_iteration,
        loss_evaluations=int(trajectory.loss_evaluations[-1]),
        gradient_evaluations=int(trajectory.gradient_evaluations[-1]),
        halvings=trajectory.halvings,
        iterations_done=done,
        tuning_runs=tuning_runs,
        data_sha256=result.data_sha256,
        code_version=code_version(request.backend),
        reason=_legible(trajectory.reason),
        threads=result.threads,
        predictors=trivial_predictors(dataset, split=request.split, seed=request.seed),
        curves=Curves(
            loss=tuple(map(float, trajectory.loss)),
            step_size=tuple(map(float, trajectory.step_size)),
            test_iterations=tuple(map(int, result.test_iterations)),
            test_loss=tuple(map(float, result.test_loss)),
            seconds=tuple(map(float, result.seconds)),
            loss_evaluations=tuple(map(int, trajectory.loss_evaluations)),
            gradient_evaluations=tuple(map(int, trajectory.gradient_evaluations)),
            train_rms=tuple(found[Part.TRAIN].rms for found in result.errors),
            test_rms=tuple(found[Part.TEST].rms for found in result.errors),
            train_accuracy=tuple(found[Part.TRAIN].accuracy for found in result.errors),
            test_accuracy=tuple(found[Part.TEST].accuracy for found in result.errors),
        ),
        environment=environment(request.backend, request.device) | {"jobs": str(jobs)},
        created=_now(),
    )


def failed_record(
    request: RunRequest, dataset: Dataset, *, reason: str, tuning_runs: int, jobs: int, threads: int
) -> Record:
    """Record of a run that raised an exception or whose process died: every figure is NaN, ``reason`` says why."""
    nothing = math.nan
    return Record(
        **_asked(request),
        simulated=dataset.simulated,
        status=str(Status.FAILED),
        train_rms=nothing,
        test_rms=nothing,
        train_loss=nothing,
        test_loss=nothing,
        unit=dataset.unit,
        lipschitz_bound=nothing,
        lipschitz_measured=nothing,
        seconds_train=nothing,
        seconds_compile=nothing,
        seconds_evaluate=nothing,
        seconds_transfer=nothing,
        seconds_per_iteration=nothing,
        loss_evaluations=0,
        gradient_evaluations=0,
        halvings=0,
        iterations_done=0,
        tuning_runs=tuning_runs,
        data_sha256=dataset.sha256,
        code_version=code_version(request.backend),
        reason=_legible(reason),
        threads=threads,
        predictors=trivial_predictors(dataset, split=request.split, seed=request.seed),
        curves=Curves(),
        environment=environment(request.backend, request.device) | {"jobs": str(jobs)},
        created=_now(),
    )
