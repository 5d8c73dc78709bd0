"""The six measured Neural-Fly flights without wind: figure-8 tracking at 50 Hz under six controllers."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from normbench.data.dataset import Dataset
from normbench.data.files import RemoteFile
from normbench.data.source import FileSet, PublishedSource, SourceInfo
from normbench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

NAME = "neural-fly"
FOLDER = (
    "https://raw.githubusercontent.com/aerorobotics/neural-fly/0ed50246b1f1db194e8f0726749351636d3501bf/data/experiment"
)
DIGESTS = {
    "custom_figure8_L1_nowind.csv": "5de2acb04f22a05bafa58af13b468f69b5273e41f1e3a81618b59a74de3a33e6",
    "custom_figure8_NF-C_nowind.csv": "806ef882c15dcc1f567d8d19430b6de55fb69a3fc294a41a7c7595cdac6fd5fb",
    "custom_figure8_NF-T_nowind.csv": "5245bdb4913f66ce2c5f8078b6a3130cdd346e244e6a8b8e3475eecb14b10c49",
    "custom_figure8_NF_nowind.csv": "885cf1450f2953f6c4e6088a9aa2248a10c02e9ae54fe3884e72a8fbe0371f1a",
    "custom_figure8_baseline_nowind.csv": "9000c62eef3b9ec893f551c4b5dbac6d24d1902dac7705786bb6877c8118808a",
    "custom_figure8_indi_nowind.csv": "1a6e0dfd795cbd59a804a7245cd0476ea7143ffbc1cd5bc1725dfeb68d8ed07d",
}
FILES = tuple(RemoteFile(name, f"{FOLDER}/{name}", "sha256", digest) for name, digest in DIGESTS.items())

WIDTHS = {"p": 3, "v": 3, "q": 4, "pwm": 4, "fa": 3}  # list-valued columns and their lengths
PWM_SCALE = 1000.0
INPUT_NAMES = ("z", "vx", "vy", "vz", "qx", "qy", "qz", "qw", "pwm1", "pwm2", "pwm3", "pwm4")
OUTPUT_NAMES = ("fax", "fay", "faz")


def read_flight(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One flight.

    Parameters
    ----------
    path : Path
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
        frame = pd.read_csv(path, usecols=lambda column: column == "t" or column in WIDTHS)
    except (ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{path} is not a CSV table ({error}). Download it again.") from error
    absent = [column for column in ("t", *WIDTHS) if column not in frame.columns]
    if absent:
        raise DataError(f"{path} lacks the column(s) {', '.join(absent)}; found {', '.join(frame.columns)}.")
    lists = {column: _parse(path, frame[column], column) for column in WIDTHS}
    time = pd.to_numeric(frame["t"], errors="coerce").to_numpy(dtype=np.float64)
    _require_finite(path, {"t": time[:, None], **lists})
    inputs = np.concatenate([lists["p"][:, 2:], lists["v"], lists["q"], lists["pwm"] / PWM_SCALE], axis=1)
    return time, inputs, lists["fa"]


def read_flights(folder: Path) -> Dataset:
    """All six flights, in the order of :data:`FILES`, numbered from 0 in ``Dataset.flight``.

    Parameters
    ----------
    folder : Path
        Holds the six files.

    Returns
    -------
    Dataset
        15,062 samples; ``time`` is that of each flight's own log.
    """
    times, inputs, outputs = zip(*(read_flight(folder / file.name) for file in FILES), strict=True)
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


def _parse(path: Path, cells: "pd.Series", column: str) -> np.ndarray:
    """Lists in JSON, one per cell, as an array of shape (samples, width)."""
    try:
        values = np.array(json.loads(f"[{','.join(cells)}]"), dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise DataError(
            f"{path}, column {column!r}: a cell is not a JSON list of {WIDTHS[column]} numbers ({error}). The file "
            f"may be truncated; download it again."
        ) from error
    if values.shape != (len(cells), WIDTHS[column]):
        raise DataError(
            f"{path}, column {column!r}: lists of shape {values.shape}; expected {(len(cells), WIDTHS[column])}."
        )
    return values


def _require_finite(path: Path, columns: dict[str, np.ndarray]) -> None:
    for column, values in columns.items():
        bad = ~np.isfinite(values).all(axis=1)
        if bad.any():
            row = int(bad.argmax())
            raise DataError(
                f"{path}, row {row + 1}, column {column!r}: {values[row].tolist()} is not finite ({bad.sum()} such "
                f"rows). Download the file again."
            )


SOURCE = PublishedSource(
    SourceInfo(
        name=NAME,
        simulated=False,
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
        files=FILES,
    ),
    file_sets=(FileSet(FILES, read_flights),),
)
