"""The sources of samples, one module each."""
