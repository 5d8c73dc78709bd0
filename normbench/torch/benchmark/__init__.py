"""The benchmark's trainer in torch."""
