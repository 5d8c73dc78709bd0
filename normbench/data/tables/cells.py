"""From a column as a file has it to numbers. Lists in cells are vectors; what is no number is named with its row."""

import json
import re
from typing import Any

import numpy as np

from normbench.errors import DataError, argument


def numbers(where: str, name: str, column: np.ndarray) -> np.ndarray:
    """A column as float64, shape (rows,), or (rows, width) where its cells hold lists; NaN where a cell is empty.

    Raises
    ------
    DataError
        If a cell holds text or a date, or the lists are of unequal length; the message names the first and its row.
    """
    if column.dtype.kind in "fb":
        return column.astype(np.float64)
    if column.dtype.kind == "M":
        raise DataError(
            f"{where}, column {name!r}: dates, such as {column[0]}. Only {argument('time')} takes dates; write numbers."
        )
    first = next((cell for cell in column if not _is_missing(cell)), None)
    if first is None:
        return np.full(len(column), np.nan)
    return _vectors(where, name, column) if _is_list(first) else _scalars(where, name, column)


def seconds(where: str, name: str, column: np.ndarray) -> np.ndarray:
    """A column of times in seconds; of dates those since 1970."""
    if column.dtype.kind == "M":
        since = column.astype("datetime64[ns]").astype(np.int64) / 1e9
        return np.where(np.isnat(column), np.nan, since)
    if is_text(where, name, column):
        return seconds(where, name, _dates(where, name, column))
    found = numbers(where, name, column)
    if found.ndim != 1:
        raise DataError(f"{where}, column {name!r}: vectors; {argument('time')} needs one number a row.")
    return found


def _dates(where: str, name: str, column: np.ndarray) -> np.ndarray:
    """Texts such as 2026-01-31T12:00:00 as dates; clocks with an offset are those of Greenwich."""
    import pandas as pd

    found = pd.to_datetime(pd.Series(column), format="ISO8601", utc=True, errors="coerce").dt.tz_convert(None)
    wrong = found.isna().to_numpy() & ~np.array([_is_missing(cell) for cell in column])
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"{where}, column {name!r}, row {row + 1}: {str(column[row])[:40]!r} is neither a number of seconds nor a "
            "date such as 2026-01-31T12:00:00. Write one of them."
        )
    return np.asarray(found.to_numpy(dtype="datetime64[ns]"))


def texts(where: str, name: str, column: np.ndarray) -> np.ndarray:
    """A column of groups or classes as text; whole numbers without a point, and 007 as it stands.

    Raises
    ------
    DataError
        If a cell is empty or a list.
    """
    if column.ndim != 1:
        raise DataError(f"{where}, column {name!r}: vectors; a group or class is one number or text a row.")
    missing = np.isnan(column) if column.dtype.kind == "f" else np.array([_is_missing(cell) for cell in column])
    if missing.any():
        raise DataError(
            f"{where}, column {name!r}: {missing.sum()} of {len(missing)} rows have no value, the first is row "
            f"{missing.argmax() + 1}. Remove those rows or name their group or class."
        )
    return np.array([_as_text(cell) for cell in column.tolist()])


def is_text(where: str, name: str, column: np.ndarray) -> bool:
    """True if the cells are words, or true and false, and neither numbers nor lists: what a classifier learns.

    Raises
    ------
    DataError
        If words stand among numbers: one of both is a mistake.
    """
    if column.dtype != object:
        return column.dtype.kind == "b"
    said = [(row, cell) for row, cell in enumerate(column) if not _is_missing(cell)]
    words = [row for row, cell in said if isinstance(cell, str) and not _is_list(cell) and not _is_number(cell)]
    if words and len(words) < len(said):
        other = next(row for (row, _), word in zip(said, [*words, None], strict=False) if row != word)
        raise DataError(
            f"{where}, column {name!r}: words among numbers, {str(column[words[0]])[:40]!r} in row {words[0] + 1} and "
            f"{str(column[other])[:40]!r} in row {other + 1}. Make it one of both; classes that are called so are told "
            f"by {argument('classes')}."
        )
    return bool(words)


def _as_text(cell: Any) -> str:
    if isinstance(cell, str):
        cell = cell.strip()
        return cell.partition(".")[0] if re.fullmatch(r"-?(0|[1-9]\d*)\.0*", cell) else cell
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _is_missing(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and cell != cell) or cell is np.ma.masked


def _is_list(cell: Any) -> bool:
    return isinstance(cell, list | tuple | np.ndarray) or (isinstance(cell, str) and cell.lstrip().startswith("["))


def _float(cell: Any) -> float:
    """As Python reads it, but for "1_000": in a table that is a name."""
    if isinstance(cell, str) and "_" in cell:
        raise ValueError(cell)
    return float(cell)


def _is_number(cell: Any) -> bool:
    """True for a finite one."""
    try:
        return bool(np.isfinite(_float(cell)))
    except (TypeError, ValueError, OverflowError):
        return False


def _scalars(where: str, name: str, column: np.ndarray) -> np.ndarray:
    found = np.full(len(column), np.nan)
    for row, cell in enumerate(column):
        if _is_missing(cell):
            continue
        try:
            found[row] = _float(cell)
        except (TypeError, ValueError, OverflowError):
            comma = isinstance(cell, str) and any(_is_number(cell.replace(",", other)) for other in (".", ""))
            remedy = (
                "Write decimal points, not commas, and nothing between thousands."
                if comma
                else "Leave the column out, or make it numbers."
            )
            raise DataError(
                f"{where}, column {name!r}, row {row + 1}: {str(cell)[:40]!r} is no number. {remedy}"
            ) from None
    return found


def _vectors(where: str, name: str, column: np.ndarray) -> np.ndarray:
    """Lists in JSON, or lists as such, as a matrix."""
    rows: list[np.ndarray] = []
    for row, cell in enumerate(column):
        vector = _vector(cell)
        if vector is None:
            raise DataError(
                f"{where}, column {name!r}, row {row + 1}: {str(cell)[:40]!r} is no list of numbers. Write lists such "
                "as [0.1, 0.2]."
            )
        if rows and len(vector) != len(rows[0]):
            raise DataError(
                f"{where}, column {name!r}, row {row + 1}: a list of {len(vector)} numbers, and {len(rows[0])} in row "
                "1. Every row needs as many."
            )
        rows.append(vector)
    return np.stack(rows)


def _vector(cell: Any) -> np.ndarray | None:
    try:
        found = np.asarray(json.loads(cell) if isinstance(cell, str) else cell, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return found if found.ndim == 1 and len(found) else None
