"""Claims about the simulated flight: the same digits everywhere, and physics that holds."""

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from normbench import data
from normbench.data import Dataset, flight
from normbench.data.flight import simulate_table
from normbench.data.flight.airframe import AIRFRAME, ground_effect
from normbench.data.flight.control import Autopilot
from normbench.data.flight.dynamics import Body, rotation_matrix
from normbench.data.flight.plan import PITCH_TRIM, START_SECONDS, STOP_SECONDS, draw_plan
from normbench.data.preprocessing import FlightLog, dataset_from_table, preprocess
from normbench.data.sources import quadrotor_sim
from normbench.data.sources.quadrotor import build_from_logs
from normbench.data.vehicle import NEURAL_LANDER, pwm_to_rpm, rpm_to_pwm
from normbench.errors import InvalidArgumentError


def rms(residual: np.ndarray) -> float:
    return float(np.sqrt((residual**2).sum(1).mean()))


def test_seed_0_has_the_published_content_hash(simulated: Dataset) -> None:
    assert simulated.sha256 == quadrotor_sim.SHA256


def test_verify_accepts_the_generated_flight(
    simulated: Dataset, session_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NORMBENCH_CACHE", str(session_cache))
    (row,) = data.verify("quadrotor-sim")
    assert row.ok, f"expected {row.expected}, found {row.found}"
    assert data.info("quadrotor-sim").present
    assert data.load("quadrotor-sim").sha256 == simulated.sha256
    assert data.fetch("quadrotor-sim") == [row.file]


def test_window_of_290_s_is_rounded_to_the_samples(simulated: Dataset, recorded: FlightLog) -> None:
    table = preprocess(recorded, start_seconds=START_SECONDS, stop_seconds=STOP_SECONDS)
    assert table.shape == (29_001, 16)
    assert table[[0, -1], 0].tolist() == [35, 325]
    again = dataset_from_table(np.round(table, 6) + 0.0, name="again", simulated=True)
    assert again.sha256 == simulated.sha256


def test_raw_logs_of_the_simulated_flight_give_the_simulated_samples(
    tmp_path: Path, recorded: FlightLog, simulated: Dataset, write_logs: Callable[[FlightLog, Path], None]
) -> None:
    write_logs(recorded, tmp_path)
    built = build_from_logs({path.name: path.read_bytes() for path in tmp_path.iterdir()})
    assert built.inputs.shape == simulated.inputs.shape
    np.testing.assert_allclose(built.inputs, simulated.inputs, atol=1e-5)  # stamps are written to the nanosecond
    np.testing.assert_allclose(built.outputs, simulated.outputs, atol=1e-4)
    np.testing.assert_allclose(built.time, simulated.time, atol=1e-6)


def test_second_flight_of_the_same_seed_has_the_same_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (flight.plan, flight.log):  # a second of it: the whole flight has its published hash
        monkeypatch.setattr(module, "STOP_SECONDS", START_SECONDS + 1)
    first, second = (simulate_table(0) for _ in range(2))
    assert first.shape == (101, 16)
    np.testing.assert_array_equal(first, second)


def test_another_seed_is_another_flight() -> None:
    first, second = (draw_plan(np.random.RandomState(seed)).position for seed in (0, 1))
    assert np.abs(first - second).max() > 0.1


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(InvalidArgumentError, match=str(seed)):
        simulate_table(seed)


def test_table_has_29001_samples_at_100_hz(simulated: Dataset) -> None:
    assert simulated.inputs.shape == (29_001, 12)
    assert simulated.outputs.shape == (29_001, 3)
    np.testing.assert_allclose(np.diff(simulated.time), 0.01, atol=2e-6)
    assert simulated.simulated


def test_trivial_predictors_have_the_calibrated_errors(simulated: Dataset) -> None:
    assert rms(simulated.outputs) == pytest.approx(1.253, abs=5e-4)
    assert rms(simulated.outputs - simulated.outputs.mean(0)) == pytest.approx(1.127, abs=5e-4)


def test_every_value_is_rounded_to_six_decimals_without_negative_zero(simulated: Dataset) -> None:
    for array in (simulated.inputs, simulated.outputs):
        np.testing.assert_array_equal(array, np.round(array, 6))
        assert not np.signbit(array[array == 0]).any()


def test_attitude_is_a_unit_quaternion(simulated: Dataset) -> None:
    norms = np.linalg.norm(simulated.inputs[:, 4:8], axis=1)
    np.testing.assert_allclose(norms, 1, atol=1e-3)  # interpolated linearly between unit quaternions


def test_air_pushes_up_near_the_ground(simulated: Dataset) -> None:
    height, vertical_force = simulated.inputs[:, 0], simulated.outputs[:, 2]
    assert vertical_force[height < 0.3].mean() - vertical_force[height > 1].mean() > 0.5


def test_recorded_motor_commands_are_whole_numbers_within_limits(recorded: FlightLog) -> None:
    np.testing.assert_array_equal(recorded.pwm, np.rint(recorded.pwm))
    assert recorded.pwm.min() >= 1200
    assert recorded.pwm.max() <= 1900


def test_recorded_flight_follows_the_plan(recorded: FlightLog) -> None:
    plan = draw_plan(np.random.RandomState(0))
    planned = np.interp(recorded.pose_time, plan.time, plan.position[:, 2])
    assert np.abs(recorded.position[:, 2] - planned).max() < 0.3
    assert recorded.position[:, 2].max() > 2.5
    assert recorded.position[:, 2].min() > 0


def test_ground_effect_vanishes_at_height() -> None:
    assert ground_effect(10.0, 0.0) == pytest.approx(1, abs=1e-3)
    assert ground_effect(1000.0, 0.0) == pytest.approx(1, abs=1e-6)


def test_ground_effect_grows_towards_the_ground() -> None:
    gains = [ground_effect(height, 0.0) for height in np.linspace(0.02, 3, 50)]
    assert all(lower > higher for lower, higher in pairwise(gains))
    assert 1.1 < gains[0] < 2


def test_ground_effect_fades_with_horizontal_speed() -> None:
    gains = [ground_effect(0.1, speed**2) for speed in (0.0, 1.0, 3.0, 10.0)]
    assert gains == sorted(gains, reverse=True)
    assert gains[-1] < 1.02


def test_hover_thrust_balances_weight() -> None:
    factor = NEURAL_LANDER.newton_per_rpm2 * (1 + AIRFRAME.thrust_error) * 4
    hover_rpm = math.sqrt(NEURAL_LANDER.mass * NEURAL_LANDER.gravity / factor)
    body = Body((0.0, 0.0, 1000.0), heading=0.3)
    body.rpm = [hover_rpm] * 4
    body.step([rpm_to_pwm(hover_rpm)] * 4, noise=[0.0] * 6, yaw_trim=0.0)
    np.testing.assert_allclose(body.velocity, 0, atol=1e-7)


def test_free_fall_accelerates_by_gravity() -> None:
    body = Body((0.0, 0.0, 1000.0), heading=0.0)
    body.rpm = [0.0] * 4
    body.step([rpm_to_pwm(0.0)] * 4, noise=[0.0] * 6, yaw_trim=0.0)
    np.testing.assert_allclose(body.velocity, [0, 0, -9.81 * 0.0025], atol=1e-9)


def test_autopilot_holds_a_still_reference() -> None:
    body, autopilot = Body((0.0, 0.0, 1.5), heading=0.2), Autopilot(0.2)
    still = ((0.0, 0.0, 1.5), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    for _ in range(4000):  # 10 s without turbulence
        body.step(autopilot.command(body, still, 0.2, (0.0, 0.0, 0.0), 0.27), [0.0] * 6, 0.27)
    np.testing.assert_allclose(body.position, still[0], atol=0.01)
    np.testing.assert_allclose(body.velocity, 0, atol=0.01)
    assert body.rpm[1] > body.rpm[0]  # the rear rotors carry the pitch trim
    assert PITCH_TRIM > 0


def test_attitude_stays_orthogonal_under_gusts() -> None:
    gusts = np.random.default_rng(0).normal(size=(400, 6)).tolist()
    body = Body((0.0, 0.0, 2.0), heading=0.0)
    for gust in gusts:
        body.step([1400.0, 1500.0, 1450.0, 1350.0], gust, 0.0)
    assert np.linalg.norm(body.quaternion) == pytest.approx(1, abs=1e-12)
    rotation = np.array(rotation_matrix(body.quaternion))
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)


@pytest.mark.parametrize("rpm", [3000.0, 6500.0, 9000.0])
def test_motor_map_and_its_inverse_agree(rpm: float) -> None:
    assert pwm_to_rpm(rpm_to_pwm(rpm)) == pytest.approx(rpm, rel=1e-9)
