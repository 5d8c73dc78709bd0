"""The updates in JAX, as pure functions that trace."""
