"""The quadrotor of the Neural-Lander flights (arXiv 1811.08027): constants of its published preprocessing."""

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

Number = TypeVar("Number", float, np.ndarray)


@dataclass(frozen=True)
class Vehicle:
    """Mass, rotor and motor constants, as published with the Neural-Lander logs.

    Attributes
    ----------
    mass : float
        m, in kg.
    gravity : float
        g, in m/s^2.
    air_density : float
        rho, in kg/m^3.
    rotor_diameter : float
        D, in m.
    thrust_coefficient : float
        C_T, dimensionless, for a rotor speed n in revolutions per second: T = C_T rho n^2 D^4.
    rpm_per_pwm2, rpm_per_pwm, rpm_offset : float
        RPM = rpm_per_pwm2 PWM^2 + rpm_per_pwm PWM + rpm_offset, with PWM in microseconds.
    rpm_scale : float
        Rotor speeds are handed to a network as RPM / rpm_scale.
    """

    mass: float = 1.47
    gravity: float = 9.81
    air_density: float = 1.225
    rotor_diameter: float = 0.23
    thrust_coefficient: float = 0.08937873049125099
    rpm_per_pwm2: float = -0.0026
    rpm_per_pwm: float = 17.0948
    rpm_offset: float = -14834.1065
    rpm_scale: float = 8000.0

    @property
    def newton_per_rpm2(self) -> float:
        """K_T = C_T / 3600 rho D^4: nominal thrust of one rotor per RPM^2, in N."""
        return self.thrust_coefficient / 3600 * self.air_density * self.rotor_diameter**4


NEURAL_LANDER = Vehicle()


def pwm_to_rpm(pwm: Number, vehicle: Vehicle = NEURAL_LANDER) -> Number:
    """Rotor speed in RPM that a motor command settles at."""
    return vehicle.rpm_per_pwm2 * pwm * pwm + vehicle.rpm_per_pwm * pwm + vehicle.rpm_offset


def rpm_to_pwm(rpm: float, vehicle: Vehicle = NEURAL_LANDER) -> float:
    """Motor command in microseconds whose steady speed is ``rpm``: the smaller root of the quadratic."""
    a, b, c = vehicle.rpm_per_pwm2, vehicle.rpm_per_pwm, vehicle.rpm_offset
    return (-b + math.sqrt(b * b - 4 * a * (c - rpm))) / (2 * a)
