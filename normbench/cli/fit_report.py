"""What ``normbench fit`` says of a network: in words and a table, or as one JSON object."""

import math
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from normbench.estimators.from_table import Score, TableFit

_WORDS = {
    "network": "network",
    "linear": "linear least squares",
    "mean": "mean of the outputs",
    "zero": "zero",
    "most frequent": "most frequent class",
}
_FEW = 6  # names that are listed


def print_report(fit: TableFit, saved: Path | None) -> None:
    """Rows and split, errors beside those of trivial predictors, the bound and its proof, and what to do next."""
    from normbench.presentation.tables import Column, number
    from normbench.presentation.terminal import console, plain_table

    for line in _about(fit):
        click.echo(line)
    click.echo("")
    unit = f" in {fit.table.unit}" if fit.table.unit else ""
    measure, digits = ("right", _percent) if fit.table.classes else (f"RMS{unit}", number)
    columns = (
        Column("predictor", lambda line: _WORDS[line[0]], numeric=False),
        Column(f"training {measure}", lambda line: digits(line[1].train)),
        Column(f"test {measure}", lambda line: digits(line[1].test)),
        Column(f"gain per {fit.per}", lambda line: _gain(*line)),
    )
    lines = list(fit.scores.items())
    console().print(plain_table([column for column in columns if column.says(lines)], lines))
    click.echo("")
    for line in (*_proof(fit), *_next(fit, saved)):
        click.echo(line)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if math.isfinite(share) else ""


def _gain(name: str, score: Score) -> str:
    if score.gain is None:
        return ""
    return f"at most {_up(score.gain)}" if name == "network" else f"{score.gain:.4g}"


def _up(bound: float) -> str:
    """Four digits, rounded up, so that what is shown holds too."""
    if bound == 0.0:
        return "0"
    unit = 10.0 ** (math.floor(math.log10(bound)) - 3)
    return f"{math.ceil(bound / unit) * unit:.4g}"


def _about(fit: TableFit) -> Iterator[str]:
    table, split = fit.table, fit.split
    kind = f"{len(table.classes)} classes of {table.output_names[0]}" if table.classes else _names(table.output_names)
    files = f", {len(table.files)} files" if len(table.files) > 1 else ""
    yield f"{table.name}{files}: {len(table.inputs):,} rows; {_names(table.input_names)} to {kind}."
    if table.weight is not None:
        yield f"Rows count by {table.weight_name}, in training and in errors."
    if fit.rule == "none":
        yield f"Trained on all {len(split.train):,} rows, so that nothing says how it does on others."
        return
    how = {"random": "single rows at random", "blocked": "whole blocks of time", "grouped": "whole groups"}[fit.rule]
    groups = f": {_names(held_out(fit), 'group')}" if fit.rule == "grouped" else ""
    yield f"Trained on {len(split.train):,} rows, tested on {len(split.test):,}, held out as {how}{groups}."


def held_out(fit: TableFit) -> list[str]:
    """The groups that were not trained on."""
    if fit.rule != "grouped" or fit.table.flight is None:
        return []
    names = fit.table.groups or tuple(file.name for file in fit.table.files)
    return [names[k] for k in sorted(set(fit.table.flight[fit.split.test].tolist()))]


def _names(names: Any, word: str = "column") -> str:
    listed = ", ".join(names[:_FEW])
    return listed if len(names) <= _FEW else f"{len(names)} {word}s ({listed}, ...)"


def _proof(fit: TableFit) -> Iterator[str]:
    model, unit = fit.model, f" {fit.table.unit}" if fit.table.unit and not fit.table.classes else ""
    what = "logits" if fit.table.classes else "outputs"
    change, distances = "unit of change of the inputs", "units of the inputs"
    if model.inputs == "standardised":
        change, distances = "standard deviation of change", "standard deviations"
    yield (
        f"Proven, for all inputs: {what} change by at most {_up(model.lipschitz_bound_)}{unit} per {change} "
        f"(asked for: {model.lipschitz:.4g}; by {model.certificate_.kind})."
    )
    if model.inputs == "standardised":
        yield f"Of inputs as they stand in the table: by at most {_up(fit.over_inputs)}{unit} per unit."
    if fit.radius is not None:
        yield f"Half of the test rows keep their class under any change by less than {fit.radius:.4g} {distances}."
    if len(fit.test_rms) > 1:
        errors = (f"{name} {rms:.4g}" for name, rms in zip(fit.table.output_names, fit.test_rms, strict=True))
        yield f"Test RMS of each output: {', '.join(errors)}."
    optimiser, backend = (model.provenance_[name] for name in ("optimiser", "backend"))
    yield f"{model.n_iter_} {fit.iterations} of {optimiser} ({backend}) in {fit.seconds:.1f} s."


def _next(fit: TableFit, saved: Path | None) -> Iterator[str]:
    if saved is None:
        yield "Nothing is stored. Add --save net.npz to keep the network and its proof."
        return
    yield f"Saved: {saved}"
    yield f"Check its proof:  {shlex.join(['normbench', 'certify', str(saved)])}"
    yield f"Use it in Python: normbench.{type(fit.model).__name__}.load({str(saved)!r}).predict(X)"


def fields_of(fit: TableFit, saved: Path | None) -> dict[str, Any]:
    """Everything that the report says, for JSON; what is not known is null."""
    table, model = fit.table, fit.model
    return {
        "table": table.name,
        "files": [str(file) for file in table.files],
        "rows": len(table.inputs),
        "inputs": list(table.input_names),
        "outputs": list(table.output_names),
        "classes": list(table.classes),
        "unit": table.unit,
        "weights": table.weight_name,
        "split": fit.rule,
        "rows_train": len(fit.split.train),
        "rows_test": len(fit.split.test),
        "groups_test": held_out(fit),
        "measure": "accuracy" if table.classes else "rms",
        "scores": {
            name: {"train": _finite(score.train), "test": _finite(score.test), "gain": score.gain}
            for name, score in fit.scores.items()
        },
        "test_rms": dict(zip(table.output_names, fit.test_rms, strict=False)),
        "lipschitz": model.lipschitz,
        "bound": model.lipschitz_bound_,
        "bound_per": fit.per,
        "bound_over_inputs": fit.over_inputs,
        "certified_by": model.certificate_.kind,
        "certified_radius": fit.radius,
        "iterations": model.n_iter_,
        "converged": fit.converged,
        "seconds": fit.seconds,
        "remarks": list(fit.remarks),
        "saved": None if saved is None else str(saved),
        "made_by": dict(model.provenance_),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
