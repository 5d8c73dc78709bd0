"""Deterministic simulator of a quadrotor that flies into ground effect, calibrated on public figures."""

from normbench.data.flight.simulation import fingerprint, simulate_table

__all__ = ["fingerprint", "simulate_table"]
