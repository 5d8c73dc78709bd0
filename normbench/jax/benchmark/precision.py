"""The precision in which a run computes: what its request names, also where an accelerator has something coarser."""

from collections.abc import Iterator
from contextlib import contextmanager

import jax


@contextmanager
def of_run(dtype: str) -> Iterator[None]:
    """Arrays of 64 bits for ``dtype`` float64 alone, and products of float32 that are not made of TF32."""
    with jax.enable_x64(dtype == "float64"), jax.default_matmul_precision("highest"):
        yield
