"""The measured quadrotor flight in ground effect of arXiv 2312.10672: the published table, or its raw logs."""

import io
from collections.abc import Mapping

import numpy as np

from normbench.data.contents import CONTENTS
from normbench.data.dataset import Dataset
from normbench.data.exact import exactly
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
# The window of the public preprocessing notebook, on the clock of the logs: from the whole second of the first PWM row.
WINDOW_START_SECONDS = 35.0
WINDOW_STOP_SECONDS = 325.0


def read_published_table(contents: Mapping[str, bytes]) -> Dataset:
    """Samples of the published table.

    Parameters
    ----------
    contents : mapping of str to bytes
        With ``neural_lander_data.csv``: a header, then t, z, v (3), q (4), u (4), Fa (3) in each row.

    Raises
    ------
    DataError
        If columns are missing or a cell is not a number.
    """
    import pandas as pd  # half a second that only readers of such files need

    try:
        frame = pd.read_csv(io.BytesIO(contents[TABLE_FILE]), **exactly())
    except (ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{TABLE_FILE} is not a CSV table ({error}). Download it again.") from error
    if frame.shape[1] != len(COLUMNS):
        raise DataError(
            f"{TABLE_FILE} has {frame.shape[1]} columns; expected {len(COLUMNS)}: {', '.join(COLUMNS)}. Download it "
            f"again."
        )
    table = frame.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    bad = ~np.isfinite(table)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DataError(
            f"{TABLE_FILE}, row {row + 1}, column {COLUMNS[column]}: {frame.iat[row, column]!s} is not a finite number "
            f"({bad.sum()} such cells). The file may be truncated; download it again."
        )
    return dataset_from_table(table, name=NAME, simulated=False)


def build_from_logs(contents: Mapping[str, bytes]) -> Dataset:
    """Samples from the raw logs, by the published preprocessing, in the window of the public notebook: 29,001 rows.

    The published table has 28,001: which 280 s it covers is not known, so the two are not interchangeable sample by
    sample.

    Parameters
    ----------
    contents : mapping of str to bytes
        The exported pose, velocity and PWM logs by name.

    Raises
    ------
    DataError
        If a log is malformed or does not cover the window.
    """
    table = preprocess(read_log(contents), start_seconds=WINDOW_START_SECONDS, stop_seconds=WINDOW_STOP_SECONDS)
    return dataset_from_table(table, name=NAME, simulated=False)


def _remote(folder: str, name: str) -> RemoteFile:
    (content,) = (found for found in CONTENTS[NAME] if found.name == name)
    return RemoteFile(name, f"{folder}/{name}", content.algorithm, content.digest, text=True)


TABLE = _remote(TABLE_FOLDER, TABLE_FILE)
LOGS = tuple(_remote(LOG_FOLDER, name) for name in (POSE_FILE, VELOCITY_FILE, PWM_FILE))

SOURCE = PublishedSource(
    SourceInfo(
        name=NAME,
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
