"""The measured quadrotor flight in ground effect of arXiv 2312.10672: the published table, or its raw logs."""

from pathlib import Path

import numpy as np

from normbench.data.dataset import Dataset
from normbench.data.files import RemoteFile
from normbench.data.preprocessing import COLUMNS, dataset_from_table, preprocess
from normbench.data.rosbag import POSE_FILE, PWM_FILE, VELOCITY_FILE, read_log
from normbench.data.source import FileSet, PublishedSource, SourceInfo
from normbench.errors import DataError

NAME = "quadrotor"
TABLE_FILE = "neural_lander_data.csv"
TABLE_FOLDER = "https://raw.githubusercontent.com/nhcho91/ASGD/47df5e17182a4377dcb0ed3c943af04e83760a55"
LOG_FOLDER = (
    "https://raw.githubusercontent.com/GuanyaShi/neural_lander_sim_1d/30ab04cb5ac3fd4fa55cd2a168ee28aa679f5e9b"
    "/realdata/free_flying_low"
)
# The window of the public preprocessing notebook of the Neural-Lander logs.
WINDOW_START_SECONDS = 35.0
WINDOW_STOP_SECONDS = 325.0


def read_published_table(folder: Path) -> Dataset:
    """Samples of the published table.

    Parameters
    ----------
    folder : Path
        Holds ``neural_lander_data.csv``: a header, then t, z, v (3), q (4), u (4), Fa (3) in each row.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If columns are missing or a cell is not a number.
    """
    import pandas as pd  # half a second that only readers of such files need

    path = folder / TABLE_FILE
    try:
        frame = pd.read_csv(path)
    except (ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{path} is not a CSV table ({error}). Download it again.") from error
    if frame.shape[1] != len(COLUMNS):
        raise DataError(
            f"{path} has {frame.shape[1]} columns; expected {len(COLUMNS)}: {', '.join(COLUMNS)}. Download it again."
        )
    table = frame.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    bad = ~np.isfinite(table)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DataError(
            f"{path}, row {row + 1}, column {COLUMNS[column]}: {frame.iat[row, column]!s} is not a finite number "
            f"({bad.sum()} such cells). The file may be truncated; download it again."
        )
    return dataset_from_table(table, name=NAME, simulated=False)


def build_from_logs(
    folder: Path, *, start_seconds: float = WINDOW_START_SECONDS, stop_seconds: float = WINDOW_STOP_SECONDS
) -> Dataset:
    """Samples from the raw logs, by the published preprocessing.

    Parameters
    ----------
    folder : Path
        Holds the exported pose, velocity and PWM logs.
    start_seconds, stop_seconds : float
        Window on the clock of the logs, which starts at the whole second of the first PWM row. The default is the
        window of the public notebook and gives 29,001 rows. The published table has 28,001: which 280 s it covers
        is not known, so the two are not interchangeable sample by sample.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If a log is malformed or does not cover the window.
    """
    table = preprocess(read_log(folder), start_seconds=start_seconds, stop_seconds=stop_seconds)
    return dataset_from_table(table, name=NAME, simulated=False)


TABLE = RemoteFile(TABLE_FILE, f"{TABLE_FOLDER}/{TABLE_FILE}", "git-blob", "3f26c8aee15c1f899c71cda27925851b1ec5d93c")
LOGS = (
    RemoteFile(POSE_FILE, f"{LOG_FOLDER}/{POSE_FILE}", "git-blob", "a8865b2d4863d9075e9d93d478875ddb27ccf4f0"),
    RemoteFile(VELOCITY_FILE, f"{LOG_FOLDER}/{VELOCITY_FILE}", "git-blob", "67ac1fa3d13b93009827e1caeb2658868ea6b17f"),
    RemoteFile(PWM_FILE, f"{LOG_FOLDER}/{PWM_FILE}", "git-blob", "0bdf5c16bc1d9f6b132839b8c220a4650f49cc96"),
)

SOURCE = PublishedSource(
    SourceInfo(
        name=NAME,
        simulated=False,
        description=(
            "Measured: 280 s of the Neural-Lander quadrotor flying into ground effect, state and rotor speeds to "
            "aerodynamic force (N)."
        ),
        terms="Published without a licence file; downloaded from its authors' repositories, not redistributed here.",
        url="https://github.com/nhcho91/ASGD",
        citation="Shi et al., Neural Lander, arXiv 1811.08027; table as used in arXiv 2312.10672.",
        samples=28_001,
        shape=(12,),
        files=(TABLE,),
    ),
    file_sets=(FileSet((TABLE,), read_published_table), FileSet(LOGS, build_from_logs)),
)
