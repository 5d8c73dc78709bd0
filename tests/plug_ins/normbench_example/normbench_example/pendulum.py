"""A task: the angular acceleration of a damped pendulum."""

import numpy as np

from normbench.data import Dataset


def pendulum(samples=300):
    """Random states, the same in every process."""
    rng = np.random.default_rng(0)
    angle, speed, torque = rng.uniform(-1.5, 1.5, size=(3, samples))
    acceleration = torque - 0.1 * speed - np.sin(angle)
    return Dataset(
        name="pendulum",
        simulated=True,
        inputs=np.column_stack([angle, speed, torque, np.ones(samples)]),
        outputs=acceleration[:, None],
        input_names=("angle", "speed", "torque", "one"),
        output_names=("acceleration",),
        unit="rad/s^2",
    )
