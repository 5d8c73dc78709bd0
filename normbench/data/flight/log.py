"""What the simulated flight's instruments record: jittered stamps, lag, noise, glitches, whole-number PWM."""

from dataclasses import dataclass

import numpy as np

from normbench.data.flight.plan import START_SECONDS, STEP_SECONDS, STOP_SECONDS
from normbench.data.preprocessing import FlightLog, interpolate_columns


@dataclass(frozen=True)
class Instruments:
    """Constants of the log, fitted to public figures.

    Attributes
    ----------
    pose_rate, pwm_rate : float
        Mean rates of the two streams, in Hz.
    pose_jitter, pwm_jitter : float
        Half widths of the uniform errors of the stamps, in s.
    velocity_lag : float
        Time constant of the state estimator, in s.
    velocity_noise : tuple of float
        White noise along x, y, z, in m/s.
    position_noise, quaternion_noise : float
        White noise, in m and dimensionless.
    mount : tuple of float
        Half the mounting error of the attitude frame about x and y, in rad.
    glitch_decay : float
        Time constant in which a velocity glitch fades, in s.
    burst : tuple of float
        Span of dense glitches, in s.
    burst_rate, burst_size : float
        Glitches in the burst, per second and in m/s.
    burst_slot : float
        Time for which the direction and mean size of the glitches stay the same, in s.
    rare_start, rare_rate, rare_size : float
        Glitches elsewhere: from s, per second, in m/s.
    """

    pose_rate: float = 99.8
    pwm_rate: float = 99.92
    pose_jitter: float = 0.002
    pwm_jitter: float = 0.001
    velocity_lag: float = 0.025
    velocity_noise: tuple[float, float, float] = (0.0013, 0.0012, 0.0032)
    position_noise: float = 0.002
    quaternion_noise: float = 0.0008
    mount: tuple[float, float] = (0.0, -0.0125)
    glitch_decay: float = 0.08
    burst: tuple[float, float] = (47.5, 73.0)
    burst_rate: float = 25.0
    burst_size: float = 0.0240
    burst_slot: float = 3.0
    rare_start: float = 47.0
    rare_rate: float = 0.08
    rare_size: float = 0.012


INSTRUMENTS = Instruments()


@dataclass(frozen=True, eq=False)
class Flight:
    """True motion at the simulation step.

    Attributes
    ----------
    time : array, shape (steps,)
        Seconds.
    position, velocity : array, shape (steps, 3)
        In m and m/s.
    quaternion : array, shape (steps, 4)
        Unit, scalar last.
    pwm : array, shape (steps, 4)
        Motor commands in microseconds, not rounded.
    """

    time: np.ndarray
    position: np.ndarray
    velocity: np.ndarray
    quaternion: np.ndarray
    pwm: np.ndarray


def record(generator: np.random.RandomState, flight: Flight) -> FlightLog:
    """Log of a flight, as its instruments would have written it.

    Parameters
    ----------
    generator : numpy.random.RandomState
        The stream that the plan and the flight have already drawn from.
    flight : Flight

    Returns
    -------
    FlightLog
    """
    pose_time, pwm_time = (_clock(rate) for rate in (INSTRUMENTS.pose_rate, INSTRUMENTS.pwm_rate))
    pose_time += generator.uniform(-INSTRUMENTS.pose_jitter, INSTRUMENTS.pose_jitter, size=len(pose_time))
    pwm_time += generator.uniform(-INSTRUMENTS.pwm_jitter, INSTRUMENTS.pwm_jitter, size=len(pwm_time))
    rows = len(pose_time)
    velocity = interpolate_columns(pose_time, flight.time, _lagged(flight.velocity))
    velocity = velocity + generator.normal(size=(rows, 3)) * INSTRUMENTS.velocity_noise
    velocity = velocity + _velocity_glitches(generator, pose_time)
    position = interpolate_columns(pose_time, flight.time, flight.position)
    position = position + generator.normal(size=(rows, 3)) * INSTRUMENTS.position_noise
    quaternion = _mounted(interpolate_columns(pose_time, flight.time, flight.quaternion))
    quaternion += generator.normal(size=(rows, 4)) * INSTRUMENTS.quaternion_noise * [1, 1, 1, 0]
    quaternion /= np.sqrt((quaternion**2).sum(1, keepdims=True))
    last_step = np.searchsorted(flight.time, pwm_time) - 1
    return FlightLog(
        pose_time=pose_time,
        position=position,
        quaternion=quaternion,
        velocity_time=pose_time,
        velocity=velocity,
        pwm_time=pwm_time,
        pwm=np.rint(flight.pwm[last_step]),
    )


def _clock(rate: float) -> np.ndarray:
    """Even stamps in s that start 1 s before the logged span and end 0.8 s after it."""
    return START_SECONDS - 1 + np.arange(int((STOP_SECONDS - START_SECONDS + 1.8) * rate)) / rate


def _lagged(velocity: np.ndarray) -> np.ndarray:
    """First-order lag of the estimator along each axis."""
    share = STEP_SECONDS / INSTRUMENTS.velocity_lag
    columns = []
    for column in velocity.T.tolist():
        estimate = column[0]
        lagged = [estimate]
        for value in column[1:]:
            estimate += share * (value - estimate)
            lagged.append(estimate)
        columns.append(lagged)
    return np.array(columns).T


def _mounted(quaternion: np.ndarray) -> np.ndarray:
    """Attitude seen through the mounting error: q (mx, my, 0, 1)."""
    (x, y, z, w), (mx, my) = quaternion.T, INSTRUMENTS.mount
    rows = [x + w * mx - z * my, y + w * my + z * mx, z + x * my - y * mx, w - x * mx - y * my]
    return np.stack(rows, axis=1)


def _velocity_glitches(generator: np.random.RandomState, time: np.ndarray) -> np.ndarray:
    """Velocity error in m/s: Poisson jumps of the motion capture that decay, dense and horizontal in the burst."""
    rows, interval = len(time), np.gradient(time)
    slot = np.floor(time / INSTRUMENTS.burst_slot).astype(int)
    size = generator.uniform(0.5, 1.5, size=200)[slot] * INSTRUMENTS.burst_size
    angle = generator.uniform(0, 2 * np.pi, size=200)[slot]
    angle = np.where(time < 58, 0.3, 1.25) + 0.4 * np.sin(angle)  # first mostly along x, then mostly along y
    begin, end = INSTRUMENTS.burst
    hit = (time > begin) & (time < end) & (generator.uniform(size=rows) < INSTRUMENTS.burst_rate * interval)
    horizontal, vertical = generator.normal(size=rows), 0.25 * generator.normal(size=rows)
    direction = np.stack((horizontal * np.cos(angle), horizontal * np.sin(angle), vertical), axis=1)
    jump = (hit * size)[:, None] * direction
    rare = (time > INSTRUMENTS.rare_start) & (generator.uniform(size=rows) < INSTRUMENTS.rare_rate * interval)
    jump += rare[:, None] * INSTRUMENTS.rare_size * generator.laplace(size=(rows, 3))
    error, memory = np.zeros((rows, 3)), np.exp(-interval / INSTRUMENTS.glitch_decay)
    for k in range(1, rows):
        error[k] = memory[k] * error[k - 1] + jump[k]
    return error
