"""From a flight log to samples, as published with the Neural-Lander logs (arXiv 1811.08027)."""

from dataclasses import dataclass, fields

import numpy as np

from normbench.data.dataset import Dataset
from normbench.data.vehicle import NEURAL_LANDER, Vehicle, pwm_to_rpm
from normbench.errors import DataError, InvalidArgumentError
from normbench.numbers import as_number

SAMPLE_RATE = 100  # Hz
INPUT_NAMES = ("z", "vx", "vy", "vz", "qx", "qy", "qz", "qw", "u1", "u2", "u3", "u4")
OUTPUT_NAMES = ("Fax", "Fay", "Faz")
COLUMNS = ("t", *INPUT_NAMES, *OUTPUT_NAMES)


@dataclass(frozen=True, eq=False)
class FlightLog:
    """Three recorded streams on one clock, each with increasing stamps.

    Attributes
    ----------
    pose_time, velocity_time, pwm_time : array, shape (rows of the stream,)
        Seconds.
    position : array, shape (rows, 3)
        In m, z up.
    quaternion : array, shape (rows, 4)
        Body to world, scalar last.
    velocity : array, shape (rows, 3)
        In m/s, world frame.
    pwm : array, shape (rows, 4)
        Motor commands, in microseconds.
    """

    pose_time: np.ndarray
    position: np.ndarray
    quaternion: np.ndarray
    velocity_time: np.ndarray
    velocity: np.ndarray
    pwm_time: np.ndarray
    pwm: np.ndarray


def preprocess(
    log: FlightLog, *, start_seconds: float, stop_seconds: float, vehicle: Vehicle = NEURAL_LANDER
) -> np.ndarray:
    """Published preprocessing: 100 Hz by linear interpolation, five-point acceleration, residual force.

    Fa = m a + m g e3 - T R e3,   T = K_T sum RPM^2

    Parameters
    ----------
    log : FlightLog
    start_seconds, stop_seconds : float
        First and last row, on the clock of the log; every stream must cover them.
    vehicle : Vehicle

    Returns
    -------
    array, shape (100 (stop - start) + 1, 16), float64
        t in s, z in m, v (3) in m/s, q (4, scalar last), u (4) = RPM / 8000, Fa (3) in N. The acceleration of the
        first and last two rows is taken as 0, as published.

    Raises
    ------
    InvalidArgumentError
        If the window is empty, or no numbers.
    DataError
        If a stream does not cover the window.
    """
    start, stop = as_number(start_seconds), as_number(stop_seconds)
    if start is None or stop is None or not stop > start:
        raise InvalidArgumentError(
            f"start_seconds and stop_seconds must be numbers, the second the larger; got {start_seconds=}, "
            f"{stop_seconds=}."
        )
    _check_cover(log, start, stop)
    time = np.linspace(start, stop, round(SAMPLE_RATE * (stop - start)) + 1)
    height = interpolate_columns(time, log.pose_time, log.position)[:, 2:]
    velocity = interpolate_columns(time, log.velocity_time, log.velocity)
    quaternion = interpolate_columns(time, log.pose_time, log.quaternion)
    rpm = pwm_to_rpm(interpolate_columns(time, log.pwm_time, log.pwm), vehicle)
    thrust = vehicle.newton_per_rpm2 * (rpm**2).sum(1, keepdims=True)
    inertial = vehicle.mass * five_point_difference(velocity) + [0, 0, vehicle.mass * vehicle.gravity]
    force = inertial - thrust * body_axis(quaternion)
    return np.concatenate([time[:, None], height, velocity, quaternion, rpm / vehicle.rpm_scale, force], axis=1)


def interpolate_columns(time: np.ndarray, stamps: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Linear interpolation of each column at new times.

    Parameters
    ----------
    time : array, shape (samples,)
    stamps : array, shape (rows,)
        Increasing.
    columns : array, shape (rows, width)

    Returns
    -------
    array, shape (samples, width)
    """
    return np.stack([np.interp(time, stamps, column) for column in columns.T], axis=1)


def five_point_difference(values: np.ndarray) -> np.ndarray:
    """Derivative at 100 Hz, exact on polynomials of degree 4: (-f(2) + 8 f(1) - 8 f(-1) + f(-2)) / 12 h.

    Parameters
    ----------
    values : array, shape (samples, width)

    Returns
    -------
    array, shape (samples, width)
        Per second; 0 in the first and last two rows.
    """
    slope = np.zeros_like(values)
    slope[2:-2] = (-values[4:] + 8 * values[3:-1] - 8 * values[1:-3] + values[:-4]) / 12 * SAMPLE_RATE
    return slope


def body_axis(quaternion: np.ndarray) -> np.ndarray:
    """Third column of R, the direction of thrust in the world frame.

    Parameters
    ----------
    quaternion : array, shape (samples, 4)
        Scalar last.

    Returns
    -------
    array, shape (samples, 3)
    """
    x, y, z, s = quaternion.T
    return np.stack([2 * (x * z + y * s), 2 * (y * z - x * s), -x * x - y * y + z * z + s * s], axis=1)


def dataset_from_table(table: np.ndarray, *, name: str, simulated: bool) -> Dataset:
    """Samples of a preprocessed flight.

    Parameters
    ----------
    table : array, shape (samples, 16)
        As :func:`preprocess` returns it.
    name : str
        Registry key of the source.
    simulated : bool

    Returns
    -------
    Dataset
    """
    inputs, outputs = 1, 1 + len(INPUT_NAMES)
    return Dataset(
        name=name,
        simulated=simulated,
        inputs=np.ascontiguousarray(table[:, inputs:outputs]),
        outputs=np.ascontiguousarray(table[:, outputs:]),
        time=table[:, 0].copy(),
        flight=np.zeros(len(table), dtype=np.int64),
        input_names=INPUT_NAMES,
        output_names=OUTPUT_NAMES,
        unit="N",
    )


def _check_cover(log: FlightLog, start_seconds: float, stop_seconds: float) -> None:
    for field in fields(log):
        if not field.name.endswith("_time"):
            continue
        stamps = getattr(log, field.name)
        if len(stamps) == 0 or stamps[0] > start_seconds or stamps[-1] < stop_seconds:
            span = f"{stamps[0]:.3f} to {stamps[-1]:.3f} s" if len(stamps) else "no rows"
            raise DataError(
                f"{field.name.removesuffix('_time')} log covers {span}, not the window {start_seconds:g} to "
                f"{stop_seconds:g} s. Choose start_seconds and stop_seconds inside the log."
            )
