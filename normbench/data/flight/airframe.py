"""What the simulated airframe adds to the published constants: inertia, drag, ground effect, turbulence.

Ground effect after Sanchez-Cuevas et al. (2017); the other constants were fitted to public figures of the flight.
"""

from dataclasses import dataclass

from normbench.data.vehicle import NEURAL_LANDER


@dataclass(frozen=True)
class Airframe:
    """Constants of the simulated body."""

    inertia: tuple[float, float, float] = (0.0115, 0.0115, 0.020)  # kg m^2, about the body axes
    arm: float = 0.127  # m, of a rotor about the roll and pitch axes; neighbouring rotors are two arms apart
    yaw_arm: float = 0.017  # m: yaw torque per thrust of a rotor
    motor_lag: float = 0.05  # s, time constant of a rotor's speed
    initial_rpm: float = 6500.0  # RPM
    thrust_error: float = -0.008  # relative error of the nominal thrust coefficient
    translational_lift: float = 0.004  # s^2/m^2: a of the gain of thrust a v^2 / (1 + b v^2), v horizontal
    lift_fade: float = 0.3  # s^2/m^2: b of it
    linear_drag: tuple[float, float, float] = (0.42, 0.62, 0.15)  # N s/m, of the rotors along the body axes
    body_drag: float = 0.010  # N s^2/m^2, growing with speed
    flapping: float = 0.06  # N m s/m: moment of the flapping rotors per airspeed


@dataclass(frozen=True)
class GroundEffect:
    """Constants of the ground effect."""

    rotor_radius: float = 0.115  # m
    body_gain: float = 2.0  # K_b, dimensionless: lift of the fountain flow on the body
    rotor_height: float = 0.05  # m, of the rotor plane above the tracked point
    lowest: float = 0.02  # m, height of the tracked point below which the model is held constant
    fade_speed: float = 3.0  # m/s, horizontal, that halves the effect


@dataclass(frozen=True)
class Turbulence:
    """Constants of the Ornstein-Uhlenbeck force and torque."""

    force: float = 0.13  # N, standard deviation of the vertical force
    force_per_speed: float = 0.09  # N s/m, what speed adds to it
    force_in_ground_effect: float = 0.42  # N, what full ground effect adds to it
    full_ground_effect: float = 0.13  # relative gain of thrust at which the ground effect counts as full
    horizontal_share: float = 0.4  # horizontal over vertical force
    force_time: float = 0.04  # s, correlation time of the force
    moment: float = 0.04  # N, standard deviation of a rotor's thrust imbalance
    moment_per_speed: float = 0.10  # N s/m, what speed adds to it
    moment_time: float = 0.08  # s, correlation time of the imbalance


AIRFRAME = Airframe()
GROUND_EFFECT = GroundEffect()
TURBULENCE = Turbulence()

ROTOR_RADIUS2 = GROUND_EFFECT.rotor_radius**2
ROTOR_DISTANCE2 = (2 * AIRFRAME.arm) ** 2
NEWTON_PER_RPM2 = NEURAL_LANDER.newton_per_rpm2


def ground_effect(height: float, horizontal_speed2: float) -> float:
    """Thrust near the ground over thrust far from it, for four rotors and the same rotor speeds.

    1 / (1 - s / (1 + v^2 / v_fade^2)),
    s = (R / 4 z)^2 + R^2 z / (d^2 + 4 z^2)^(3/2) + (R^2 / 2 + 2 R^2 K_b) z / (2 d^2 + 4 z^2)^(3/2)

    Parameters
    ----------
    height : float
        Of the tracked point above the ground, in m; z is the height of the rotor plane.
    horizontal_speed2 : float
        v^2, in m^2/s^2.

    Returns
    -------
    float
        A ratio, 1 far from the ground.
    """
    z = max(height, GROUND_EFFECT.lowest) + GROUND_EFFECT.rotor_height
    neighbour = ROTOR_RADIUS2 * z / (ROTOR_DISTANCE2 + 4 * z * z) ** 1.5
    opposite = (ROTOR_RADIUS2 / 2 + 2 * ROTOR_RADIUS2 * GROUND_EFFECT.body_gain) * z
    strength = (
        (GROUND_EFFECT.rotor_radius / 4 / z) ** 2 + neighbour + opposite / (2 * ROTOR_DISTANCE2 + 4 * z * z) ** 1.5
    )
    return 1 / (1 - strength / (1 + horizontal_speed2 / GROUND_EFFECT.fade_speed**2))


def rotor_thrusts(rpm: list[float], ground_gain: float, horizontal_speed2: float) -> list[float]:
    """Thrust of each rotor in N: K_T (1 + error + translational lift) ground_gain RPM^2."""
    lift = AIRFRAME.translational_lift * horizontal_speed2 / (1 + AIRFRAME.lift_fade * horizontal_speed2)
    gain = NEWTON_PER_RPM2 * (1 + AIRFRAME.thrust_error + lift) * ground_gain
    return [gain * r * r for r in rpm]


def drag(body_velocity: list[float], speed: float) -> list[float]:
    """Drag along the body axes in N: -(c_j + c |v|) v_j."""
    return [-(c + AIRFRAME.body_drag * speed) * v for c, v in zip(AIRFRAME.linear_drag, body_velocity, strict=True)]
