"""The asv suite of normbench; docs/benchmarks.md says what it measures and how to run it."""
