"""Every update in plain float64 NumPy, equation by equation: the oracle that the backends are checked against."""
