"""normbench in JAX: the optimisers as optax transformations, and the trainer of the benchmark."""

from normbench.jax.transformations import agd, fromage, lars, method1, method2, method2_exp

__all__ = ["agd", "fromage", "lars", "method1", "method2", "method2_exp"]
