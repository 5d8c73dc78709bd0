"""What the simulated flight is asked to do: the set-points, heading and trims, read off public figures and logs."""

import math
from dataclasses import dataclass

import numpy as np

START_SECONDS = 35.0
STOP_SECONDS = 325.0
LEAD_SECONDS = 3.0  # flown before the logged span, so that it starts in a settled flight
TAIL_SECONDS = 1.0
STEP_SECONDS = 0.0025

FILTER_RATE = (6.0, 6.0, 5.0)  # rad/s along x, y, z: set-points pass (s / w + 1)^-3
CENTRE = (0.25, -0.4)  # m: where the stick motion along x and y is centred

# Amplitude of the horizontal motion: (seconds, share).
ENVELOPE = (
    (48.3, 0), (50, 1), (103, 1), (106, 0.1), (111, 0.1), (114, 1), (184, 1), (190, 0.5), (248, 0.5), (250, 0),
    (262, 0), (266, 0.55), (322, 0.55), (324, 0),
)  # fmt: skip
# Height staircase of the first part: (seconds, m).
STAIRCASE = (
    (44, 1.2), (45.2, 1.53), (78, 1.53), (79.5, 1.25), (107, 1.25), (109, 0.92), (150, 0.92), (151.5, 0.55),
    (170, 0.48), (186, 0.44), (189, 0.25), (195, 0.19), (206, 0.13), (222, 0.13), (229, 0.15), (250, 0.15),
    (250.3, 0.8),
)  # fmt: skip
# Vertical manoeuvres, random heights held for random times: (from s, to s, low m, high m, shortest s, longest s).
MANOEUVRES = ((250.5, 276, 0.3, 1.4, 0.5, 1.1), (276, 323, 0.4, 1.3, 0.6, 1.5))
# The high climb, each height held until CLIMB_END: (from s, m).
CLIMB = ((299.0, 1.8), (300.5, 3.0), (302.5, 2.2), (303.5, 1.3), (304.5, 0.8))
CLIMB_END = 305.5
# Heading, each held until the next: (from s, rad).
EARLY_HEADING = 0.2175
EARLY_HEADING_END = 53.0
MIDDLE_HEADING = 0.015
HEADINGS = (
    (253, -0.12), (262, 0.05), (271, 0.25), (276, -0.04), (296, 0.5), (302, 0.3), (305, 0.1), (311, -0.18), (317, 0.1),
)  # fmt: skip

PITCH_TRIM = 1.2  # N: thrust imbalance between front and rear rotors that holds the airframe level


@dataclass(frozen=True, eq=False)
class Plan:
    """Reference of the flight at the simulation step."""

    time: np.ndarray  # shape (steps,), s
    position: np.ndarray  # shape (steps, 3), m, z up
    velocity: np.ndarray  # shape (steps, 3), m/s
    acceleration: np.ndarray  # shape (steps, 3), m/s^2
    yaw: np.ndarray  # shape (steps,), rad: heading before smoothing


def draw_plan(generator: np.random.RandomState) -> Plan:
    """Draw the random parts of the plan and smooth all of it.

    Parameters
    ----------
    generator : numpy.random.RandomState
        The legacy stream, whose numbers are frozen across NumPy versions.
    """
    time = np.arange(START_SECONDS - LEAD_SECONDS, STOP_SECONDS + TAIL_SECONDS, STEP_SECONDS)
    waypoints = np.stack([*_stick_motion(generator, time), _heights(generator, time)], axis=1)
    smoothed = [_smooth(column.tolist(), rate) for column, rate in zip(waypoints.T, FILTER_RATE, strict=True)]
    position, velocity, acceleration = np.array(smoothed).transpose(2, 1, 0)
    return Plan(time, position, velocity, acceleration, _headings(time))


def yaw_trim(seconds: float) -> float:
    """Thrust imbalance in N between the two spinning directions that holds the heading."""
    return 0.99 if seconds < 48 else 0.27 + 2.7 * math.exp(-(((seconds - 258.5) / 5.0) ** 2))


def _stick_motion(generator: np.random.RandomState, time: np.ndarray) -> list[np.ndarray]:
    """Band-limited motion along x and y in m: 6 slow sines and 16 brisk ones under the envelope."""
    envelope = _interpolate(time, ENVELOPE)
    columns = []
    for centre in CENTRE:
        frequency = np.r_[generator.uniform(0.03, 0.10, size=6), generator.uniform(0.18, 0.44, size=16)]
        phase, amplitude = generator.uniform(0, 2 * np.pi, size=22), generator.uniform(0.5, 1.5, size=22)
        amplitude *= np.where(frequency < 0.12, 0.25, 0.060 / frequency)
        sines = amplitude[:, None] * np.sin(2 * np.pi * frequency[:, None] * time + phase[:, None])
        columns.append(centre * envelope**0.5 + envelope * sines.sum(0))
    return columns


def _heights(generator: np.random.RandomState, time: np.ndarray) -> np.ndarray:
    """Height in m: staircase down into ground effect, random holds, one high climb."""
    height = _interpolate(time, STAIRCASE)
    for begin, end, low, high, shortest, longest in MANOEUVRES:
        since = begin
        while since < end:
            until = min(since + generator.uniform(shortest, longest), end)
            height[(time >= since) & (time < until)] = generator.uniform(low, high)
            since = until
    for since, level in CLIMB:
        height[(time >= since) & (time < CLIMB_END)] = level
    return height


def _headings(time: np.ndarray) -> np.ndarray:
    yaw = np.full(len(time), MIDDLE_HEADING)
    yaw[time < EARLY_HEADING_END] = EARLY_HEADING
    for since, heading in HEADINGS:
        yaw[time >= since] = heading
    return yaw


def _interpolate(time: np.ndarray, knots: tuple[tuple[float, float], ...]) -> np.ndarray:
    seconds, values = zip(*knots, strict=True)
    return np.interp(time, seconds, values)


def _smooth(waypoints: list[float], rate: float) -> list[tuple[float, float, float]]:
    """Pass one axis through (s / rate + 1)^-3: position, velocity and acceleration at each step."""
    first = second = third = waypoints[0]
    reference = []
    for waypoint in waypoints:
        slope0, slope1, slope2 = rate * (waypoint - first), rate * (first - second), rate * (second - third)
        reference.append((third, slope2, rate * (slope1 - slope2)))
        first, second, third = (
            first + STEP_SECONDS * slope0,
            second + STEP_SECONDS * slope1,
            third + STEP_SECONDS * slope2,
        )
    return reference
