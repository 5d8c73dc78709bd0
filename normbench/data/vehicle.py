"""The quadrotor of the Neural-Lander flights (arXiv 1811.08027): constants of its published preprocessing."""

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

Number = TypeVar("Number", float, np.ndarray)


@dataclass(frozen=True)
class Vehicle:
    """Mass, rotor and motor constants, as published with the Neural-Lander logs."""

    mass: float = 1.47  # m, in kg
    gravity: float = 9.81  # g, in m/s^2
    air_density: float = 1.225  # rho, in kg/m^3
    rotor_diameter: float = 0.23  # D, in m
    thrust_coefficient: float = 0.08937873049125099  # C_T, with thrust T = C_T rho n^2 D^4 at n revolutions per second
    rpm_per_pwm2: float = -0.0026  # RPM = rpm_per_pwm2 PWM^2 + rpm_per_pwm PWM + rpm_offset, PWM in microseconds
    rpm_per_pwm: float = 17.0948
    rpm_offset: float = -14834.1065
    rpm_scale: float = 8000.0  # rotor speeds are handed to a network as RPM / rpm_scale

    @property
    def newton_per_rpm2(self) -> float:
        """K_T = C_T / 3600 rho D^4: nominal thrust of one rotor per RPM^2, in N."""
        return self.thrust_coefficient / 3600 * self.air_density * self.rotor_diameter**4


NEURAL_LANDER = Vehicle()


def pwm_to_rpm(pwm: Number) -> Number:
    """Rotor speed in RPM that a motor command settles at."""
    return NEURAL_LANDER.rpm_per_pwm2 * pwm * pwm + NEURAL_LANDER.rpm_per_pwm * pwm + NEURAL_LANDER.rpm_offset


def rpm_to_pwm(rpm: float) -> float:
    """Motor command in microseconds whose steady speed is ``rpm``: the smaller root of the quadratic."""
    a, b, c = NEURAL_LANDER.rpm_per_pwm2, NEURAL_LANDER.rpm_per_pwm, NEURAL_LANDER.rpm_offset
    return (-b + math.sqrt(b * b - 4 * a * (c - rpm))) / (2 * a)
