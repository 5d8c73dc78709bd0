"""Positive definiteness without any rounding."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any


def is_positive_definite(matrix: Sequence[Sequence[Any]]) -> bool:
    """Whether the pivots of L D L^T are positive, in fractions; entries are numbers that a fraction holds exactly."""
    rows = [[Fraction(entry) for entry in row] for row in matrix]
    for k, pivot_row in enumerate(rows):
        pivot = pivot_row[k]
        if pivot <= 0:
            return False
        for row in rows[k + 1 :]:
            factor = row[k] / pivot
            if factor:
                for j in range(k, len(row)):
                    row[j] -= factor * pivot_row[j]
    return True
