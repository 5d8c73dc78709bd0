"""What scikit-learn would turn into numbers in silence, or refuse without a word of the column: dates, texts, masks."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from normbench.errors import DataError

_TIMES = (np.datetime64, np.timedelta64)
_REMEDIES = {
    "X": "Make numbers of it first, such as by a OneHotEncoder in a pipeline, or leave it out.",
    "y": "Classes are for LipschitzClassifier.",
}


def check(name: str, given: Any, *, texts: bool = False) -> None:
    """Raise where a table, or a vector, holds what is no number though it can be converted.

    Parameters
    ----------
    name : str
        "X" or "y", for messages.
    given : array, data frame, series or list
    texts : bool
        True where texts and dates are fine, as names of classes.

    Raises
    ------
    DataError
        If a cell is masked, or a column holds dates or text; the message names the column. If the table is a plan for
        one, as the lazy frames of polars and Spark are.
    """
    if hasattr(given, "collect") and not hasattr(given, "__array__"):
        raise DataError(
            f"{name} is a {type(given).__name__}, whose rows are not there yet. Give what collect() returns."
        )
    if np.ma.is_masked(given):
        raise DataError(
            f"{name} has masked cells, {np.ma.getmaskarray(given).sum()} of {np.size(given)}. Fill them in, or leave "
            "those rows out."
        )
    if texts:
        return
    if _is_frame(given):
        for column, cells in _columns(given):
            _check_column(f"column {column!r} of {name}", cells, _written(cells), _REMEDIES[name])
    elif not hasattr(given, "toarray"):
        column = given if hasattr(getattr(given, "dtype", None), "kind") else np.asarray(given)
        # of an array scikit-learn names the text
        _check_column(name, column, _written(column) if hasattr(column, "isna") else (), _REMEDIES[name])


def _is_frame(given: Any) -> bool:
    """Whether it is a data frame of pandas, a table of Arrow or a data frame of polars."""
    of_pandas = hasattr(given, "columns") and hasattr(given, "iloc")
    return of_pandas or hasattr(given, "column_names") or hasattr(given, "get_columns")


def _columns(given: Any) -> Iterator[tuple[Any, Any]]:
    """Name and cells of every column: a series of pandas, or an array."""
    if hasattr(given, "iloc"):
        yield from ((column, given.iloc[:, position]) for position, column in enumerate(given.columns))
    elif hasattr(given, "column_names"):
        yield from ((column, np.asarray(given.column(k))) for k, column in enumerate(given.column_names))
    else:
        yield from ((column.name, column.to_numpy()) for column in given.get_columns())


def _written(column: Any) -> Iterable[Any]:
    """The cells of a column that are not empty."""
    if hasattr(column, "isna"):
        found: Iterable[Any] = column[~column.isna()]
        return found
    return (cell for cell in column if cell is not None and not (isinstance(cell, float) and math.isnan(cell)))


def _check_column(where: str, column: Any, cells: Iterable[Any], remedy: str) -> None:
    kind = column.dtype.kind
    hidden = isinstance(column, np.ndarray) and kind == "O" and any(isinstance(cell, _TIMES) for cell in column.flat)
    if kind in "mM" or hidden:
        raise DataError(
            f"{where} holds dates or spans of time. Write them as numbers, such as seconds, or leave it out."
        )
    if kind in "biufc":
        return
    for cell in cells:
        try:
            float(cell)
        except (TypeError, ValueError, OverflowError):
            raise DataError(f"{where} holds {str(cell)[:40]!r}, which is no number. {remedy}") from None


def labels(given: Any) -> Any:
    """Names of classes; truth values and whole numbers of a data frame as NumPy has them, not as floats.

    Raises
    ------
    DataError
        If they are of kinds that have no order among each other.
    """
    kind = getattr(getattr(given, "dtype", None), "numpy_dtype", None)
    if kind is not None and hasattr(given, "to_numpy") and not given.isna().any():
        return given.to_numpy(dtype=kind)
    array = np.asarray(given)
    if array.dtype.kind == "O":
        kinds = sorted({type(cell).__name__ for cell in array.flat})
        if len(kinds) > 1:
            raise DataError(f"y has classes of several types, {' and '.join(kinds)}. Give names of one type.")
    return given
