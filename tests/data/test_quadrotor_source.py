"""Claims about the measured quadrotor source: its table, its raw logs, and what is said of bad ones."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from normbench import data
from normbench.data import Dataset
from normbench.data.files import RemoteFile, digest
from normbench.data.preprocessing import COLUMNS, FlightLog, dataset_from_table, preprocess
from normbench.data.rosbag import POSE_FILE, PWM_FILE, VELOCITY_FILE, read_log
from normbench.data.source import FileSet, PublishedSource
from normbench.data.sources import quadrotor
from normbench.errors import DataError

WriteLogs = Callable[[FlightLog, Path], None]
TABLE = np.random.default_rng(0).uniform(1, 2, size=(30, 16))


def write_table(folder: Path, table: np.ndarray = TABLE) -> Path:
    path = folder / quadrotor.TABLE_FILE
    np.savetxt(path, table, delimiter=",", header=",".join(COLUMNS[: table.shape[1]]), comments="")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def of_nine_seconds(logs: dict[str, bytes]) -> Dataset:
    """What the generated logs are long enough for."""
    return dataset_from_table(
        preprocess(read_log(logs), start_seconds=1, stop_seconds=10), name="quadrotor", simulated=False
    )


def source_of(folder: Path) -> PublishedSource:
    """The source with the checksums of the generated files in a folder; nothing can be downloaded."""

    def published(name: str) -> RemoteFile:
        path = folder / name
        return RemoteFile(name, f"http://127.0.0.1:9/{name}", "git-blob", digest(path, "git-blob"))

    logs = tuple(published(name) for name in (POSE_FILE, VELOCITY_FILE, PWM_FILE))
    return PublishedSource(
        quadrotor.SOURCE.info,
        (
            FileSet((published(quadrotor.TABLE_FILE),), quadrotor.read_published_table),
            FileSet(logs, of_nine_seconds),
        ),
    )


def test_published_table_is_read_column_by_column(tmp_path: Path) -> None:
    write_table(tmp_path)
    dataset = quadrotor.read_published_table(contents(tmp_path))
    np.testing.assert_allclose(dataset.time, TABLE[:, 0])
    np.testing.assert_allclose(dataset.inputs, TABLE[:, 1:13])
    np.testing.assert_allclose(dataset.outputs, TABLE[:, 13:])
    assert not dataset.simulated


def test_table_without_a_column_is_refused(tmp_path: Path) -> None:
    write_table(tmp_path, TABLE[:, :15])
    with pytest.raises(DataError, match=r"neural_lander_data.csv has 15 columns; expected 16"):
        quadrotor.read_published_table(contents(tmp_path))


@pytest.mark.parametrize("cell", ["nan", "", "abc", "inf"])
def test_cell_that_is_no_number_is_named(tmp_path: Path, cell: str) -> None:
    path = write_table(tmp_path)
    lines = path.read_text().splitlines()
    cells = lines[5].split(",")
    cells[13] = cell
    lines[5] = ",".join(cells)
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"row 5, column Fax: .* is not a finite number"):
        quadrotor.read_published_table(contents(tmp_path))


def test_table_cut_in_the_last_row_is_refused(tmp_path: Path) -> None:
    path = write_table(tmp_path)
    path.write_text(path.read_text()[:-100])
    with pytest.raises(DataError, match=r"row 30, column .* truncated"):
        quadrotor.read_published_table(contents(tmp_path))


def test_empty_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / quadrotor.TABLE_FILE).write_text("")
    with pytest.raises(DataError, match="not a CSV table"):
        quadrotor.read_published_table(contents(tmp_path))


def test_sample_of_zero_norm_is_refused(tmp_path: Path) -> None:
    table = TABLE.copy()
    table[7, 1:13] = 0
    write_table(tmp_path, table)
    with pytest.raises(DataError, match="zero norm, first at row 7"):
        quadrotor.read_published_table(contents(tmp_path))


def test_raw_logs_are_read_back_as_written(tmp_path: Path, short_log: FlightLog, write_logs: WriteLogs) -> None:
    write_logs(short_log, tmp_path)
    log = read_log(contents(tmp_path))
    np.testing.assert_allclose(log.pose_time, short_log.pose_time, atol=1e-9)
    np.testing.assert_allclose(log.position, short_log.position)
    np.testing.assert_allclose(log.quaternion, short_log.quaternion)
    np.testing.assert_allclose(log.velocity, short_log.velocity)
    np.testing.assert_allclose(log.pwm[1:], short_log.pwm)  # row 0 is the idle row that starts the clock


def test_messages_out_of_order_are_sorted(tmp_path: Path, short_log: FlightLog, write_logs: WriteLogs) -> None:
    write_logs(short_log, tmp_path)
    straight = preprocess(read_log(contents(tmp_path)), start_seconds=1, stop_seconds=10)
    path = tmp_path / VELOCITY_FILE
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *reversed(rows)]) + "\n")
    np.testing.assert_array_equal(preprocess(read_log(contents(tmp_path)), start_seconds=1, stop_seconds=10), straight)


def test_logs_shorter_than_the_window_are_refused(tmp_path: Path, short_log: FlightLog, write_logs: WriteLogs) -> None:
    write_logs(short_log, tmp_path)
    with pytest.raises(DataError, match="not the window 35 to 325 s"):
        quadrotor.build_from_logs(contents(tmp_path))


@pytest.mark.parametrize(
    ("name", "column"), [(POSE_FILE, "orientation"), (VELOCITY_FILE, "secs"), (PWM_FILE, "channels")]
)
def test_log_without_a_column_is_refused(
    tmp_path: Path, short_log: FlightLog, write_logs: WriteLogs, name: str, column: str
) -> None:
    write_logs(short_log, tmp_path)
    path = tmp_path / name
    path.write_text(path.read_text().replace(f",{column}", ",renamed", 1))
    with pytest.raises(DataError, match=f"has no column '{column}'"):
        read_log(contents(tmp_path))


@pytest.mark.parametrize("name", [POSE_FILE, VELOCITY_FILE, PWM_FILE])
def test_log_cut_in_the_last_row_is_refused(
    tmp_path: Path, short_log: FlightLog, write_logs: WriteLogs, name: str
) -> None:
    write_logs(short_log, tmp_path)
    path = tmp_path / name
    rows = path.read_text().splitlines()
    path.write_text("\n".join([*rows[:-1], ",".join(rows[-1].split(",")[:7])]))
    with pytest.raises(DataError, match=path.name):
        read_log(contents(tmp_path))


def test_motor_channel_that_is_no_list_is_refused(tmp_path: Path, short_log: FlightLog, write_logs: WriteLogs) -> None:
    write_logs(short_log, tmp_path)
    path = tmp_path / PWM_FILE
    path.write_text(path.read_text().replace("[1500, 1510", "[1500, x", 1))
    with pytest.raises(DataError, match="'channels': not one list of numbers per row"):
        read_log(contents(tmp_path))


def test_table_is_preferred_to_raw_logs(tmp_path: Path, short_log: FlightLog, write_logs: WriteLogs) -> None:
    write_logs(short_log, tmp_path)
    table = write_table(tmp_path)
    source = source_of(tmp_path)
    assert len(source.load(tmp_path).inputs) == len(TABLE)
    table.unlink()
    assert len(source.load(tmp_path).inputs) == 901
    assert {row.file.name for row in source.verify(tmp_path)} == {POSE_FILE, VELOCITY_FILE, PWM_FILE}


def test_folder_with_part_of_the_logs_names_the_missing_ones(
    tmp_path: Path, short_log: FlightLog, write_logs: WriteLogs
) -> None:
    write_logs(short_log, tmp_path)
    (tmp_path / VELOCITY_FILE).unlink()
    with pytest.raises(DataError, match=f"lacks 1 file.*{VELOCITY_FILE}.*raw.githubusercontent.com"):
        data.load("quadrotor", data_dir=tmp_path)


def test_file_that_is_not_the_published_one_is_refused(tmp_path: Path) -> None:
    path = write_table(tmp_path)
    with pytest.raises(DataError) as caught:
        data.load("quadrotor", data_dir=tmp_path)
    for part in (str(path), "3f26c8aee15c1f899c71cda27925851b1ec5d93c", digest(path, "git-blob"), "download it again"):
        assert part in str(caught.value)


def test_measured_pwm_log_is_the_published_one_and_readable(
    real_data: Path, tmp_path: Path, short_log: FlightLog, write_logs: WriteLogs
) -> None:
    measured = next(real_data.rglob(PWM_FILE), None)
    if measured is None:
        pytest.skip(f"no {PWM_FILE} under NORMBENCH_DATA")
    (expected,) = (file for file in quadrotor.LOGS if file.name == PWM_FILE)
    assert digest(measured, "git-blob") == expected.digest
    write_logs(replace(short_log), tmp_path)
    (tmp_path / PWM_FILE).write_bytes(measured.read_bytes())
    log = read_log(contents(tmp_path))
    assert log.pwm.shape == (33_363, 4)
    assert log.pwm_time[0] == pytest.approx(0.870518903)
    assert log.pwm_time[-1] > quadrotor.WINDOW_STOP_SECONDS
    assert log.pwm.min() >= 900
    assert log.pwm.max() <= 2000
