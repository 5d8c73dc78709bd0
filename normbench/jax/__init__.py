"""normbench in JAX: the optimisers as optax transformations, and the trainer of the benchmark."""

from normbench.jax.transformations import (
    accumulated,
    agd,
    fgsgd,
    fromage,
    lars,
    method1,
    method2,
    method2_exp,
    unmasked,
)

__all__ = ["accumulated", "agd", "fgsgd", "fromage", "lars", "method1", "method2", "method2_exp", "unmasked"]
