"""The record of one run: what was asked for, how it ended and where its numbers come from; written as strict JSON.

Files and tables hold the fields of the three parts side by side. Not-a-number and infinity are stored as ``null``,
because JSON has neither, and read back as NaN.
"""

from dataclasses import Field, dataclass, field, fields
from functools import cached_property
from typing import Any, NamedTuple

from normbench.records.identity import checksum, identify, plain
from normbench.records.plug_ins import declared
from normbench.records.strict_json import indented
from normbench.running.request import RunRequest
from normbench.running.result import Outcome
from normbench.specs import OptimiserSpec

SCHEMA_VERSION = 7
VERSION = "schema_version"  # the keys of a file that are no fields
CHECKSUM = "checksum"


class Tuned(NamedTuple):
    """What the choice of hyperparameters cost and covered; the defaults are of a run whose values nobody chose."""

    tuning_runs: int = 0
    tuning_low: float | None = None
    tuning_high: float | None = None
    tuning_second_runs: int = 0
    tuning_second_low: float | None = None
    tuning_second_high: float | None = None

    @property
    def of_two(self) -> bool:
        """True if a second hyperparameter was searched, too."""
        return self.tuning_second_low is not None


UNTUNED = Tuned()


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where the numbers of a record come from: data, code, machine.

    Attributes
    ----------
    simulated : bool
        True if a simulator made the data.
    data_sha256, code_version : str
    tuning_runs : int
        Runs that the choice of the hyperparameters cost, of two both searches; 0 for defaults. No part of the identity.
    tuning_low, tuning_high : float or None
        Smallest and largest value that the search tried on its validation part; of values of several numbers their
        places in the grid, from 0. None where there was no search, or one of before schema 6: on the declared grid, by
        the training error of one seed.
    tuning_second_runs : int
        Those among ``tuning_runs`` that the search for the second hyperparameter added.
    tuning_second_low, tuning_second_high : float or None
        Smallest and largest value that it tried; None where only the first was searched. A run without ``tuning_runs``
        has them where it was made for a choice that no longer stands.
    given : bool
        True if the user gave the value of a hyperparameter that searches choose: the run stands for itself.
    plug_in : mapping of str to str
        Of an optimiser of another package, see :func:`normbench.records.plug_ins.provenance`; empty for ours.
    threads : int
        Threads that the run was allowed.
    environment : mapping of str to str
    created : str
        UTC, ISO 8601.
    """

    simulated: bool
    data_sha256: str
    code_version: str
    tuning_runs: int
    threads: int
    environment: dict[str, str]
    created: str
    tuning_low: float | None = None
    tuning_high: float | None = None
    tuning_second_runs: int = 0
    tuning_second_low: float | None = None
    tuning_second_high: float | None = None
    given: bool = False
    plug_in: dict[str, str] = field(default_factory=dict)

    @property
    def tuned(self) -> Tuned:
        """What is said of the choice of the hyperparameters."""
        return Tuned(*(getattr(self, name) for name in Tuned._fields))


@dataclass(frozen=True)
class Record:
    """One run, finished or not."""

    request: RunRequest
    outcome: Outcome
    provenance: Provenance

    @cached_property
    def record_id(self) -> str:
        """Content hash of everything that determines the run's numbers, see :func:`identify`."""
        made_with = self.provenance
        return identify(self.request, data_sha256=made_with.data_sha256, code_version=made_with.code_version)

    @cached_property
    def spec(self) -> OptimiserSpec:
        """The declaration of its optimiser: ours, or what the record says of another package's.

        Raises
        ------
        InvalidArgumentError
            If it is neither.
        """
        return declared(self.request.optimiser, self.provenance.plug_in)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 over every field, which files of records carry beside the fields."""
        return checksum(self.as_dict())

    def flat(self) -> dict[str, Any]:
        """Name and value of every field of the three parts, and the version of the schema."""
        parts = (self.request, self.outcome, self.provenance)
        return {f.name: getattr(part, f.name) for part in parts for f in fields(part)} | {VERSION: SCHEMA_VERSION}

    def as_dict(self) -> dict[str, Any]:
        """:meth:`flat` in plain types that strict JSON can hold."""
        return plain(self.flat())

    def to_json(self) -> str:
        """The record and its checksum as one JSON object, NaN and infinity as null."""
        stored = {CHECKSUM: self.checksum} | self.as_dict()
        return indented(stored) + "\n"


PARTS: dict[str, type] = {f.name: f.type for f in fields(Record)}  # type: ignore[misc]


def stored_fields() -> tuple["Field[Any]", ...]:
    """Every field that a file or table of records has, the version of the schema and the checksum apart."""
    return tuple(f for part in PARTS.values() for f in fields(part))
