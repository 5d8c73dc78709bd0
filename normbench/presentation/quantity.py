"""What a quantity of a board is: a column, and everything else that is said of it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from normbench.analysis.compare import Direction
from normbench.presentation.tables import Column, number
from normbench.records.schema import Record


class Merged(StrEnum):
    """What a line of the page says for rows that differ in nothing but their backend."""

    FIRST = "that of the first row"
    JOINED = "all of them"
    LISTED = "that of the first row, and the others under it, each with its backend"


@dataclass(frozen=True, kw_only=True)
class Quantity(Column):
    """A column of a board, and everything else that is said of it.

    Attributes
    ----------
    name : str
        Of its field in CSV and JSON.
    meaning : str
        What it is and how it came about, for the legend.
    value : callable
        Row -> what the page sorts by; None or NaN where the row has none.
    run : callable
        Record -> the figure of a single run; NaN where it has none.
    unit : str
    digits : int or None
        Decimals of the value, where that is all that a cell says; ``words`` says the others.
    better : Direction or None
    detail : callable
        Row -> a second, smaller line under it on the page.
    fields : callable or None
        Row -> fields of CSV and JSON where ``value`` alone is not all.
    beside : str
        Name of the quantity under which the page shows this one; "" for a column of its own.
    against : bool
        True if it sets the row against the others of its board.
    merged : Merged
    """

    name: str
    meaning: str
    value: Callable[[Any], Any]
    run: Callable[[Record], float] = lambda run: math.nan
    unit: str = ""
    digits: int | None = None
    better: Direction | None = None
    detail: Callable[[Any], str] = lambda row: ""
    fields: Callable[[Any], Mapping[str, Any]] | None = None
    beside: str = ""
    against: bool = False
    merged: Merged = Merged.FIRST

    def cell(self, line: Any) -> str:
        """The value with its digits, or the words for it."""
        return self.words(line) if self.digits is None else number(self.value(line), self.digits)

    def stored(self, row: Any) -> Mapping[str, Any]:
        """What CSV and JSON hold of it."""
        return {self.name: self.value(row)} if self.fields is None else self.fields(row)

    @property
    def legend(self) -> str:
        """``ms/it: milliseconds of training per iteration; lower is better.``"""
        unit = f" in {self.unit}" if self.unit else ""
        return f"{self.header}{unit}: {self.meaning}" + (f"; {self.better.value}." if self.better else ".")
