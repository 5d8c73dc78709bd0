"""From a flight log to samples, as published with the Neural-Lander logs (arXiv 1811.08027)."""

from dataclasses import dataclass, fields

import numpy as np

from normbench.data.dataset import Dataset
from normbench.data.vehicle import NEURAL_LANDER, pwm_to_rpm
from normbench.errors import DataError, InvalidArgumentError
from normbench.numbers import as_number

SAMPLE_RATE = 100  # Hz
INPUT_NAMES = ("z", "vx", "vy", "vz", "qx", "qy", "qz", "qw", "u1", "u2", "u3", "u4")
OUTPUT_NAMES = ("Fax", "Fay", "Faz")
COLUMNS = ("t", *INPUT_NAMES, *OUTPUT_NAMES)


@dataclass(frozen=True, eq=False)
class FlightLog:
    """Three recorded streams on one clock, each with increasing stamps in s and rows of its own."""

    pose_time: np.ndarray
    position: np.ndarray  # shape (rows, 3), m, z up
    quaternion: np.ndarray  # shape (rows, 4), body to world, scalar last
    velocity_time: np.ndarray
    velocity: np.ndarray  # shape (rows, 3), m/s, world frame
    pwm_time: np.ndarray
    pwm: np.ndarray  # shape (rows, 4), microseconds: motor commands


def preprocess(log: FlightLog, *, start_seconds: float, stop_seconds: float) -> np.ndarray:
    """Published preprocessing: 100 Hz by linear interpolation, five-point acceleration, residual force.

    Fa = m a + m g e3 - T R e3,   T = K_T sum RPM^2

    Parameters
    ----------
    log : FlightLog
    start_seconds, stop_seconds : float
        First and last row, on the clock of the log; every stream must cover them.

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
    rpm = pwm_to_rpm(interpolate_columns(time, log.pwm_time, log.pwm))
    thrust = NEURAL_LANDER.newton_per_rpm2 * (rpm**2).sum(1, keepdims=True)
    inertial = NEURAL_LANDER.mass * five_point_difference(velocity) + [0, 0, NEURAL_LANDER.mass * NEURAL_LANDER.gravity]
    force = inertial - thrust * body_axis(quaternion)
    return np.concatenate([time[:, None], height, velocity, quaternion, rpm / NEURAL_LANDER.rpm_scale, force], axis=1)


def interpolate_columns(time: np.ndarray, stamps: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Linear interpolation of columns (rows, width) with increasing stamps at new times; shape (samples, width)."""
    return np.stack([np.interp(time, stamps, column) for column in columns.T], axis=1)


def five_point_difference(values: np.ndarray) -> np.ndarray:
    """Derivative of columns at 100 Hz, per second; 0 in the first and last two rows.

    Exact on polynomials of degree 4: (-f(2) + 8 f(1) - 8 f(-1) + f(-2)) / 12 h
    """
    slope = np.zeros_like(values)
    slope[2:-2] = (-values[4:] + 8 * values[3:-1] - 8 * values[1:-3] + values[:-4]) / 12 * SAMPLE_RATE
    return slope


def body_axis(quaternion: np.ndarray) -> np.ndarray:
    """Third column of R, the direction of thrust in the world frame, of quaternions with the scalar last."""
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
