"""What the simulated airframe adds to the published constants: inertia, drag, ground effect, turbulence.

Ground effect after Sanchez-Cuevas et al. (2017); the other constants were fitted to public figures of the flight.
"""

from dataclasses import dataclass

from normbench.data.vehicle import NEURAL_LANDER


@dataclass(frozen=True)
class Airframe:
    """Constants of the simulated body.

    Attributes
    ----------
    inertia : tuple of float
        Moments about the body axes, in kg m^2.
    arm : float
        Lever arm of a rotor about the roll and pitch axes, in m; neighbouring rotors are two arms apart.
    yaw_arm : float
        Yaw torque per thrust of a rotor, in m.
    motor_lag : float
        Time constant of a rotor's speed, in s.
    initial_rpm : float
        Rotor speed at the start, in RPM.
    thrust_error : float
        Relative error of the nominal thrust coefficient.
    translational_lift, lift_fade : float
        Relative gain of thrust with horizontal speed, a v^2 / (1 + b v^2), a and b in s^2/m^2.
    linear_drag : tuple of float
        Rotor drag along the body axes, in N s/m.
    body_drag : float
        Drag growing with speed, in N s^2/m^2.
    flapping : float
        Moment of the flapping rotors per airspeed, in N m s/m.
    """

    inertia: tuple[float, float, float] = (0.0115, 0.0115, 0.020)
    arm: float = 0.127
    yaw_arm: float = 0.017
    motor_lag: float = 0.05
    initial_rpm: float = 6500.0
    thrust_error: float = -0.008
    translational_lift: float = 0.004
    lift_fade: float = 0.3
    linear_drag: tuple[float, float, float] = (0.42, 0.62, 0.15)
    body_drag: float = 0.010
    flapping: float = 0.06


@dataclass(frozen=True)
class GroundEffect:
    """Constants of the ground effect.

    Attributes
    ----------
    rotor_radius : float
        In m.
    body_gain : float
        K_b, dimensionless: lift of the fountain flow on the body.
    rotor_height : float
        Height of the rotor plane above the tracked point, in m.
    lowest : float
        Height of the tracked point below which the model is held constant, in m.
    fade_speed : float
        Horizontal speed that halves the effect, in m/s.
    """

    rotor_radius: float = 0.115
    body_gain: float = 2.0
    rotor_height: float = 0.05
    lowest: float = 0.02
    fade_speed: float = 3.0


@dataclass(frozen=True)
class Turbulence:
    """Constants of the Ornstein-Uhlenbeck force and torque.

    Attributes
    ----------
    force, force_per_speed, force_in_ground_effect : float
        Standard deviation of the vertical force: in N, in N s/m, and in N at full ground effect.
    full_ground_effect : float
        Relative gain of thrust at which the ground effect counts as full.
    horizontal_share : float
        Horizontal over vertical force.
    force_time : float
        Correlation time of the force, in s.
    moment, moment_per_speed : float
        Standard deviation of a rotor's thrust imbalance: in N and in N s/m.
    moment_time : float
        Correlation time of the imbalance, in s.
    """

    force: float = 0.13
    force_per_speed: float = 0.09
    force_in_ground_effect: float = 0.42
    full_ground_effect: float = 0.13
    horizontal_share: float = 0.4
    force_time: float = 0.04
    moment: float = 0.04
    moment_per_speed: float = 0.10
    moment_time: float = 0.08


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
