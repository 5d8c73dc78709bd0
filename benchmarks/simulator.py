"""Time of the flight simulator: one flight from seed to table, without the cache."""

from .common import module


class Simulator:
    """290 s of simulated flight."""

    number, warmup_time, rounds, repeat, min_run_count = 1, 0, 1, (2, 3, 10.0), 2

    def setup(self):
        """Import; NumPy and SciPy only."""
        self.simulate_table = module("normbench.data.flight").simulate_table

    def time_simulate_table(self):
        """Fly, log, preprocess."""
        self.simulate_table(0)
