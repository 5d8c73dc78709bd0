"""Rigid-body motion of the simulated quadrotor under rotor thrust, drag, ground effect and turbulence."""

import math
from collections.abc import Sequence

from normbench.data.flight.airframe import AIRFRAME, TURBULENCE, drag, ground_effect, rotor_thrusts
from normbench.data.flight.plan import PITCH_TRIM, STEP_SECONDS
from normbench.data.vehicle import NEURAL_LANDER, pwm_to_rpm

Vector = Sequence[float]

FORCE_MEMORY = math.exp(-STEP_SECONDS / TURBULENCE.force_time)
MOMENT_MEMORY = math.exp(-STEP_SECONDS / TURBULENCE.moment_time)
MEMORY = (FORCE_MEMORY,) * 3 + (MOMENT_MEMORY,) * 3
RENEWAL = tuple(math.sqrt(1 - memory * memory) for memory in MEMORY)
HORIZONTAL_SHARES = (TURBULENCE.horizontal_share, TURBULENCE.horizontal_share, 1.0)


class Body:
    """State of the simulated quadrotor, advanced one simulation step at a time.

    Parameters
    ----------
    position : vector
        x, y, z in m, z up.
    heading : float
        In rad; the airframe starts level and at rest.
    """

    def __init__(self, position: Vector, heading: float) -> None:
        self.position = list(position)  # m, world frame
        self.velocity = [0.0, 0.0, 0.0]  # m/s, world frame
        # Unit, scalar last, body to world; the scalar part is near -1, as in the real log.
        self.quaternion = [0.0, 0.0, -math.sin(heading / 2), -math.cos(heading / 2)]
        self.rotation = rotation_matrix(self.quaternion)  # rows of R
        self.rates = [0.0, 0.0, 0.0]  # rad/s, angular velocity, body frame
        self.rpm = [AIRFRAME.initial_rpm] * 4
        self.turbulence = [0.0] * 6  # Ornstein-Uhlenbeck processes of unit variance: three forces, three moments

    def step(self, pwm: Vector, noise: Vector, yaw_trim: float) -> None:
        """Advance by one simulation step (semi-implicit Euler).

        Parameters
        ----------
        pwm : vector of four
            Motor commands, in microseconds.
        noise : vector of six
            Standard normal numbers that drive the turbulence.
        yaw_trim : float
            Imbalance of the airframe about the yaw axis, in N of thrust.
        """
        for j in range(4):
            self.rpm[j] += STEP_SECONDS / AIRFRAME.motor_lag * (pwm_to_rpm(pwm[j]) - self.rpm[j])
        velocity, rotation = self.velocity, self.rotation
        horizontal_speed2 = velocity[0] ** 2 + velocity[1] ** 2
        speed = math.sqrt(horizontal_speed2 + velocity[2] ** 2)
        ground_gain = ground_effect(self.position[2], horizontal_speed2)
        thrusts = rotor_thrusts(self.rpm, ground_gain, horizontal_speed2)
        body_velocity = [
            rotation[0][j] * velocity[0] + rotation[1][j] * velocity[1] + rotation[2][j] * velocity[2] for j in range(3)
        ]
        for j in range(6):
            self.turbulence[j] = MEMORY[j] * self.turbulence[j] + RENEWAL[j] * noise[j]
        force = drag(body_velocity, speed)
        force[2] += thrusts[0] + thrusts[1] + thrusts[2] + thrusts[3]
        self._translate(force, _force_deviation(speed, ground_gain))
        moment = TURBULENCE.moment + TURBULENCE.moment_per_speed * speed
        self._rotate(_torque(thrusts, body_velocity, [moment * f for f in self.turbulence[3:]], yaw_trim))

    def _translate(self, force: Vector, deviation: float) -> None:
        """Move under a body-frame force in N and vertical turbulence of the given deviation in N."""
        for j, row in enumerate(self.rotation):
            gust = deviation * self.turbulence[j] * HORIZONTAL_SHARES[j]
            total = row[0] * force[0] + row[1] * force[1] + row[2] * force[2] + gust
            gravity = NEURAL_LANDER.gravity if j == 2 else 0.0
            self.velocity[j] += STEP_SECONDS * (total / NEURAL_LANDER.mass - gravity)
            self.position[j] += STEP_SECONDS * self.velocity[j]

    def _rotate(self, torque: Vector) -> None:
        """Turn under a body-frame torque in N m: Euler's equations, then the quaternion, normalised."""
        inertia, w = AIRFRAME.inertia, self.rates
        gyroscopic = (
            w[1] * w[2] * (inertia[2] - inertia[1]),
            w[2] * w[0] * (inertia[0] - inertia[2]),
            w[0] * w[1] * (inertia[1] - inertia[0]),
        )
        self.rates = w = [w[j] + STEP_SECONDS * (torque[j] - gyroscopic[j]) / inertia[j] for j in range(3)]
        hx, hy, hz = w[0] * STEP_SECONDS / 2, w[1] * STEP_SECONDS / 2, w[2] * STEP_SECONDS / 2
        x, y, z, s = self.quaternion
        turned = (
            x + s * hx + y * hz - z * hy,
            y + s * hy + z * hx - x * hz,
            z + s * hz + x * hy - y * hx,
            s - x * hx - y * hy - z * hz,
        )
        norm = math.sqrt(turned[0] ** 2 + turned[1] ** 2 + turned[2] ** 2 + turned[3] ** 2)
        self.quaternion = [component / norm for component in turned]
        self.rotation = rotation_matrix(self.quaternion)


def rotation_matrix(quaternion: Vector) -> tuple[tuple[float, float, float], ...]:
    """Rows of R, body to world, of a unit quaternion with its scalar last."""
    x, y, z, s = quaternion
    return (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * s), 2 * (x * z + y * s)),
        (2 * (x * y + z * s), 1 - 2 * (x * x + z * z), 2 * (y * z - x * s)),
        (2 * (x * z - y * s), 2 * (y * z + x * s), 1 - 2 * (x * x + y * y)),
    )


def _force_deviation(speed: float, ground_gain: float) -> float:
    """Standard deviation of the vertical turbulence in N: a base, a part per speed, a part in ground effect."""
    in_ground_effect = min(1.0, (ground_gain - 1) / TURBULENCE.full_ground_effect)
    return TURBULENCE.force + TURBULENCE.force_per_speed * speed + TURBULENCE.force_in_ground_effect * in_ground_effect


def _torque(thrusts: Vector, body_velocity: Vector, imbalance: Vector, yaw_trim: float) -> tuple[float, float, float]:
    """Torque about the body axes in N m: rotors, trims and turbulence (in N of thrust), flapping."""
    front_right, rear_left, front_left, rear_right = thrusts
    roll = rear_left + front_left - front_right - rear_right + imbalance[0]
    pitch = rear_left + rear_right - front_right - front_left - PITCH_TRIM + imbalance[1]
    yaw = front_left + rear_right - front_right - rear_left - yaw_trim + imbalance[2]
    return (
        AIRFRAME.arm * roll + AIRFRAME.flapping * body_velocity[1],
        AIRFRAME.arm * pitch - AIRFRAME.flapping * body_velocity[0],
        AIRFRAME.yaw_arm * yaw,
    )
