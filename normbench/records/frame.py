"""Records as a table: a pandas frame of one row per run, and Parquet or CSV files of it that lose nothing."""

import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from normbench.errors import InvalidArgumentError, RecordError, install
from normbench.networks.families import layers_text
from normbench.paths import as_path
from normbench.records.formats import csv_frame, csv_original
from normbench.records.identity import identify, plain
from normbench.records.record import CHECKSUM, VERSION, stored_fields
from normbench.records.schema import Record, from_dict
from normbench.records.store import Store, no_records
from normbench.records.strict_json import parse, reason
from normbench.running.result import Curves
from normbench.specs import Value
from normbench.writing import write_bytes

CURVES = "curves_"  # prefix of the columns that hold an array per run
_MAPPINGS = (dict[str, Value], dict[str, str], dict[str, dict[str, float]])
_CURVE_NAMES = tuple(f"{CURVES}{f.name}" for f in fields(Curves))
_FORMATS = (".parquet", ".csv", ".csv.gz")
# counts as differences; of floats bytes of equal weight side by side: those of float32 runs leave half of theirs zero
_ENCODINGS = {
    f"{CURVES}{f.name}.list.element": "DELTA_BINARY_PACKED" if f.type == tuple[int, ...] else "BYTE_STREAM_SPLIT"
    for f in fields(Curves)
}


def _named(*kinds: Any) -> list[str]:
    """Names of the fields of a record that have one of these types."""
    return [f.name for f in stored_fields() if f.type in kinds]


def load_records(folder: str | Path) -> pd.DataFrame:
    """Every run stored in a results folder, as a tidy table.

    Parameters
    ----------
    folder : path
        A results folder (``normbench run --out``), the folder of the records itself, or a file that
        ``normbench records export`` wrote.

    Returns
    -------
    DataFrame
        One row a run, see :func:`to_frame`.

    Raises
    ------
    InvalidArgumentError
        If there is no record.
    RecordError
        If a record cannot be read.
    """
    return to_frame(read_records(as_path("folder", folder)))


def read_records(path: Path) -> list[Record]:
    """The records of a results folder, of the folder that holds them, or of an exported file; errors as above."""
    if path.is_file():
        return read_file(path)
    records, problems = Store.within(path).load_all()
    if problems:
        raise problems[0]
    if not records:
        raise no_records(path)
    return records


def to_frame(records: Iterable[Record]) -> pd.DataFrame:
    """A table of records, in an order that the version of the code does not change.

    A file of the same runs under another version then differs in few bytes, and a history that keeps both in little.

    Returns
    -------
    DataFrame
        One row a run: ``record`` (its identity), ``checksum`` (of all its fields) and every field of
        :class:`normbench.records.record.Record`;
        ``layers`` as "12-25-30-15-3"; ``hyperparameters``, ``predictors`` and ``environment`` as JSON;
        ``curves_loss`` and the other curves as lists.
    """
    ordered = sorted(records, key=_place)
    columns = [f.name for f in stored_fields() if f.type is not Curves]
    frame = pd.DataFrame(map(_row, ordered), columns=["record", CHECKSUM, *columns, VERSION, *_CURVE_NAMES])
    return frame.astype(dict.fromkeys(_named(int | None), "Int64"))


def _place(record: Record) -> tuple[str, str]:
    made_with = record.provenance
    return identify(record.request, data_sha256=made_with.data_sha256, code_version=""), record.record_id


def _row(record: Record) -> dict[str, Any]:
    values = record.flat()
    curves = {f"{CURVES}{f.name}": list(getattr(values["curves"], f.name)) for f in fields(Curves)}
    return (
        {"record": record.record_id, CHECKSUM: record.checksum}
        | values
        | {name: layers_text(values[name]) for name in _named(tuple[int, ...])}
        | {name: json.dumps(plain(values[name])) for name in _named(*_MAPPINGS)}
        | curves
    )


def from_frame(frame: pd.DataFrame, *, source: str) -> list[Record]:
    """Records from a table that :func:`to_frame` made, of this or an earlier schema.

    Raises
    ------
    RecordError
        If a column is missing, unknown or holds the wrong type, or a row is not the run that it says.
    """
    if "record" not in frame or "layers" not in frame:
        raise RecordError(f"{source} is no table of records: its columns are {', '.join(map(str, frame.columns[:5]))}.")
    return [_record(row, f"{source}, row {k}") for k, row in enumerate(frame.to_dict(orient="records"))]


def _record(row: dict[Any, Any], where: str) -> Record:
    identity = row.pop("record")
    if CHECKSUM in row and not isinstance(row[CHECKSUM], str):
        del row[CHECKSUM]  # a row of an earlier schema among others
    curves = {name.removeprefix(CURVES): row.pop(name) for name in list(row) if name.startswith(CURVES)}
    try:
        read = {name: parse(row[name]).value for name in _named(*_MAPPINGS) if name in row}
        read |= {name: None if pd.isna(row[name]) else int(row[name]) for name in _named(int | None) if name in row}
        read |= {name: None if pd.isna(row[name]) else row[name] for name in _named(str | None) if name in row}
        read |= {name: [int(width) for width in row[name].split("-")] for name in _named(tuple[int, ...])}
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise RecordError(f"{where} cannot be read: {reason(error)}. Export the records again.") from error
    record = from_dict(row | read | {"curves": curves}, source=where)
    if record.record_id != identity:
        raise RecordError(f"{where} describes the run {record.record_id} but is named {identity}: it was edited.")
    return record


def write_file(records: Sequence[Record], path: Path) -> None:
    """Write the table of the records as ``.parquet``, ``.csv`` or ``.csv.gz``.

    Raises
    ------
    InvalidArgumentError
        If the ending is another one, or Parquet needs a library that is not installed.
    OutputError
        If the file cannot be written.
    """
    ending = check_format(path)
    frame = to_frame(records)
    content = io.BytesIO()
    if ending == ".parquet":
        frame.to_parquet(content, index=False, compression="zstd", use_dictionary=False, column_encoding=_ENCODINGS)
        write_bytes(path, content.getvalue())
        return
    for name in _CURVE_NAMES:
        frame[name] = [json.dumps([None if v != v else v for v in curve]) for curve in frame[name]]
    compression = {"method": "gzip", "mtime": 0} if ending == ".csv.gz" else None
    csv_frame(frame).to_csv(content, index=False, compression=compression)
    write_bytes(path, content.getvalue())


def read_file(path: Path) -> list[Record]:
    """Records from a file that :func:`write_file` wrote.

    Raises
    ------
    InvalidArgumentError
        As :func:`write_file`.
    RecordError
        If the file cannot be read or holds something else.
    """
    try:
        frame = _read_table(path)
    except InvalidArgumentError:
        raise
    except Exception as error:  # pandas and pyarrow raise many kinds
        raise RecordError(f"{path} cannot be read: {reason(error)}") from error
    return from_frame(frame, source=str(path))


def _read_table(path: Path) -> pd.DataFrame:
    if check_format(path) == ".parquet":
        frame = pd.read_parquet(path)
        for name in frame.columns:
            if name.startswith(CURVES):
                frame[name] = [curve.tolist() for curve in frame[name]]
        return frame
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    for name in frame.columns:
        frame[name] = frame[name].map(_curve if name.startswith(CURVES) else _CONVERTERS.get(name, csv_original))
    return frame


def _curve(text: str) -> Any:
    return parse(text).value


_PARSERS: dict[Any, Callable[[str], Any]] = {
    int: int,
    float: lambda text: float(text or "nan"),  # Python's own reading is exact
    bool: lambda text: {"True": True, "False": False}[text],
    int | None: lambda text: int(text) if text else None,
    float | None: lambda text: float(text) if text else None,
    str | None: lambda text: csv_original(text) or None,
}
_CONVERTERS = {f.name: _PARSERS[f.type] for f in stored_fields() if f.type in _PARSERS} | {VERSION: int}


def check_format(path: Path) -> str:
    """The ending of a file of records.

    Raises
    ------
    InvalidArgumentError
        As :func:`write_file`.
    """
    found = next((ending for ending in _FORMATS if path.name.endswith(ending)), None)
    if found is None:
        raise InvalidArgumentError(f"{path.name!r} must end in {', '.join(_FORMATS)}. Example: records.parquet.")
    if found == ".parquet" and find_spec("pyarrow") is None:
        raise InvalidArgumentError(
            f"{path.name!r} needs pyarrow, which is not installed. Use .csv.gz, or, {install('report')}."
        )
    return found
