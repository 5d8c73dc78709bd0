"""``normbench certify``: the Lipschitz bound of stored weights, and whether the witness beside them proves its own."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from normbench.cli import options
from normbench.cli.choices import Choice
from normbench.cli.errors import CHECK_FAILED
from normbench.errors import CertificateError
from normbench.networks.activations import ACTIVATIONS

if TYPE_CHECKING:
    from normbench.certificates import Certificate, Certification
    from normbench.certificates.stored import StoredNetwork

_DIGITS = 7
_SPEED = 1e10  # operations a second that are counted on, as certify does


@dataclass(frozen=True, eq=False)
class _Outcome:
    """What was found out about a file."""

    computed: "Certification"
    witness: "Certificate | None"  # the stored one, if it holds
    wrong: str  # why the stored one does not hold; empty if it does, or if there is none
    asked: float | None
    gain: float | None  # the largest that was found; None if none was looked for
    stored: "StoredNetwork"
    sha256: str

    @property
    def certificate(self) -> "Certificate":
        """The tightest that is proven."""
        found = [self.computed.certificate, *([self.witness] if self.witness else [])]
        return min(found, key=lambda certificate: certificate.bound)

    @property
    def holds(self) -> bool:
        """True if nothing stored or asked for is wrong."""
        return not self.wrong and (self.asked is None or self.certificate.bound <= self.asked)


@click.command("certify")
@click.argument("file", type=options.UserPath(exists=True, dir_okay=False))
@click.option("--lipschitz", type=options.POSITIVE, default=None, help="Bound that must hold; else the file's own.")
@click.option(
    "--activation",
    type=Choice(list(ACTIVATIONS)),
    default=None,
    help="Between the layers.  [default: the file's own, else relu]",
)
@click.option(
    "--time-limit",
    type=options.POSITIVE,
    default=10.0,
    show_default=True,
    help="Seconds for all bounds together; the gain that is looked for beside them has as many.",
)
@click.option("--format", "format_", type=Choice(["table", "json"]), default="table", show_default=True)
def command(*, file: Path, lipschitz: float | None, activation: str | None, time_limit: float, format_: str) -> None:
    """Bound a network's Lipschitz constant and check its witness.

    FILE is an NPZ file of a plain network f(x) = output_scale W_m rho(... rho(W_1 x)): weight_0, weight_1, ..., each
    (fan_out, fan_in), and, if you have them, bias_*, output_scale, input_mean, input_scale, input_spread, activation,
    lipschitz (the bound asked for) and witness_* (a certificate); normbench run --keep-networks and the save method of
    the estimators write such files. Bounds are computed from weights and scales alone. Exits with 1 where a stored
    witness does not prove its bound, or the bound asked for is not proven.

    \b
    Examples:
      normbench certify net.npz
      normbench certify net.npz --lipschitz 20 --activation tanh
    """
    from normbench.certificates import certify
    from normbench.certificates.stored import read
    from normbench.exports import sha256

    stored = read(file, activation)
    computed = certify(
        stored.weights, activation=stored.activation, output_scale=stored.gain_scale, time_limit=time_limit
    )
    witness, wrong = _checked(stored)
    asked = stored.lipschitz if lipschitz is None else lipschitz
    gain = _gain(stored) if _seconds_of_gain(stored) <= time_limit else None
    outcome = _Outcome(computed, witness, wrong, asked, gain, stored, sha256(stored))
    if format_ == "json":
        click.echo(json.dumps(_fields(outcome), allow_nan=False))
    else:
        _print(outcome)
    if not outcome.holds:
        raise click.exceptions.Exit(CHECK_FAILED)


def _checked(stored: "StoredNetwork") -> "tuple[Certificate | None, str]":
    """The stored certificate if it holds, else why it does not; nothing where there is none."""
    from normbench.certificates import from_arrays, verify

    if not stored.witness:
        return None, ""
    try:
        certificate = from_arrays(stored.witness)
        verify(stored.weights, certificate, activation=stored.activation, output_scale=stored.gain_scale)
    except CertificateError as error:
        return None, str(error)
    return certificate, ""


def _gain(stored: "StoredNetwork") -> float:
    from normbench.certificates import largest_gain

    return largest_gain(
        stored.weights, activation=stored.activation, output_scale=stored.least_gain_scale, biases=stored.biases
    )


def _seconds_of_gain(stored: "StoredNetwork") -> float:
    """What :func:`normbench.certificates.largest_gain` takes, nearly all of it for Jacobians of every layer."""
    points, steps = 256, 20
    sides = min(stored.weights[0].shape[1], len(stored.weights[-1]))
    return points * steps * 2.0 * sides * sum(weight.size for weight in stored.weights) / _SPEED


def _print(outcome: _Outcome) -> None:
    from normbench.presentation.terminal import console, plain_table

    table = plain_table()
    for header, side in (
        ("bound by", "left"),
        ("at most", "right"),
        ("product over it", "right"),
        ("seconds", "right"),
    ):
        table.add_column(header, justify="right" if side == "right" else "left", no_wrap=True)
    table.add_column("note", overflow="fold")
    for row in _rows(outcome):
        table.add_row(*row)
    console().print(table)
    for line in _verdicts(outcome):
        click.echo(line)


def _rows(outcome: _Outcome) -> Iterator[tuple[str, ...]]:
    product = outcome.computed.attempts[0].certificate
    for attempt in outcome.computed.attempts:
        made = attempt.certificate
        if made is None:
            yield attempt.kind, "", "", "", attempt.note
            continue
        tighter = f"{product.bound / made.bound:.2f}" if product and 0.0 < made.bound < math.inf else ""
        yield attempt.kind, _ceiling(made.bound), tighter, f"{made.seconds:.3f}", attempt.note
    if outcome.witness:
        yield f"{outcome.witness.kind}, as stored", _ceiling(outcome.witness.bound), "", "", ""


def _verdicts(outcome: _Outcome) -> Iterator[str]:
    from normbench.certificates.stored import INPUT_MAPS

    best = outcome.certificate
    yield f"Proven: ||f(x) - f(x')|| <= {_ceiling(best.bound)} ||x - x'|| for all x and x', by {best.kind}."
    if outcome.stored.input_map != "affine":
        yield f"There x stands for the mapped input, {INPUT_MAPS[outcome.stored.input_map]}."
    if outcome.stored.input_spread is not None:
        yield "There x stands for x / input_spread: every input in a unit of its own, mostly its standard deviation."
        over_inputs = outcome.stored.over_inputs(best.bound)
        yield f"With x as it stands: at most {_ceiling(over_inputs)}, by the smallest of these units."
    if outcome.gain is None:
        seconds = float(f"{_seconds_of_gain(outcome.stored):.2g}")
        yield f"No gain was looked for, below which no bound can be: about {seconds:g} s. Raise --time-limit for it."
    else:
        yield f"No bound is below {outcome.gain:.{_DIGITS}g}: so large is the gain at a point that was found."
    if outcome.witness:
        yield f"The stored witness proves its bound, {_ceiling(outcome.witness.bound)}."
    if outcome.wrong:
        yield f"WRONG: of what is stored, {outcome.wrong}"
    if outcome.asked is not None:
        asked = f"bound asked for is {outcome.asked:.{_DIGITS}g}"
        yield f"The {asked}; it holds." if best.bound <= outcome.asked else f"NOT PROVEN: the {asked}."
    yield f"SHA-256 of the network, its proof aside: {outcome.sha256}"


def _ceiling(bound: float) -> str:
    """Rounded up, so that what is shown holds too."""
    if not math.isfinite(bound):
        return "inf"
    return f"{float(Context(prec=_DIGITS, rounding=ROUND_CEILING).create_decimal(Decimal(bound))):.{_DIGITS}g}"


def _fields(outcome: _Outcome) -> dict[str, Any]:
    """One object; a bound beyond float64 is null, and a gain that was not looked for."""
    return {
        "bound": _finite(outcome.certificate.bound),
        "bound_over_inputs": _finite(outcome.stored.over_inputs(outcome.certificate.bound)),
        "kind": outcome.certificate.kind,
        "asked": outcome.asked,
        "input_map": outcome.stored.input_map,
        "largest_gain": outcome.gain,
        "sha256": outcome.sha256,
        "holds": outcome.holds,
        "witness": {"kind": outcome.witness.kind, "bound": _finite(outcome.witness.bound)} if outcome.witness else None,
        "wrong": outcome.wrong or None,
        "bounds": [
            {
                "kind": attempt.kind,
                "bound": _finite(attempt.certificate.bound) if attempt.certificate else None,
                "gap": attempt.certificate.gap if attempt.certificate else None,
                "seconds": attempt.certificate.seconds if attempt.certificate else None,
                "note": attempt.note or None,
            }
            for attempt in outcome.computed.attempts
        ],
    }


def _finite(bound: float) -> float | None:
    return bound if math.isfinite(bound) else None
