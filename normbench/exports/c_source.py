"""The source file of a network in C99: its numbers, one loop a layer, and what it says of classes."""

import math
from collections.abc import Callable
from itertools import pairwise
from string import Template
from typing import Any, NamedTuple

import numpy as np

from normbench.exports import c_text as text
from normbench.exports.network import Exported
from normbench.networks.activations import Activation, LeakyRelu, MaxMin, Relu, Tanh
from normbench.networks.base import Layer, entry

_DENSE = """\
/* out = W in + b, W row by row; no b is one of zeros. */
static void dense(const $real *weight, const $real *bias, size_t rows, size_t columns, const $real *in, $real *out)
{
    for (size_t i = 0; i < rows; ++i) {
        $real sum = bias ? bias[i] : $zero;
        for (size_t j = 0; j < columns; ++j) {
            sum += weight[i * columns + j] * in[j];
        }
        out[i] = sum;
    }
}"""

_ACTIVATE = """\
static void activate($real *v, size_t size)
{
    for (size_t i = 0; $limit < size; i += $step) {
        $change
    }
}"""
_SWAP = """\
if (v[i] < v[i + 1]) {
            const $real smaller = v[i];
            v[i] = v[i + 1];
            v[i + 1] = smaller;
        }"""

# the largest entry is divided by first, so that no square overflows; 0 / 0 is not a number
_DIRECTION = """\
/* out = x / ||x||; returns ||x||. */
static $real direction(const $real *x, size_t size, $real *out)
{
    $real largest = $zero, sum = $zero;
    for (size_t i = 0; i < size; ++i) {
        const $real entry = $fabs(x[i]);
        if (entry > largest) {
            largest = entry;
        }
    }
    for (size_t i = 0; i < size; ++i) {
        out[i] = x[i] / largest;
        sum += out[i] * out[i];
    }
    sum = $sqrt(sum);
    for (size_t i = 0; i < size; ++i) {
        out[i] /= sum;
    }
    return largest * sum;
}"""

_CLASSES = """\
/* Index of the largest logit, and by how much it exceeds the second; -1 where one is not finite. */
static int best(const $real *logits, $real *margin)
{
    size_t first = 0, second;
    *margin = $zero;
    for (size_t i = 0; i < ${upper}_CLASSES; ++i) {
        if (!(logits[i] - logits[i] == $zero)) {
            return -1;
        }
        if (logits[i] > logits[first]) {
            first = i;
        }
    }
    second = first == 0;
    for (size_t i = 0; i < ${upper}_CLASSES; ++i) {
        if (i != first && logits[i] > logits[second]) {
            second = i;
        }
    }
    *margin = logits[first] - logits[second];
    return (int)first;
}

int ${name}_predict(const $real x[${upper}_INPUTS])
{
    $real logits[${upper}_CLASSES], margin;
    ${name}_logits(x, logits);
    return best(logits, &margin);
}

$real ${name}_certified_radius(const $real x[${upper}_INPUTS])
{
    $real logits[${upper}_CLASSES], margin;
    ${name}_logits(x, logits);
    if (best(logits, &margin) < 0) {
        return $zero;
    }
    $radius
}"""

# |z_1| + ... + |z_n| is no less than ||z||, and needs no square root
_RADIUS = """\
{
        $real size = $zero;
        for (size_t i = 0; i < ${upper}_INPUTS; ++i) {
            const $real z = $z;
            size += z < $zero ? -z : z;
        }
        margin -= $part * size + $rest; /* what rounding may have added to it, here and at the other x */
        return margin > $zero ? margin / $steepest : $zero;
    }"""

# the way to the nearest direction at chord r, ||x|| sin(2 asin(r / 2)), and to the origin from r = sqrt 2 on
_RADIUS_OF_DIRECTIONS = """\
{
        $real z[${upper}_INPUTS], chord = $chord;
        if (!(chord > $zero)) {
            return $zero;
        }
        if (chord > $most) {
            chord = $most;
        }
        return $less * direction(x, ${upper}_INPUTS, z) * chord * $sqrt($one - chord * chord / $four);
    }"""


def source(network: Exported, name: str) -> str:
    """The text of ``NAME.c``; the names and sizes that it uses are those of the header."""
    words = _words(network, name)
    parts = [
        "\n".join(
            [
                f'#include "{name}.h"',
                "",
                *(["#include <math.h>"] if _needs_math(network) else []),
                "#include <stddef.h>",
            ]
        ),
        *_arrays(network),
        _DENSE,
        *([_activation(network.activation, network.dtype)] if len(network.weights) > 1 else []),
        *([_DIRECTION] if network.input_map == "unit_norm" else []),
        _forward(network),
        *([] if network.classes is None else [_CLASSES.replace("$radius", _radius(network))]),
    ]
    return Template("\n\n".join(parts) + "\n").substitute(words)


def _words(network: Exported, name: str) -> dict[str, str]:
    dtype = network.dtype
    numbers = {word: text.number(dtype.type(k)) for word, k in (("zero", 0), ("one", 1), ("four", 4))}
    functions = {word: text.function(word, dtype) for word in ("fabs", "sqrt")}
    return {"real": text.real(dtype), "name": name, "upper": name.upper(), **numbers, **functions}


def _needs_math(network: Exported) -> bool:
    activates = len(network.weights) > 1 and _change(network.activation, network.dtype).needs_math
    return network.input_map == "unit_norm" or activates or (network.classes is not None and network.bound == 0.0)


def _arrays(network: Exported) -> list[str]:
    named = {name: values for name, values in _of_inputs(network).items() if values.ndim}
    for k, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        named |= {f"weight_{k}": weight, f"bias_{k}": bias}
    return [text.array(name, values) for name, values in named.items() if _is_there(name, values)]


def _of_inputs(network: Exported) -> dict[str, np.ndarray]:
    return {"input_mean": network.input_mean, "input_scale": network.input_scale}


def _is_there(name: str, values: np.ndarray) -> bool:
    """Zeros are left out, but for weights."""
    return name.startswith("weight") or bool(values.any())


def constant_bytes(network: Exported) -> int:
    """Of the arrays; single numbers are part of the code."""
    kept = [*(values for values in _of_inputs(network).values() if values.ndim), *network.biases]
    return sum(values.nbytes for values in (*network.weights, *filter(np.any, kept)))


def _scratch(network: Exported) -> tuple[int, ...]:
    """Entries of the arrays that the layers read from in turn."""
    read = network.widths[:-1]
    return tuple(max(widths) for widths in (read[::2], read[1::2]) if widths)


def stack_bytes(network: Exported) -> int:
    """Of the arrays on the stack in the deepest call."""
    own = 0 if network.classes is None else network.widths[-1] + (network.input_map == "unit_norm") * network.widths[0]
    return (sum(_scratch(network)) + own) * network.dtype.itemsize


class _Change(NamedTuple):
    """What becomes of ``v[i]``, in place. A number that is none stays so: no comparison with it is true."""

    code: str
    units: int = 1  # that are changed at once, from v[i] on
    needs_math: bool = False


_CHANGES: dict[type[Layer], Callable[[Any, np.dtype], _Change]] = {
    Relu: lambda activation, dtype: _Change("if (v[i] < $zero) {\n            v[i] = $zero;\n        }"),
    LeakyRelu: lambda activation, dtype: _Change(
        f"if (v[i] < $zero) {{\n            v[i] *= {text.number(dtype.type(activation.slope))};\n        }}"
    ),
    Tanh: lambda activation, dtype: _Change(f"v[i] = {text.function('tanh', dtype)}(v[i]);", needs_math=True),
    MaxMin: lambda activation, dtype: _Change(_SWAP, units=2),
}


def _change(activation: Activation, dtype: np.dtype) -> _Change:
    return entry(_CHANGES, activation, "exports/c_source.py")(activation, dtype)


def _activation(activation: Activation, dtype: np.dtype) -> str:
    change = _change(activation, dtype)
    limit = "i" if change.units == 1 else f"i + {change.units - 1}"
    return _ACTIVATE.replace("$limit", limit).replace("$step", str(change.units)).replace("$change", change.code)


def _forward(network: Exported) -> str:
    result, size = ("y", "OUTPUTS") if network.classes is None else ("logits", "CLASSES")
    function = "predict" if network.classes is None else "logits"
    last = len(network.weights) - 1
    scratch = ", ".join(f"{name}[{entries}]" for name, entries in zip("ab", _scratch(network), strict=False))
    lines = [f"$real {scratch};", *_mapped(network)]
    for k, (columns, rows) in enumerate(pairwise(network.widths)):
        read, written = "ab"[k % 2], result if k == last else "ab"[(k + 1) % 2]
        bias = f"bias_{k}" if k < last and network.biases[k].any() else "NULL"
        lines.append(f"dense(weight_{k}, {bias}, {rows}, {columns}, {read}, {written});")
        if k < last:
            lines.append(f"activate({written}, {rows});")
    scale = "" if network.output_scale == 1.0 else f"{text.number(network.output_scale)} * "
    shift = f" + bias_{last}[i]" if network.biases[last].any() else ""
    if scale or shift:
        lines += [
            f"for (size_t i = 0; i < ${{upper}}_{size}; ++i) {{",
            f"    {result}[i] = {scale}{result}[i]{shift};",
            "}",
        ]
    head = f"void ${{name}}_{function}(const $real x[${{upper}}_INPUTS], $real {result}[${{upper}}_{size}])"
    return "\n".join([head, "{", *(f"    {line}" for line in lines), "}"])


def _mapped(network: Exported) -> list[str]:
    if network.input_map == "unit_norm":
        return ["direction(x, ${upper}_INPUTS, a);"]
    return ["for (size_t i = 0; i < ${upper}_INPUTS; ++i) {", f"    a[i] = {_affine(network)};", "}"]


def _affine(network: Exported) -> str:
    """Entry i of (x - mean) / scale."""
    moved = "(x[i] - input_mean[i])" if network.input_mean.any() else "x[i]"
    if network.input_scale.ndim:
        return f"{moved} / input_scale[i]"
    return moved if network.input_scale == 1.0 else f"{moved} / {text.number(network.dtype.type(network.input_scale))}"


def _radius(network: Exported) -> str:
    if network.input_map == "affine" and not network.bound:
        return "return ($real)INFINITY;"
    real = network.dtype.type
    margin = network.class_margin
    with np.errstate(over="ignore"):
        numbers = [np.nextafter(real(number), real(math.inf)) for number in margin[:3]]
    if not np.isfinite(numbers).all():
        return "return $zero; /* roundings may be as large as what the type holds */"
    part, rest, steepest = map(text.number, numbers)
    if network.input_map == "affine":
        return Template(_RADIUS).safe_substitute(part=part, rest=rest, steepest=steepest, z=_affine(network))
    most = text.number(real(math.sqrt(2.0)))
    chord = f"(margin - {part} - {rest}) / {steepest}" if network.bound else most
    less = text.number(real(1.0 - 2.0 * margin.spare))
    return Template(_RADIUS_OF_DIRECTIONS).safe_substitute(chord=chord, most=most, less=less)
