"""Shared by the data tests: caches in temporary folders, one simulated flight per session, small raw logs."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from normbench.data import Dataset
from normbench.data.flight import simulation
from normbench.data.flight.log import record
from normbench.data.preprocessing import FlightLog
from normbench.data.rosbag import POSE_FILE, PWM_FILE, VELOCITY_FILE
from normbench.data.sources import quadrotor_sim
from tests.server import server  # noqa: F401

REAL_DATA = os.environ.get("NORMBENCH_DATA")


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the user's cache, nor a folder of real data by accident."""
    monkeypatch.setenv("NORMBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NORMBENCH_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def real_data() -> Path:
    if not REAL_DATA:
        pytest.skip("set NORMBENCH_DATA to a folder with the measured flights to run this test")
    return Path(REAL_DATA)


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("session-cache")


@pytest.fixture(scope="session")
def flown(session_cache: Path) -> tuple[Dataset, FlightLog]:
    """The simulated source at seed 0, generated into ``session_cache``, and the log that it was made from."""
    logs = []

    def kept(*arguments: Any) -> FlightLog:
        logs.append(record(*arguments))
        return logs[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NORMBENCH_CACHE", str(session_cache))
        patch.setattr(simulation, "record", kept)
        dataset = quadrotor_sim.load_seed(0)
    (log,) = logs
    return dataset, log


@pytest.fixture(scope="session")
def simulated(flown: tuple[Dataset, FlightLog]) -> Dataset:
    return flown[0]


@pytest.fixture(scope="session")
def recorded(flown: tuple[Dataset, FlightLog]) -> FlightLog:
    return flown[1]


@pytest.fixture
def short_log() -> FlightLog:
    """12 s of a slow drift with all streams at 100 Hz, stamps on whole microseconds."""
    time = 0.25 + np.arange(1200) / 100
    position = np.stack([0.1 * time, -0.2 * time, 1 + 0.05 * time], axis=1)
    quaternion = np.tile([0.0, 0.0, 0.6, 0.8], (1200, 1))
    velocity = np.tile([0.1, -0.2, 0.05], (1200, 1))
    pwm = np.tile([1500.0, 1510.0, 1520.0, 1530.0], (1200, 1))
    return FlightLog(time, position, quaternion, time, velocity, time, pwm)


@pytest.fixture(scope="session")
def write_logs() -> Callable[[FlightLog, Path], None]:
    """Writer of the three exported topics, in the columns of the real logs."""
    origin = 1_536_033_093

    def stamp(seconds: float) -> str:
        whole = int(seconds)
        return f"0,,0,,{origin + whole},{round((seconds - whole) * 1e9)},''"

    def write(log: FlightLog, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        head = "rosbagTimestamp,header,seq,stamp,secs,nsecs,frame_id"
        pose = [f"{head},pose,position,x,y,z,orientation,x,y,z,w"]
        for t, p, q in zip(log.pose_time, log.position.tolist(), log.quaternion.tolist(), strict=True):
            pose.append(f"{stamp(t)},,,{p[0]},{p[1]},{p[2]},,{q[0]},{q[1]},{q[2]},{q[3]}")
        velocity = [f"{head},twist,linear,x,y,z,angular,x,y,z"]
        for t, v in zip(log.velocity_time, log.velocity.tolist(), strict=True):
            velocity.append(f"{stamp(t)},,,{v[0]},{v[1]},{v[2]},,9,9,9")
        # The clock of the logs starts at the whole second of the first PWM row.
        pwm = [f"{head},channels", f'{stamp(0.0)},"[1190, 1190, 1190, 1190, 0, 0, 0, 0]"']
        for t, u in zip(log.pwm_time, log.pwm.astype(int).tolist(), strict=True):
            pwm.append(f'{stamp(t)},"{[*u, 0, 0, 0, 0]}"')
        for name, lines in ((POSE_FILE, pose), (VELOCITY_FILE, velocity), (PWM_FILE, pwm)):
            (folder / name).write_text("\n".join(lines) + "\n")

    return write
