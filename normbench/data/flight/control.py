"""Autopilot of the simulated quadrotor: position PID with feed-forward, tilt error, rate loop, mixer, PWM map."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from normbench.data.flight.airframe import AIRFRAME, NEWTON_PER_RPM2
from normbench.data.flight.dynamics import Body
from normbench.data.flight.plan import PITCH_TRIM, STEP_SECONDS
from normbench.data.vehicle import NEURAL_LANDER, rpm_to_pwm

Vector = Sequence[float]


@dataclass(frozen=True)
class Gains:
    """Constants of the autopilot; vectors are along x, y, z."""

    position: tuple[float, float, float] = (5.0, 5.0, 9.0)  # 1/s^2
    velocity: float = 3.2  # 1/s
    integral: tuple[float, float, float] = (1.5, 1.5, 4.0)  # 1/s^3
    tilt: float = 9.0  # 1/s: demanded body rate per tilt error
    heading: float = 0.35  # weight of the heading error beside the tilt error, dimensionless
    rate: tuple[float, float, float] = (22.0, 22.0, 8.0)  # 1/s: angular acceleration per rate error
    heading_rate: float = 3.0  # 1/s, at which the heading reference follows its target
    lowest_vertical: float = 3.0  # m/s^2, lower limit of the demanded vertical acceleration
    lowest_thrust: float = 2.0  # m/s^2, lower limit of thrust per mass
    lowest_rotor_thrust: float = 0.05  # N, lower limit of four times one rotor's thrust
    highest_rpm: float = 9000.0  # RPM, upper limit of the demanded rotor speed
    lowest_pwm: float = 1200.0  # microseconds, limits of the motor command
    highest_pwm: float = 1900.0


GAINS = Gains()


class Autopilot:
    """Turns a reference and the state of the body into four motor commands, once per simulation step.

    Parameters
    ----------
    heading : float
        Initial heading reference, in rad.
    """

    def __init__(self, heading: float) -> None:
        self._heading = heading
        self._integral = [0.0, 0.0, 0.0]

    def command(
        self, body: Body, reference: tuple[Vector, Vector, Vector], heading: float, gyro_noise: Vector, yaw_trim: float
    ) -> list[float]:
        """Motor commands for one step.

        Parameters
        ----------
        body : Body
        reference : tuple of three vectors
            Position in m, velocity in m/s, acceleration in m/s^2.
        heading : float
            Target, in rad.
        gyro_noise : vector
            Error of the measured body rates, in rad/s.
        yaw_trim : float
            Feed-forward thrust imbalance about the yaw axis, in N.

        Returns
        -------
        list of four floats
            Microseconds, not rounded: whole numbers in the loop would make the flight chaotic.
        """
        demand = self._acceleration(body, reference)
        zx, zy, zz = (row[2] for row in body.rotation)
        thrust = NEURAL_LANDER.mass * max(demand[0] * zx + demand[1] * zy + demand[2] * zz, GAINS.lowest_thrust)
        self._heading += STEP_SECONDS * GAINS.heading_rate * (heading - self._heading)
        error = _attitude_error(body.rotation, demand, self._heading)
        torque = [
            AIRFRAME.inertia[j] * GAINS.rate[j] * (GAINS.tilt * error[j] - body.rates[j] - gyro_noise[j])
            for j in range(3)
        ]
        return _mix(thrust, torque, yaw_trim)

    def _acceleration(self, body: Body, reference: tuple[Vector, Vector, Vector]) -> list[float]:
        """Demanded acceleration plus gravity, in m/s^2."""
        position, velocity, acceleration = reference
        demand = [0.0, 0.0, 0.0]
        for j in range(3):
            error = position[j] - body.position[j]
            self._integral[j] += STEP_SECONDS * error * GAINS.integral[j]
            damping = GAINS.velocity * (velocity[j] - body.velocity[j])
            demand[j] = acceleration[j] + damping + GAINS.position[j] * error + self._integral[j]
        demand[2] = max(demand[2] + NEURAL_LANDER.gravity, GAINS.lowest_vertical)
        return demand


def _attitude_error(rotation: Sequence[Vector], demand: Vector, heading: float) -> list[float]:
    """Tilt error R^T (z_body x z_demand) about x and y, weighted heading error about z; in rad."""
    norm = math.sqrt(demand[0] ** 2 + demand[1] ** 2 + demand[2] ** 2)
    ax, ay, az = demand[0] / norm, demand[1] / norm, demand[2] / norm
    (xx, yx, zx), (xy, yy, zy), (xz, yz, zz) = rotation  # xy: component along world y of the body's x axis
    cx, cy, cz = zy * az - zz * ay, zz * ax - zx * az, zx * ay - zy * ax
    roll, pitch = xx * cx + xy * cy + xz * cz, yx * cx + yy * cy + yz * cz
    return [roll, pitch, GAINS.heading * (heading - math.atan2(xy, xx))]


def _mix(thrust: float, torque: Vector, yaw_trim: float) -> list[float]:
    """Commands of rotors 1 front-right and 2 rear-left (counter-clockwise), 3 front-left and 4 rear-right."""
    roll = torque[0] / AIRFRAME.arm
    pitch = torque[1] / AIRFRAME.arm + PITCH_TRIM
    yaw = torque[2] / AIRFRAME.yaw_arm + yaw_trim
    shares = (
        thrust - roll - pitch - yaw,
        thrust + roll + pitch - yaw,
        thrust + roll - pitch + yaw,
        thrust - roll + pitch + yaw,
    )
    return [_motor_command(share) for share in shares]


def _motor_command(share: float) -> float:
    """Motor command whose steady nominal thrust is a quarter of ``share``."""
    rpm = min(math.sqrt(max(share, GAINS.lowest_rotor_thrust) / 4 / NEWTON_PER_RPM2), GAINS.highest_rpm)
    return min(max(rpm_to_pwm(rpm), GAINS.lowest_pwm), GAINS.highest_pwm)
