"""``normbench export``: a stored network as C99 for a controller or as ONNX for a runtime, its bound proven."""

from pathlib import Path

import click

from normbench.cli import options
from normbench.cli.choices import Choice
from normbench.errors import InvalidArgumentError

_DTYPES = ("float32", "float64")  # those of normbench.exports, which --help does not load


@click.command("export")
@click.argument("file", type=options.UserPath(exists=True, dir_okay=False))
@click.option("--c", "c_file", type=options.UserPath(dir_okay=False), help="Write NAME.c, and NAME.h beside it.")
@click.option("--onnx", "onnx_file", type=options.UserPath(dir_okay=False), help="Write an ONNX model.")
@click.option("--dtype", type=Choice(_DTYPES), default=_DTYPES[0], show_default=True, help="Of all numbers.")
def command(*, file: Path, c_file: Path | None, onnx_file: Path | None, dtype: str) -> None:
    """Write a network as C99 or ONNX, its bound proven.

    FILE is an NPZ file as normbench certify takes it: of the save method of the estimators, of normbench run
    --keep-networks, or your own. The bound is proven for the numbers that are written, and stands in the C header and
    in the metadata of the ONNX model. A file whose certificate does not hold, or does not prove the bound that was
    asked for, is refused, and the command exits with 1.

    The C source needs no library but the math.h of unit-norm inputs and of tanh, allocates nothing and keeps no state.
    Its functions are called after its file: lift.c has lift_predict, or of a classifier lift_logits, lift_predict and
    lift_certified_radius. ONNX needs the extra onnx.

    \b
    Examples:
      normbench export net.npz --c lift.c
      normbench export net.npz --onnx lift.onnx --dtype float64
    """
    from normbench import exports
    from normbench.certificates.stored import read
    from normbench.paths import check_apart
    from normbench.writing import probe_file

    if c_file is None and onnx_file is None:
        raise InvalidArgumentError("name what to write: --c NAME.c, --onnx FILE or both.")
    c_files = () if c_file is None else exports.c_files(c_file)
    for path in c_files:
        check_apart("--c", path, [file])
    if onnx_file is not None:
        check_apart("--onnx", onnx_file, [file, *c_files])
        probe_file(onnx_file)
    found = exports.exported(read(file), dtype)
    if onnx_file is not None:
        exports.to_onnx(found, onnx_file)
    written = [] if c_file is None else exports.to_c(found, c_file)
    for path in (*written, *filter(None, [onnx_file])):
        click.echo(str(path))
    proof = f"||f(x) - f(x')|| <= {found.bound!s} {found.change}, by {found.certificate.kind}."
    click.echo(f"Proven for these numbers in {dtype}: {proof}")
