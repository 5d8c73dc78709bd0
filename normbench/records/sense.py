"""Whether the values of a record can be true: ranges, known states, curves of the lengths that their run has.

That the measured gain lies below the bound is no condition: a record that says otherwise is shown, with a warning.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from itertools import repeat
from operator import le, lt
from typing import Any

from normbench.backends.trajectory import Status
from normbench.problems.predictors import NAMES
from normbench.records.record import Record, stored_fields
from normbench.records.strict_json import brief
from normbench.running.request import axes
from normbench.running.result import Curves

LONGEST_TEXT = 10_000
_PER_LOSS = ("loss_evaluations", "gradient_evaluations")
_PER_CHECKPOINT = ("test_loss", "seconds", "train_rms", "test_rms", "train_accuracy", "test_accuracy")
_SIGNED = ("step_size",)  # the other curves are never negative
_WITH_LINES = ("reason",)


def objections(record: Record) -> Iterator[str]:
    """What cannot be so: each names its field and value."""
    values = record.flat()
    least = {"threads": 1} | {axis.name: axis.at_least for axis in axes() if axis.at_least is not None}
    for f in stored_fields():
        value = values[f.name]
        if isinstance(value, str):
            yield from _text(f.name, value)
        elif isinstance(value, dict) and f.name != "predictors":
            for text in (part for item in value.items() for part in item if isinstance(part, str)):
                yield from _text(f.name, text)
        elif isinstance(value, int | float):
            largest = 1.0 if f.name.endswith("accuracy") else math.inf
            yield from _number(f.name, value, least=least.get(f.name, 0), largest=largest)
    for name in (axis.name for axis in axes() if axis.positive):
        if values[name] is not None and values[name] <= 0:
            yield f"field {name!r} must be positive; got {brief(values[name])}"
    if record.outcome.status not in list(Status):
        yield f"field 'status' is {brief(record.outcome.status)}; known are {', '.join(Status)}"
    if len(record.request.layers) < 2 or min(record.request.layers) < 1:
        yield f"field 'layers' must be two positive widths or more; got {brief(record.request.layers)}"
    if record.outcome.iterations_done > record.request.iterations:
        yield f"field 'iterations_done' is {record.outcome.iterations_done}, of {record.request.iterations} iterations"
    yield from _predictors(record)
    yield from _curves(record)
    yield from _created(record.provenance.created)


def _text(name: str, value: str) -> Iterator[str]:
    if len(value) > LONGEST_TEXT:
        yield f"field {name!r} has {len(value)} characters; at most {LONGEST_TEXT} are read"
    elif not legible(value, lines=name in _WITH_LINES):
        yield f"field {name!r} holds characters that cannot be printed: {brief(value)}"


def legible(text: str, *, lines: bool) -> bool:
    """True if every character can be printed; line ends and tabs only where ``lines`` may be."""
    return (text.replace("\n", "").replace("\t", "") if lines else text).isprintable()


def _number(name: str, value: float, *, least: int, largest: float) -> Iterator[str]:
    if value < least or value > largest:  # NaN stands for no figure
        yield f"field {name!r} must lie in [{least}, {largest:g}]; got {brief(value)}"


def _predictors(record: Record) -> Iterator[str]:
    wanted = NAMES[:2]  # a linear fit is not for tokens
    for name in wanted:
        if name not in record.outcome.predictors:
            yield f"field 'predictors' lacks {name!r}"
    for name, figures in record.outcome.predictors.items():
        for part in ("train", "test"):
            if not figures.get(part, math.nan) >= 0:
                yield f"field 'predictors': {brief(name)} has no {part} RMS of at least 0: {brief(figures)}"
        for part, value in figures.items():
            if not (value >= 0 or math.isnan(value)) or (part.endswith("accuracy") and value > 1):
                yield f"field 'predictors': {brief(name)} has {brief(part)} {value}"


def _curves(record: Record) -> Iterator[str]:
    curves, done = record.outcome.curves, record.outcome.iterations_done
    losses, checkpoints = len(curves.loss), len(curves.test_iterations)
    yield from _length(curves, ("loss",), done + 1)
    yield from _length(curves, ("step_size",), done)
    yield from _length(curves, _PER_LOSS, losses)
    yield from _length(curves, _PER_CHECKPOINT, checkpoints)
    for f in fields(Curves):
        if f.name not in _SIGNED and any(map(lt, getattr(curves, f.name), repeat(0))):
            yield f"field 'curves': {f.name} has a negative entry"
    for name in ("test_iterations", *_PER_LOSS):
        if not _rises(getattr(curves, name)):
            yield f"field 'curves': {name} falls"
    if checkpoints and curves.test_iterations[-1] > done:
        yield f"field 'curves': test_iterations goes to {curves.test_iterations[-1]}, of {done} iterations"


def _length(curves: Curves, names: Sequence[str], wanted: int) -> Iterator[str]:
    """Empty curves are those that an earlier schema or another kind of run does not have."""
    for name in names:
        found = len(getattr(curves, name))
        if found not in (0, wanted):
            yield f"field 'curves': {name} has {found} entries where the run has {wanted}"


def _rises(values: Sequence[Any]) -> bool:
    return all(map(le, values, values[1:]))


def _created(text: str) -> Iterator[str]:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        yield f"field 'created' must be a date of ISO 8601; got {brief(text)}"
