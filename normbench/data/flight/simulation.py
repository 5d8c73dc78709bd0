"""Flies the plan, logs it and preprocesses the log: seed in, table out, rounded so that machines agree."""

import hashlib

import numpy as np

from normbench.data.flight import plan as flight_plan
from normbench.data.flight.airframe import AIRFRAME, GROUND_EFFECT, TURBULENCE
from normbench.data.flight.control import GAINS, Autopilot
from normbench.data.flight.dynamics import Body
from normbench.data.flight.log import INSTRUMENTS, Flight, record
from normbench.data.preprocessing import preprocess
from normbench.data.vehicle import NEURAL_LANDER
from normbench.errors import InvalidArgumentError
from normbench.numbers import count

MODEL_VERSION = 1  # raise it with every change of the equations; the constants are in the fingerprint anyway
DECIMALS = 6  # so that last-digit differences between maths libraries do not show
GYRO_NOISE = 0.035  # rad/s


def simulate_table(seed: int) -> np.ndarray:
    """Simulated stand-in for the published quadrotor table.

    Parameters
    ----------
    seed : int
        Of the legacy NumPy stream, 0 to 2^32 - 1.

    Returns
    -------
    array, shape (29001, 16), float64
        Columns t, z, v (3), q (4, scalar last), u (4), Fa (3), rounded to 6 decimals; see
        :func:`normbench.data.preprocessing.preprocess`.

    Raises
    ------
    InvalidArgumentError
        If the seed is no integer or out of range.
    """
    if not 0 <= (number := count("seed", seed, least=0)) < 2**32:
        raise InvalidArgumentError(f"seed must lie in 0 .. 2^32 - 1; got {seed}.")
    generator = np.random.RandomState(number)  # the legacy stream: frozen across NumPy versions
    log = record(generator, fly(generator))
    table = preprocess(log, start_seconds=flight_plan.START_SECONDS, stop_seconds=flight_plan.STOP_SECONDS)
    return np.round(table, DECIMALS) + 0.0  # + 0.0 turns -0.0 into 0.0


def fly(generator: np.random.RandomState) -> Flight:
    """Fly the plan under the autopilot.

    Returns
    -------
    Flight
        True motion at the simulation step.
    """
    plan = flight_plan.draw_plan(generator)
    steps = len(plan.time)
    gusts = generator.normal(size=(steps, 6)).tolist()
    gyro_noise = (generator.normal(size=(steps, 3)) * GYRO_NOISE).tolist()
    references = zip(plan.position.tolist(), plan.velocity.tolist(), plan.acceleration.tolist(), strict=True)
    headings = plan.yaw.tolist()
    trims = [flight_plan.yaw_trim(t) for t in plan.time.tolist()]
    body, autopilot = Body(plan.position[0].tolist(), headings[0]), Autopilot(headings[0])
    states = []
    for reference, heading, trim, gust, gyro in zip(references, headings, trims, gusts, gyro_noise, strict=True):
        pwm = autopilot.command(body, reference, heading, gyro, trim)
        body.step(pwm, gust, trim)
        states.append([*body.position, *body.velocity, *body.quaternion, *pwm])
    position, velocity, quaternion, command = np.split(np.array(states), (3, 6, 10), axis=1)
    return Flight(plan.time, position, velocity, quaternion, command)


def fingerprint() -> str:
    """Twelve hexadecimal digits that change with the model's version and with any of its constants."""
    schedule = {name: value for name, value in vars(flight_plan).items() if name.isupper()}
    constants = (NEURAL_LANDER, AIRFRAME, GROUND_EFFECT, TURBULENCE, GAINS, INSTRUMENTS, GYRO_NOISE, schedule)
    return hashlib.sha256(repr((MODEL_VERSION, DECIMALS, constants)).encode()).hexdigest()[:12]
