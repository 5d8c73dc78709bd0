"""Running one optimiser on one backend: the loop, the clock, sweeps and validation."""
