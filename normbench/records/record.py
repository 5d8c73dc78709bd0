"""The record of one run: its fields, its identity and checksum, and how it is written as strict JSON.

Not-a-number and infinity are stored as ``null``, because JSON has neither, and read back as NaN.
"""

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from normbench.records.identity import checksum, identify, identity_fields, plain
from normbench.running.request import Asked
from normbench.specs import Value

SCHEMA_VERSION = 4
CHECKSUM = "checksum"  # its key in a file


@dataclass(frozen=True)
class Curves:
    """What a run did over its iterations.

    Attributes
    ----------
    loss : tuple of float
        Normalised training loss before each iteration and after the last.
    step_size : tuple of float
        The optimiser's own step, one per iteration.
    test_iterations : tuple of int
    test_loss : tuple of float
        Normalised test loss after those iterations.
    seconds : tuple of float
        Seconds of training up to those iterations.
    loss_evaluations, gradient_evaluations : tuple of int
        Passes over the training set made by the time each entry of ``loss`` was known.
    train_rms, test_rms, train_accuracy, test_accuracy : tuple of float
        Errors after ``test_iterations`` in the unit of the record, where the losses do not tell them: for classes, for
        cross-entropy and with mini-batches.
    """

    loss: tuple[float, ...] = ()
    step_size: tuple[float, ...] = ()
    test_iterations: tuple[int, ...] = ()
    test_loss: tuple[float, ...] = ()
    seconds: tuple[float, ...] = ()
    loss_evaluations: tuple[int, ...] = ()
    gradient_evaluations: tuple[int, ...] = ()
    train_rms: tuple[float, ...] = ()
    test_rms: tuple[float, ...] = ()
    train_accuracy: tuple[float, ...] = ()
    test_accuracy: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Record(Asked[dict[str, Value]]):
    """One run, finished or not. Figures that do not exist (a diverged run has no RMS) are NaN.

    Attributes
    ----------
    task, split, layers, optimiser, ...
        What was asked for, declared in :class:`normbench.running.request.Asked`.
    simulated : bool
        True if a simulator made the data.
    status : str
        "done", "stalled", "diverged" or "failed"; ``reason`` says why where it is not "done".
    train_rms, test_rms : float
        Root-mean-square error norm after the last iteration, in ``unit``; of probabilities for classes.
    train_accuracy, test_accuracy : float
        Share of samples classified rightly; None for regression, and where the run diverged.
    train_loss, test_loss : float
        The same in normalised units, as the optimiser saw it.
    lipschitz_bound : float
        prod ||W_i||_op after the last iteration, in ``unit`` per unit-norm input.
    lipschitz_measured : float
        Largest ||f(x) - f(x')|| / ||x - x'|| over many pairs, in the same unit; a lower estimate of
        what the bound bounds.
    seconds_train, seconds_compile, seconds_evaluate, seconds_transfer, seconds_per_iteration : float
    loss_evaluations, gradient_evaluations, halvings, iterations_done : int
    tuning_runs : int
        Runs that the choice of the hyperparameters cost; 0 for defaults. No part of the identity.
    data_sha256, code_version : str
    threads : int
        Threads that the run was allowed.
    predictors : mapping of str to mapping of str to float
        RMS of the trivial predictors on this run's split: ``{"zero": {"train": ..., "test": ...}, ...}``.
    curves : Curves
    environment : mapping of str to str
    created : str
        UTC, ISO 8601.
    schema_version : int
    """

    simulated: bool
    status: str
    train_rms: float
    test_rms: float
    train_loss: float
    test_loss: float
    unit: str
    lipschitz_bound: float
    lipschitz_measured: float
    seconds_train: float
    seconds_compile: float
    seconds_evaluate: float
    seconds_transfer: float
    seconds_per_iteration: float
    loss_evaluations: int
    gradient_evaluations: int
    halvings: int
    iterations_done: int
    tuning_runs: int
    data_sha256: str
    code_version: str
    reason: str
    threads: int
    predictors: dict[str, dict[str, float]]
    curves: Curves
    environment: dict[str, str]
    created: str
    train_accuracy: float | None = None
    test_accuracy: float | None = None
    schema_version: int = SCHEMA_VERSION

    @cached_property
    def record_id(self) -> str:
        """Content hash of everything that determines the run's numbers, see :func:`identify`."""
        return identify({name: getattr(self, name) for name in identity_fields()})

    @cached_property
    def checksum(self) -> str:
        """SHA-256 over every field, which files of records carry beside the fields."""
        return checksum(self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """Every field in plain types that strict JSON can hold."""
        return plain(asdict(self))

    def to_json(self) -> str:
        """The record and its checksum as one JSON object, NaN and infinity as null."""
        fields = {CHECKSUM: self.checksum} | self.as_dict()
        return json.dumps(fields, allow_nan=False, indent=1, ensure_ascii=False) + "\n"
