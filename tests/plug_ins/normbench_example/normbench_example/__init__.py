"""Signum for torch and optax, as normbench finds it."""
