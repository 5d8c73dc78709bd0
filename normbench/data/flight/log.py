"""What the simulated flight's instruments record: jittered stamps, lag, noise, glitches, whole-number PWM."""

from dataclasses import dataclass

import numpy as np

from normbench.data.flight.plan import START_SECONDS, STEP_SECONDS, STOP_SECONDS
from normbench.data.preprocessing import FlightLog, interpolate_columns


@dataclass(frozen=True)
class Instruments:
    """Constants of the log, fitted to public figures."""

    pose_rate: float = 99.8  # Hz, mean rates of the two streams
    pwm_rate: float = 99.92
    pose_jitter: float = 0.002  # s, half widths of the uniform errors of the stamps
    pwm_jitter: float = 0.001
    velocity_lag: float = 0.025  # s, time constant of the state estimator
    velocity_noise: tuple[float, float, float] = (0.0013, 0.0012, 0.0032)  # m/s, white, along x, y, z
    position_noise: float = 0.002  # m, white
    quaternion_noise: float = 0.0008  # dimensionless, white
    mount: tuple[float, float] = (0.0, -0.0125)  # rad, half the mounting error of the attitude frame about x and y
    glitch_decay: float = 0.08  # s, in which a velocity glitch fades
    burst: tuple[float, float] = (47.5, 73.0)  # s, span of dense glitches
    burst_rate: float = 25.0  # 1/s, glitches in the burst
    burst_size: float = 0.0240  # m/s
    burst_slot: float = 3.0  # s, for which the direction and mean size of the glitches stay the same
    rare_start: float = 47.0  # s, from which there are glitches elsewhere
    rare_rate: float = 0.08  # 1/s
    rare_size: float = 0.012  # m/s


INSTRUMENTS = Instruments()


@dataclass(frozen=True, eq=False)
class Flight:
    """True motion at the simulation step."""

    time: np.ndarray  # shape (steps,), s
    position: np.ndarray  # shape (steps, 3), m
    velocity: np.ndarray  # shape (steps, 3), m/s
    quaternion: np.ndarray  # shape (steps, 4), unit, scalar last
    pwm: np.ndarray  # shape (steps, 4), microseconds: motor commands, not rounded


def record(generator: np.random.RandomState, flight: Flight) -> FlightLog:
    """Log of a flight, as its instruments would have written it.

    Parameters
    ----------
    generator : numpy.random.RandomState
        The stream that the plan and the flight have already drawn from.
    flight : Flight
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
