"""The benchmark's trainer in JAX."""
