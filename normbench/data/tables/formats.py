"""One reader for each kind of table file: which columns it has, and those that are asked for."""

import csv
import importlib
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from normbench.data.exact import exactly
from normbench.data.tables.cut_off import check_whole
from normbench.errors import DAMAGE, BackendUnavailableError, DataError, InvalidArgumentError, install
from normbench.numbers import as_number

Arrays = dict[str, np.ndarray]
_TOLD_APART = 2**53  # integers up to this are all floats
_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, eq=False)
class TableFile:
    """A file whose columns are known and not yet read.

    Attributes
    ----------
    path : Path
    names : tuple of str
        Of its columns, in the order of the file.
    arrays : callable
        From some of the names to the columns: shape (rows,), or (rows, width) where a name stands for a matrix;
        numbers, texts, dates or objects as the file has them. Then the names of those that are words, though they may
        look like numbers: where a file has text alone, 007 is not 7.
    """

    path: Path
    names: tuple[str, ...]
    arrays: Callable[[Sequence[str], Collection[str]], Arrays]

    def read(self, names: Iterable[str], words: Collection[str] = ()) -> Arrays:
        """The columns of these names, all of one length; those in ``words`` as the text that the file has, if any.

        Raises
        ------
        DataError
            If the file is damaged, has no rows, or columns of unequal length.
        """
        found = self.arrays(list(dict.fromkeys(names)), words)
        lengths = {name: len(array) for name, array in found.items()}
        if len(set(lengths.values())) > 1:
            listing = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise DataError(f"{self.path.name}: columns have unequal numbers of rows: {listing}. Give them the same.")
        if not all(lengths.values()):
            raise DataError(f"{self.path.name} has columns and no rows. Give a table with samples in it.")
        return found


def opened(path: Path) -> TableFile:
    """The columns of a file, by its ending.

    Raises
    ------
    InvalidArgumentError
        If it has an ending of none of :data:`READERS`, or is not there.
    DataError
        If it is empty, damaged, or two columns have one name.
    BackendUnavailableError
        If what reads Parquet is not installed.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InvalidArgumentError(f"{path} is no table that can be read: its name must end in {', '.join(READERS)}.")
    if not path.is_file():
        raise InvalidArgumentError(f"there is no file {path}. Check the path.")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty. Write the table into it, with the names of the columns first.")
    found = reader(path)
    twice = [name for name, count in Counter(found.names).items() if count > 1 and name]
    if twice:
        raise DataError(f"{path.name} has more than one column {', '.join(map(repr, twice))}. Give each its own name.")
    return found


def _delimited(path: Path) -> TableFile:
    """Text with a header, whose line also says what parts the columns."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            first = next((line for line in stream if line.strip()), "")
            delimiter = max(_DELIMITERS, key=first.count)
            header = next(csv.reader([first], delimiter=delimiter), [])
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is no text in UTF-8 ({error.reason}). Save it as CSV in UTF-8.") from error
    if "\0" in first:
        raise DataError(f"{path.name} is no text: it holds null characters. Save it as CSV in UTF-8.")
    names = tuple(name.strip() for name in header)
    if not any(names):
        raise DataError(f"{path.name} is empty. Write the table into it, with the names of the columns first.")
    if all(as_number(_number(name)) is not None for name in names if name):
        raise DataError(
            f"{path.name} has no header: its first line is {first.strip()[:60]!r}. Write names of columns above it."
        )
    return TableFile(path, names, lambda wanted, words: _cells(path, delimiter, names, wanted, words))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _cells(path: Path, delimiter: str, names: Sequence[str], wanted: Sequence[str], words: Collection[str]) -> Arrays:
    import pandas as pd

    check_whole(path, delimiter, len(names))
    positions = [names.index(name) for name in wanted]
    kinds = {names.index(name): str for name in wanted if name in words}
    beyond = len(names)  # where the fields of a line that has too many begin
    try:
        try:
            frame = _frame(path, delimiter, beyond + 1, [*positions, beyond], kinds)
        except pd.errors.ParserError as error:
            if "Too many columns specified" not in str(error):
                raise
            frame = _frame(path, delimiter, beyond, positions, kinds)  # no line has too many
    except (ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{path.name} cannot be read as a table: {error}") from error
    if beyond in frame and frame[beyond].notna().any():
        row = int(frame[beyond].notna().to_numpy().argmax())
        raise DataError(
            f"{path.name}, row {row + 1}: more fields than the {beyond} of the header. Write decimal points and not "
            "commas, and quotes around texts and lists that hold the delimiter."
        )
    return {name: _array(frame[position]) for name, position in zip(wanted, positions, strict=True)}


def _frame(path: Path, delimiter: str, width: int, positions: Sequence[int], kinds: Mapping[int, type]) -> Any:
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.ParserWarning)  # a last delimiter with nothing behind it
        return pd.read_csv(
            path,
            sep=delimiter,
            header=0,
            names=range(width),
            usecols=np.array(positions),
            index_col=False,
            dtype=dict(kinds),
            low_memory=False,  # in parts, a line that has too many fields would pass
            encoding="utf-8-sig",
            skipinitialspace=True,
            **exactly(),
        )


def _array(column: Any) -> np.ndarray:
    """A column of a data frame: float64, truth values, dates, or objects."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column):
        instants = (
            column if column.dt.tz is None else column.dt.tz_convert(None)
        )  # clocks that are put back repeat hours
        return np.asarray(instants.to_numpy(dtype="datetime64[ns]"))
    whole = pd.api.types.is_bool_dtype(column) or pd.api.types.is_integer_dtype(column)
    if whole and not column.isna().any():
        return _numbers(column.to_numpy())
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column):
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    return np.asarray(column.to_numpy(dtype=object, na_value=None))


def _numbers(array: np.ndarray) -> np.ndarray:
    """As float64; truth values as they are, and integers too where float64 does not tell them apart: they may be the
    names of groups."""
    if array.dtype.kind in "iu" and array.size and max(abs(int(array.max())), abs(int(array.min()))) > _TOLD_APART:
        return array.astype(object)
    return array if array.dtype.kind == "b" else array.astype(np.float64)


def _parquet(path: Path) -> TableFile:
    if find_spec("pyarrow") is None:
        raise BackendUnavailableError(
            f"{path.name} needs pyarrow, which is not installed: use CSV, or, {install('report')}."
        )
    parquet = importlib.import_module("pyarrow.parquet")
    try:
        names = tuple(parquet.read_schema(path).names)
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name} is no Parquet file: {error}") from error

    def arrays(wanted: Sequence[str], words: Collection[str]) -> Arrays:
        try:
            table = parquet.read_table(path, columns=list(wanted), use_threads=False)
        except (OSError, ValueError) as error:
            raise DataError(f"{path.name} is damaged: {error}") from error
        return {name: _array(table.column(name).to_pandas()) for name in wanted}

    return TableFile(path, names, arrays)


def _npz(path: Path) -> TableFile:
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as file:
            names = tuple(file.files)
    except (OSError, *DAMAGE) as error:
        raise DataError(f"{path.name} is no NPZ file of arrays: {error}") from error

    def arrays(wanted: Sequence[str], words: Collection[str]) -> Arrays:
        try:
            with np.load(path, allow_pickle=False) as file:
                found = {name: file[name] for name in wanted}
        except (OSError, *DAMAGE) as error:
            reason = "it needs pickle, which can run any program" if "pickle" in str(error).lower() else str(error)
            raise DataError(f"{path.name} cannot be read: {reason}. Store arrays of numbers or text.") from error
        return {name: _columns(path, name, array) for name, array in found.items()}

    return TableFile(path, names, arrays)


def _mat(path: Path) -> TableFile:
    from scipy import io

    try:
        names = tuple(name for name, *_ in io.whosmat(path))
    except NotImplementedError as error:
        raise DataError(
            f"{path.name} is a MAT file of version 7.3, which is HDF5. Save it in MATLAB by save('{path.name}', '-v7')."
        ) from error
    except (OSError, *DAMAGE, TypeError, io.matlab.MatReadError) as error:
        raise DataError(f"{path.name} is no MAT file: {error}") from error

    def arrays(wanted: Sequence[str], words: Collection[str]) -> Arrays:
        try:
            found = io.loadmat(path, variable_names=list(wanted), chars_as_strings=True)
        except (OSError, *DAMAGE, TypeError, io.matlab.MatReadError) as error:
            raise DataError(f"{path.name} is damaged: {error}") from error
        return {name: _of_matlab(path, name, found[name]) for name in wanted}

    return TableFile(path, names, arrays)


def _of_matlab(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    """Where everything is a matrix, one row or one column is a column; a cell array of texts holds each in an array."""
    if hasattr(array, "toarray"):
        raise DataError(f"{path.name}: {name} is sparse. Save it in full: {name} = full({name}).")
    if array.dtype.names:
        raise DataError(
            f"{path.name}: {name} is a struct. Save its fields as variables: save('FILE', '-struct', '{name}', '-v7')."
        )
    if array.dtype == object:
        array = np.array([cell.item() if getattr(cell, "size", 0) == 1 else cell for cell in array.flat], dtype=object)
    if array.ndim == 2 and 1 in array.shape:
        array = array.reshape(-1)
    return _columns(path, name, array)


def _columns(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    """A vector, or a matrix with a row for every sample."""
    if array.ndim not in (1, 2):
        raise DataError(
            f"{path.name}: {name} has the shape {array.shape}; a column is (rows,), several are (rows, columns)."
        )
    if array.dtype.kind == "c":
        raise DataError(f"{path.name}: {name} is complex. Store its real and imaginary parts as columns of their own.")
    if array.dtype.kind in "mV":
        what = "spans of time" if array.dtype.kind == "m" else f"of {array.dtype}"
        raise DataError(f"{path.name}: {name} is {what}. Store arrays of numbers, such as seconds, or text.")
    if array.dtype.kind in "US":
        return _texts(path, name, array).astype(object)
    return array if array.dtype.kind in "OM" else _numbers(array)


def _texts(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    try:
        return array.astype(str)
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name}: {name} holds bytes that are no ASCII text. Store text as such.") from error


READERS: "MappingProxyType[str, Callable[[Path], TableFile]]" = MappingProxyType(
    {
        ".csv": _delimited,
        ".tsv": _delimited,
        ".parquet": _parquet,
        ".pq": _parquet,
        ".npz": _npz,
        ".mat": _mat,
    }
)
