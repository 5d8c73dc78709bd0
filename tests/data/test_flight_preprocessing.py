"""Claims about the published preprocessing: exact derivatives, balanced forces, complete windows."""

import math
from dataclasses import replace

import numpy as np
import pytest

from normbench.data.flight.dynamics import rotation_matrix
from normbench.data.preprocessing import (
    FlightLog,
    body_axis,
    dataset_from_table,
    five_point_difference,
    interpolate_columns,
    preprocess,
)
from normbench.data.vehicle import NEURAL_LANDER, rpm_to_pwm
from normbench.errors import DataError, InvalidArgumentError

TIME = np.arange(200) / 100


def difference_error(degree: int) -> float:
    exact = degree * TIME[2:-2] ** (degree - 1)
    return float(np.abs(five_point_difference(TIME[:, None] ** degree)[2:-2, 0] - exact).max())


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_five_point_difference_is_exact_up_to_degree_4(degree: int) -> None:
    assert difference_error(degree) < 1e-10


def test_five_point_difference_is_not_exact_at_degree_5() -> None:
    assert difference_error(5) > 1e-8


def test_five_point_difference_is_zero_at_both_ends() -> None:
    slope = five_point_difference(TIME[:, None])
    np.testing.assert_array_equal(slope[[0, 1, -2, -1]], 0)


def test_interpolation_reproduces_straight_lines() -> None:
    stamps = np.sort(np.random.default_rng(0).uniform(0, 2, size=50))
    inside = np.linspace(stamps[0], stamps[-1], 33)
    lines = np.stack([3 * stamps - 1, -stamps], axis=1)
    expected = np.stack([3 * inside - 1, -inside], axis=1)
    np.testing.assert_allclose(interpolate_columns(inside, stamps, lines), expected, atol=1e-12)


def test_body_axis_is_the_third_column_of_the_rotation() -> None:
    quaternions = np.random.default_rng(0).normal(size=(20, 4))
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    expected = [[row[2] for row in rotation_matrix(q.tolist())] for q in quaternions]
    np.testing.assert_allclose(body_axis(quaternions), expected, atol=1e-12)


def test_hover_has_no_residual_force(short_log: FlightLog) -> None:
    hover_rpm = math.sqrt(NEURAL_LANDER.mass * NEURAL_LANDER.gravity / NEURAL_LANDER.newton_per_rpm2 / 4)
    hover = replace(short_log, pwm=np.full_like(short_log.pwm, rpm_to_pwm(hover_rpm)))
    table = preprocess(hover, start_seconds=1, stop_seconds=10)
    np.testing.assert_allclose(table[:, 13:], 0, atol=1e-9)
    np.testing.assert_allclose(table[:, 9:13], hover_rpm / 8000, rtol=1e-12)


def test_residual_force_is_mass_times_acceleration_without_thrust(short_log: FlightLog) -> None:
    time = short_log.velocity_time
    falling = np.stack([time, 2 * time, -9.81 * time], axis=1)
    log = replace(short_log, velocity=falling, pwm=np.full_like(short_log.pwm, rpm_to_pwm(0.0)))
    force = preprocess(log, start_seconds=1, stop_seconds=10)[2:-2, 13:]
    np.testing.assert_allclose(force, np.tile([1.47, 2 * 1.47, 0], (len(force), 1)), atol=1e-7)


@pytest.mark.parametrize("window", [(0.0, 5.0), (1.0, 13.0)])
def test_window_outside_the_log_is_refused(short_log: FlightLog, window: tuple[float, float]) -> None:
    with pytest.raises(DataError, match=r"pose log covers 0.250 to 12.240 s"):
        preprocess(short_log, start_seconds=window[0], stop_seconds=window[1])


def test_empty_window_is_refused(short_log: FlightLog) -> None:
    with pytest.raises(InvalidArgumentError, match="the second the larger"):
        preprocess(short_log, start_seconds=5, stop_seconds=5)


def test_columns_of_the_table_end_up_in_their_places() -> None:
    table = np.arange(1.0, 33.0).reshape(2, 16)
    dataset = dataset_from_table(table, name="columns", simulated=False)
    assert dataset.time.tolist() == [1, 17]
    assert dataset.inputs[0].tolist() == list(range(2, 14))
    assert dataset.outputs[0].tolist() == [14, 15, 16]
    assert (dataset.input_names[0], dataset.output_names, dataset.unit) == ("z", ("Fax", "Fay", "Faz"), "N")


def test_window_in_numpy_numbers_gives_the_same_bits(short_log: FlightLog) -> None:
    expected = preprocess(short_log, start_seconds=1, stop_seconds=3)
    for kind in (np.float32, np.float64, np.int64, np.array):
        found = preprocess(short_log, start_seconds=kind(1), stop_seconds=kind(3))
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, expected)
