"""A network as C99: one source file and its header, without libraries, allocation or state.

Constants and loops over them. Scratch memory is two arrays on the stack, sized by the layers, so that calls from
several threads or interrupts do not meet. The text depends on the network alone: the same one gives the same bytes.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import normbench
from normbench.errors import InvalidArgumentError
from normbench.exports import c_text as text
from normbench.exports.c_source import constant_bytes, source, stack_bytes
from normbench.exports.network import Exported
from normbench.paths import as_path
from normbench.writing import probe_file, write_text

_HEADERS = (  # of C itself: a file of that name beside the others of a program would stand before it
    *("assert", "complex", "ctype", "errno", "fenv", "float", "inttypes", "iso646", "limits", "locale", "math"),
    *("setjmp", "signal", "stdalign", "stdarg", "stdatomic", "stdbool", "stddef", "stdint", "stdio", "stdlib"),
    *("stdnoreturn", "string", "tgmath", "threads", "time", "uchar", "wchar", "wctype"),
)
_NAME = re.compile(r"[A-Za-z](_?[A-Za-z0-9])*")  # two underscores in a row are the compiler's


def to_c(network: Exported, path: str | Path) -> tuple[Path, Path]:
    """Write ``NAME.c`` and ``NAME.h``, whose functions are called after the file.

    Of a regressor ``void NAME_predict(const float x[], float y[])``. Of a classifier ``void NAME_logits(const float
    x[], float logits[])``, ``int NAME_predict(const float x[])``, the index of the class, and ``float
    NAME_certified_radius(const float x[])``; with double in place of float where the numbers are float64.

    Parameters
    ----------
    network : Exported
    path : str or Path
        Of the source file, see :func:`c_files`.

    Returns
    -------
    pair of Path
        Source and header.

    Raises
    ------
    InvalidArgumentError
        If the name will not do.
    OutputError
        If a file cannot be written.
    """
    source_file, header_file = c_files(path)
    write_text(header_file, _header(network, source_file.stem))
    write_text(source_file, source(network, source_file.stem))
    return source_file, header_file


def c_files(path: str | Path) -> tuple[Path, Path]:
    """Source and header, which can be written; ``path`` is that of the source, a C identifier and ``.c``.

    Raises
    ------
    InvalidArgumentError
        If the name will not do.
    OutputError
        If one cannot be written.
    """
    path = as_path("the C file", path)
    if path.suffix != ".c" or not _NAME.fullmatch(path.stem):
        raise InvalidArgumentError(
            "the C file must have the name that its functions shall begin with, a letter before letters, digits and "
            f"single underscores, and .c behind it; got {path.name!r}. Example: lift_force.c."
        )
    if path.stem.lower() in _HEADERS:
        raise InvalidArgumentError(
            f"{path.name} would come with {path.stem}.h, which is a header of C itself. Choose another name."
        )
    files = path, path.with_suffix(".h")
    for file in files:
        probe_file(file)
    return files


def _header(network: Exported, name: str) -> str:
    upper, size = name.upper(), "OUTPUTS" if network.classes is None else "CLASSES"
    parts = [
        text.comment(_about(network, name)),
        f"#ifndef {upper}_H\n#define {upper}_H",
        f"#define {upper}_INPUTS {network.widths[0]}\n#define {upper}_{size} {network.widths[-1]}\n"
        f"#define {upper}_LIPSCHITZ {text.number(network.bound)}",
        '#ifdef __cplusplus\nextern "C" {\n#endif',
        *_declared(network, name),
        f"#ifdef __cplusplus\n}}\n#endif\n\n#endif /* {upper}_H */",
    ]
    return "\n\n".join(parts) + "\n"


def _declared(network: Exported, name: str) -> Iterator[str]:
    """Every function under what it does."""
    real, upper = text.real(network.dtype), name.upper()
    x = f"const {real} x[{upper}_INPUTS]"
    if network.classes is None:
        yield f"/* y = f(x); may be the same array. */\nvoid {name}_predict({x}, {real} y[{upper}_OUTPUTS]);"
        return
    yield f"/* logits = f(x), one for every class. */\nvoid {name}_logits({x}, {real} logits[{upper}_CLASSES]);"
    yield f"/* Index of the largest logit; -1 where one is not finite. */\nint {name}_predict({x});"
    yield (
        "/* Euclidean distance within which no other x has another class; 0 where a logit is not finite. */\n"
        f"{real} {name}_certified_radius({x});"
    )


def _inputs(network: Exported) -> list[str]:
    """Names and spreads, as far as there are any."""
    names = [text.quoted(name) for name in network.feature_names]
    if network.input_spread is None:
        return names
    spreads = [f"spread {spread:.9g}" for spread in network.input_spread]
    return [f"{name}  {spread}" for name, spread in zip(names, spreads, strict=True)] if names else spreads


def _about(network: Exported, name: str) -> Iterator[str]:
    """What stands on top of the header."""
    real = text.real(network.dtype)
    outputs = "outputs" if network.classes is None else "logits, one for every class"
    yield f"{name}: f(x) of {network.widths[0]} inputs, {network.widths[-1]} {outputs}; its Lipschitz bound is proven."
    yield f"Written by normbench {normbench.__version__}; do not edit."
    yield ""
    yield f"||f(x) - f(x')|| <= {name.upper()}_LIPSCHITZ {network.change} for all x and x', in Euclidean norms,"
    yield f"proven for the numbers in {name}.c by a certificate of kind {network.certificate.kind}. Arithmetic"
    yield f"in {real} adds roundings, of some {np.finfo(network.dtype).eps:.0e} of the size of what is added up."
    if network.input_spread is not None:
        yield "Spreads are those of the inputs below; a change of x by a distance d is one of at most"
        yield f"d / {network.input_spread.min():.9g} in these units."
    if network.input_map == "unit_norm":
        yield "f does not depend on the length of x; at x = 0 it has no value and results are not numbers (NaN)."
    for what, lines in (("Inputs", _inputs(network)), ("Classes", list(map(text.quoted, network.labels)))):
        if lines:
            yield ""
            yield f"{what}:"
            yield from (f"{index:4d}  {line}" for index, line in enumerate(lines))
    yield ""
    yield f"Memory: {constant_bytes(network)} bytes of constants, {stack_bytes(network)} bytes of arrays on the stack."
    yield "None is allocated, and none is kept from call to call: calls may overlap."
    yield ""
    yield "SHA-256 of the network in float64, as normbench certify prints it:"
    yield network.sha256
