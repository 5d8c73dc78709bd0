"""The published experiments again: their runs, their figures as printed, and their pictures."""
