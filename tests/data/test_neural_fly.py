"""Claims about the measured Neural-Fly flights, on generated files in their format and on the real ones."""

import json
from pathlib import Path

import numpy as np
import pytest

from normbench import data
from normbench.data.files import RemoteFile, digest
from normbench.data.sources import neural_fly
from normbench.errors import DataError

SAMPLES = 20
COLUMNS = ("t", "p", "p_d", "v", "v_d", "q", "R", "w", "T_sp", "q_sp", "hover_throttle", "fa", "pwm")
LENGTHS = {"p": 3, "p_d": 3, "v": 3, "v_d": 3, "q": 4, "R": 9, "w": 3, "T_sp": 1, "q_sp": 4, "hover_throttle": 1}


def flight(seed: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    lengths = {**LENGTHS, "fa": 3, "pwm": 4}
    values = {column: generator.normal(size=(SAMPLES, length)) for column, length in lengths.items()}
    return {"t": np.arange(SAMPLES) / 50, **values, "pwm": 1000 + 100 * values["pwm"]}


def write_flight(path: Path, values: dict[str, np.ndarray]) -> None:
    lines = ["," + ",".join(values)]
    for row in range(SAMPLES):
        cells = [str(v[row]) if v.ndim == 1 else f'"{json.dumps(v[row].tolist())}"' for v in values.values()]
        lines.append(f"{row}," + ",".join(cells))
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def one_flight(tmp_path: Path) -> Path:
    path = tmp_path / "flight.csv"
    write_flight(path, flight(0))
    return path


def replace_once(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_features_are_height_velocity_attitude_and_scaled_commands(one_flight: Path) -> None:
    written = flight(0)
    time, inputs, outputs = neural_fly.parse_flight(str(one_flight), one_flight.read_bytes())
    np.testing.assert_array_equal(time, written["t"])
    np.testing.assert_array_equal(inputs[:, 0], written["p"][:, 2])
    np.testing.assert_array_equal(inputs[:, 1:4], written["v"])
    np.testing.assert_array_equal(inputs[:, 4:8], written["q"])
    np.testing.assert_array_equal(inputs[:, 8:], written["pwm"] / 1000)
    np.testing.assert_array_equal(outputs, written["fa"])


def test_flights_are_numbered_in_the_order_of_the_files(tmp_path: Path) -> None:
    for seed, file in enumerate(neural_fly.FILES):
        write_flight(tmp_path / file.name, flight(seed))
    dataset = neural_fly.read_flights({file.name: (tmp_path / file.name).read_bytes() for file in neural_fly.FILES})
    np.testing.assert_array_equal(dataset.flight, np.repeat(np.arange(6), SAMPLES))
    np.testing.assert_array_equal(dataset.outputs[3 * SAMPLES : 4 * SAMPLES], flight(3)["fa"])
    assert len(dataset.input_names) == 12


def test_missing_column_is_named(one_flight: Path) -> None:
    replace_once(one_flight, ",fa,", ",force,")
    with pytest.raises(DataError, match=r"flight.csv lacks the column\(s\) fa"):
        neural_fly.parse_flight(str(one_flight), one_flight.read_bytes())


def test_nan_is_named_with_its_row(one_flight: Path) -> None:
    values = flight(0)
    values["v"][4, 1] = np.nan
    write_flight(one_flight, values)
    with pytest.raises(DataError, match=r"row 5, column 'v': .*nan"):
        neural_fly.parse_flight(str(one_flight), one_flight.read_bytes())


def test_list_of_the_wrong_length_is_refused(one_flight: Path) -> None:
    values = flight(0)
    values["q"] = values["q"][:, :3]
    write_flight(one_flight, values)
    with pytest.raises(DataError, match=r"column 'q': lists of shape \(20, 3\); expected \(20, 4\)"):
        neural_fly.parse_flight(str(one_flight), one_flight.read_bytes())


def test_ragged_list_is_refused(one_flight: Path) -> None:
    replace_once(one_flight, json.dumps(flight(0)["p"][2].tolist()), "[1.0]")
    with pytest.raises(DataError, match="column 'p': a cell is not a JSON list of 3 numbers"):
        neural_fly.parse_flight(str(one_flight), one_flight.read_bytes())


def test_truncated_file_is_refused(one_flight: Path) -> None:
    content = one_flight.read_text()
    one_flight.write_text(content[: content.rindex("[")])
    with pytest.raises(DataError, match=r"flight.csv"):
        neural_fly.parse_flight(str(one_flight), one_flight.read_bytes())


def test_empty_file_is_refused(one_flight: Path) -> None:
    one_flight.write_text("")
    with pytest.raises(DataError, match="not a CSV table"):
        neural_fly.parse_flight(str(one_flight), one_flight.read_bytes())


def test_file_that_is_not_the_published_one_is_refused(tmp_path: Path) -> None:
    for seed, file in enumerate(neural_fly.FILES):
        write_flight(tmp_path / file.name, flight(seed))
    with pytest.raises(DataError, match=f"not the published file: it holds .*{neural_fly.FILES[0].digest}"):
        data.load("neural-fly", data_dir=tmp_path)
    assert not any(row.ok for row in data.verify("neural-fly", data_dir=tmp_path))


def test_measured_flights_have_the_documented_size_and_force(real_data: Path) -> None:
    dataset = data.load("neural-fly", data_dir=real_data)
    assert dataset.inputs.shape == (15_062, 12)
    assert np.sqrt((dataset.outputs**2).sum(1).mean()) == pytest.approx(2.18, abs=5e-3)
    np.testing.assert_allclose(np.linalg.norm(dataset.inputs[:, 4:8], axis=1), 1, atol=2e-5)
    assert len(np.unique(dataset.flight)) == 6
    assert all(row.ok for row in data.verify("neural-fly", data_dir=real_data))


def test_measured_flights_are_found_through_the_environment(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NORMBENCH_DATA", str(real_data))
    assert data.info("neural-fly").present
    assert len(data.load("neural-fly").inputs) == 15_062


def test_published_checksums_are_sha256() -> None:
    assert all(isinstance(file, RemoteFile) and len(file.digest) == 64 for file in neural_fly.FILES)
    assert {file.algorithm for file in neural_fly.FILES} == {"sha256"}
    assert digest(Path(__file__), "sha256") != neural_fly.FILES[0].digest
