"""One run: its request, clock, batches and validation."""
