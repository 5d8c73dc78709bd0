"""Reads the raw Neural-Lander logs: mavros topics exported to CSV, one row per message."""

import csv
import io
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from normbench.data.exact import exactly
from normbench.data.preprocessing import FlightLog
from normbench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

POSE_FILE = "_slash_mavros_slash_local_position_slash_pose.csv"
VELOCITY_FILE = "_slash_mavros_slash_local_position_slash_velocity.csv"
PWM_FILE = "_slash_mavros_slash_rc_slash_out.csv"
MOTORS = 4
HEADER_BYTES = 10_000  # the first line is within


def read_log(contents: Mapping[str, bytes]) -> FlightLog:
    """Pose, velocity and PWM logs on one clock.

    Parameters
    ----------
    contents : mapping of str to bytes
        The three exported files by name.

    Returns
    -------
    FlightLog
        Seconds count from the whole second of the first PWM row, as in the published preprocessing.

    Raises
    ------
    DataError
        If a column is missing or a cell cannot be read.
    """
    pwm_stamps, pwm = _read_channels(contents, PWM_FILE)
    pose_stamps, pose = _read_groups(contents, POSE_FILE, {"position": 3, "orientation": 4})
    velocity_stamps, velocity = _read_groups(contents, VELOCITY_FILE, {"linear": 3})
    origin = pwm_stamps[0, 0]
    pwm_time, pwm = _ordered(pwm_stamps, origin, pwm)
    pose_time, pose = _ordered(pose_stamps, origin, pose)
    velocity_time, velocity = _ordered(velocity_stamps, origin, velocity)
    return FlightLog(pose_time, pose[:, :3], pose[:, 3:], velocity_time, velocity, pwm_time, pwm)


def _read_groups(contents: Mapping[str, bytes], name: str, groups: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """Stamps (rows, 2) and the columns that follow each group's name; x, y, z occur twice, so places count."""
    header = _header(contents[name])
    columns = [_place(name, header, "secs"), _place(name, header, "nsecs")]
    for group, width in groups.items():
        place = _place(name, header, group)
        if place + width >= len(header):
            raise DataError(f"{name} has fewer than {width} columns after {group!r}. Export the topic again.")
        columns += range(place + 1, place + 1 + width)
    frame = _read_columns(contents, name, columns)
    import pandas as pd

    numbers = frame.apply(pd.to_numeric, errors="coerce")
    bad = ~np.isfinite(numbers.to_numpy(dtype=np.float64))
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DataError(
            f"{name}, row {row + 1}, column {header[columns[column]]!r}: {frame.iat[row, column]!s} is not a finite "
            f"number. The file may be truncated; download it again."
        )
    return numbers.iloc[:, :2].to_numpy(dtype=np.int64), numbers.iloc[:, 2:].to_numpy(dtype=np.float64)


def _read_channels(contents: Mapping[str, bytes], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Stamps (rows, 2) and motor commands (rows, 4) in microseconds, from cells such as "[1190, 1190, ...]"."""
    stamps, _ = _read_groups(contents, name, {})
    cells = _read_columns(contents, name, [_place(name, _header(contents[name]), "channels")]).iloc[:, 0]
    try:
        channels = np.array(json.loads(f"[{','.join(cells)}]"), dtype=np.float64)
        commands = channels[:, :MOTORS]
    except (ValueError, TypeError, IndexError) as error:
        raise DataError(f"{name}, column 'channels': not one list of numbers per row ({error}).") from error
    if commands.shape[1] != MOTORS or not np.isfinite(commands).all():
        raise DataError(f"{name}, column 'channels': expected {MOTORS} finite motor commands per row.")
    return stamps, commands


def _header(content: bytes) -> list[str]:
    return next(csv.reader(content[:HEADER_BYTES].decode("utf-8", errors="replace").splitlines()), [])


def _place(name: str, header: list[str], column: str) -> int:
    if column not in header:
        raise DataError(f"{name} has no column {column!r}; found {', '.join(header) or 'nothing'}.")
    return header.index(column)


def _read_columns(contents: Mapping[str, bytes], name: str, columns: list[int]) -> "pd.DataFrame":
    import pandas as pd  # half a second that only readers of such files need

    try:
        frame = pd.read_csv(io.BytesIO(contents[name]), header=None, skiprows=1, usecols=columns, **exactly())
    except (ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{name} is not a table of messages ({error}). Download it again.") from error
    return frame[columns]


def _ordered(stamps: np.ndarray, origin: int, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows in order of time, with the time in s since the whole second ``origin``."""
    time = (stamps[:, 0] - origin) + stamps[:, 1] / 1e9
    order = np.argsort(time, kind="stable")
    return time[order], values[order]
