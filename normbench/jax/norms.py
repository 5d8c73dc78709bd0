"""Norms in JAX that neither overflow nor underflow, and ratios of them: squares are taken of arrays near one.

Every array is divided by a power of two first. That is exact: where nothing over- or underflows without it, the bits of
the result are the same with it. Single precision then serves norms from 1e-37 to 1e37; what is smaller still, XLA
takes for zero on most processors.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax import Array, lax


def norm(x: Array, axes: tuple[int, ...] | None = None) -> Array:
    """Frobenius norm, of |z| where ``x`` is complex; over ``axes``, which are then kept, or of everything."""
    near_one, power = scaled(x, axes)
    return plain_norm(near_one, axes) * power


def scaled(x: Array, axes: tuple[int, ...] | None = None) -> tuple[Array, Array]:
    """``x`` divided by a power of two that puts its largest entry near one, and the power; 1 where there is none."""
    x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    largest = jnp.max(_magnitude(x), axis=axes, keepdims=axes is not None, initial=0)
    power = power_of_two(largest)
    return x * (1 / power), power


def plain_norm(x: Array, axes: tuple[int, ...] | None = None) -> Array:
    """Norm of an array whose largest entries are near one."""
    squares = jnp.square(x.real) + jnp.square(x.imag) if jnp.iscomplexobj(x) else jnp.square(x)
    return jnp.sqrt(jnp.sum(squares, axis=axes, keepdims=axes is not None))


def power_of_two(size: Array) -> Array:
    """The power of two nearest to ``size``: 1 for what is near 1, and for zero, infinity and NaN."""
    kind = jnp.finfo(size.dtype)
    inside = jnp.clip(size, kind.tiny, 1 / kind.tiny)  # both it and its reciprocal are normal numbers
    return jnp.where((size > 0) & (size < jnp.inf), lax.reduce_precision(inside, kind.nexp, 0), 1)


def exponent(power: Array) -> Array:
    """k of 2^k, an integer."""
    kind = jnp.finfo(power.dtype)
    bits = lax.bitcast_convert_type(power, np.dtype(f"int{kind.bits}"))
    return (bits >> kind.nmant).astype(jnp.int32) - kind.maxexp + 1


def power(k: Array, dtype: np.dtype) -> Array:
    """2^k; of an exponent beyond the normal numbers, the last one."""
    kind = jnp.finfo(dtype)
    whole = np.dtype(f"int{kind.bits}")
    biased = jnp.clip(k, kind.minexp, -kind.minexp).astype(whole) + (kind.maxexp - 1)
    return lax.bitcast_convert_type(biased << kind.nmant, dtype)


def product(factors: Sequence[Array]) -> tuple[Array, Array]:
    """The product of positive numbers near one as p 2^k with p near one, however many they are: (p, k)."""
    total, k = jnp.ones_like(factors[0]), jnp.zeros((), jnp.int32)
    for factor in factors:
        total = total * factor
        unit = power_of_two(total)
        total, k = total * (1 / unit), k + exponent(unit)
    return total, k


def _magnitude(x: Array) -> Array:
    return jnp.maximum(jnp.abs(x.real), jnp.abs(x.imag)) if jnp.iscomplexobj(x) else jnp.abs(x)
