"""The six measured Neural-Fly flights without wind: figure-8 tracking at 50 Hz under six controllers."""

import io
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from normbench.data.contents import CONTENTS
from normbench.data.dataset import Dataset
from normbench.data.exact import exactly
from normbench.data.files import RemoteFile
from normbench.data.source import FileSet, PublishedSource, SourceInfo
from normbench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

NAME = "neural-fly"
FOLDER = (
    "https://raw.githubusercontent.com/aerorobotics/neural-fly/0ed50246b1f1db194e8f0726749351636d3501bf/data/experiment"
)
FILES = tuple(
    RemoteFile(content.name, f"{FOLDER}/{content.name}", content.algorithm, content.digest, content.size, text=True)
    for content in CONTENTS[NAME]
)

WIDTHS = {"p": 3, "v": 3, "q": 4, "pwm": 4, "fa": 3}  # list-valued columns and their lengths
PWM_SCALE = 1000.0
INPUT_NAMES = ("z", "vx", "vy", "vz", "qx", "qy", "qz", "qw", "pwm1", "pwm2", "pwm3", "pwm4")
OUTPUT_NAMES = ("fax", "fay", "faz")


def parse_flight(name: str, content: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One flight.

    Parameters
    ----------
    name : str
        Of the file, for messages.
    content : bytes
        CSV with the columns t (s), p (m), v (m/s), q (unit, scalar last), pwm and fa (N), lists as JSON.

    Returns
    -------
    time : array, shape (samples,)
        Seconds.
    inputs : array, shape (samples, 12)
        z, v (3), q (4), pwm / 1000 (4).
    outputs : array, shape (samples, 3)
        Aerodynamic residual force in N.

    Raises
    ------
    DataError
        If a column is missing or a cell is not a list of numbers of the right length.
    """
    import pandas as pd  # half a second that only readers of such files need

    try:
        frame = pd.read_csv(io.BytesIO(content), usecols=lambda column: column == "t" or column in WIDTHS, **exactly())
    except (ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{name} is not a CSV table ({error}). Download it again.") from error
    absent = [column for column in ("t", *WIDTHS) if column not in frame.columns]
    if absent:
        raise DataError(f"{name} lacks the column(s) {', '.join(absent)}; found {', '.join(frame.columns)}.")
    lists = {column: _parse(name, frame[column], column) for column in WIDTHS}
    time = pd.to_numeric(frame["t"], errors="coerce").to_numpy(dtype=np.float64)
    _require_finite(name, {"t": time[:, None], **lists})
    inputs = np.concatenate([lists["p"][:, 2:], lists["v"], lists["q"], lists["pwm"] / PWM_SCALE], axis=1)
    return time, inputs, lists["fa"]


def read_flights(contents: Mapping[str, bytes]) -> Dataset:
    """All six flights, in the order of :data:`FILES`, numbered from 0 in ``Dataset.flight``.

    Parameters
    ----------
    contents : mapping of str to bytes
        The six files by name.

    Returns
    -------
    Dataset
        15,062 samples; ``time`` is that of each flight's own log.
    """
    times, inputs, outputs = zip(*(parse_flight(file.name, contents[file.name]) for file in FILES), strict=True)
    return Dataset(
        name=NAME,
        simulated=False,
        inputs=np.concatenate(inputs),
        outputs=np.concatenate(outputs),
        time=np.concatenate(times),
        flight=np.repeat(np.arange(len(FILES), dtype=np.int64), [len(time) for time in times]),
        input_names=INPUT_NAMES,
        output_names=OUTPUT_NAMES,
        unit="N",
    )


def _parse(name: str, cells: "pd.Series", column: str) -> np.ndarray:
    """Lists in JSON, one per cell, as an array of shape (samples, width)."""
    try:
        values = np.array(json.loads(f"[{','.join(cells)}]"), dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise DataError(
            f"{name}, column {column!r}: a cell is not a JSON list of {WIDTHS[column]} numbers ({error}). The file "
            f"may be truncated; download it again."
        ) from error
    if values.shape != (len(cells), WIDTHS[column]):
        raise DataError(
            f"{name}, column {column!r}: lists of shape {values.shape}; expected {(len(cells), WIDTHS[column])}."
        )
    return values


def _require_finite(name: str, columns: dict[str, np.ndarray]) -> None:
    for column, values in columns.items():
        bad = ~np.isfinite(values).all(axis=1)
        if bad.any():
            row = int(bad.argmax())
            raise DataError(
                f"{name}, row {row + 1}, column {column!r}: {values[row].tolist()} is not finite ({bad.sum()} such "
                f"rows). Download the file again."
            )


SOURCE = PublishedSource(
    SourceInfo(
        name=NAME,
        description=(
            "Measured: six figure-8 flights of a quadrotor without wind at 50 Hz, state and motor commands to "
            "aerodynamic residual force (N)."
        ),
        terms="Personal and educational use, under the terms of its repository; not redistributed here.",
        url="https://github.com/aerorobotics/neural-fly",
        citation="O'Connell et al., Neural-Fly enables rapid learning for agile flight in strong winds, "
        "Science Robotics 7 (66), 2022, arXiv 2205.06908.",
        samples=15_062,
        shape=(12,),
        splits=("random", "blocked", "grouped"),
        files=FILES,
    ),
    file_sets=(FileSet(FILES, read_flights),),
)
