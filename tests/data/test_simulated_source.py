"""Claims about the cache of the simulated source: whole files or none, damage noticed, no stale reads."""

from pathlib import Path

import numpy as np
import pytest

from normbench import data
from normbench.data import cache
from normbench.data.flight import simulation
from normbench.data.sources import quadrotor_sim
from normbench.errors import DataError, InvalidArgumentError

TABLE = np.random.default_rng(0).uniform(1, 2, size=(50, 16))


@pytest.fixture
def flights(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Replaces the simulator by a small table and lists the seeds it was asked for."""
    seeds: list[int] = []

    def simulate(seed: int) -> np.ndarray:
        seeds.append(seed)
        return TABLE + seed

    monkeypatch.setattr(quadrotor_sim, "simulate_table", simulate)
    return seeds


def test_second_load_reads_the_cache(flights: list[int]) -> None:
    first, second = quadrotor_sim.load_seed(3), quadrotor_sim.load_seed(3)
    assert flights == [3]
    assert first.sha256 == second.sha256


def test_numpy_seed_is_the_same_file_and_a_truth_value_none(flights: list[int], empty_cache: Path) -> None:
    paths = {quadrotor_sim.load_seed(seed).sha256 for seed in (3, np.int64(3), np.array(3))}  # type: ignore[arg-type]
    assert len(paths) == 1
    assert flights == [3]
    with pytest.raises(InvalidArgumentError, match="seed must be an integer of at least 0; got True"):
        quadrotor_sim.load_seed(True)


def test_each_seed_has_its_own_file(flights: list[int]) -> None:
    assert quadrotor_sim.load_seed(1).sha256 != quadrotor_sim.load_seed(2).sha256
    assert flights == [1, 2]


@pytest.mark.parametrize("damage", ["truncated", "flipped byte", "emptied", "other file", "wrong hash"])
def test_damaged_cache_is_noticed_and_replaced(flights: list[int], damage: str) -> None:
    sound = quadrotor_sim.load_seed(0).sha256
    path = quadrotor_sim.cache_path(0)
    content = bytearray(path.read_bytes())
    assert cache.read_table(path) is not None
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped byte":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif damage == "emptied":
        path.write_bytes(b"")
    elif damage == "other file":
        path.write_text("not an archive")
    else:
        np.savez(path, table=TABLE, sha256=np.array("0" * 64))
    assert cache.read_table(path) is None
    assert quadrotor_sim.load_seed(0).sha256 == sound
    assert flights == [0, 0]
    assert cache.read_table(path) is not None


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_interrupted_generation_leaves_no_file(
    monkeypatch: pytest.MonkeyPatch, empty_cache: Path, error: type[BaseException]
) -> None:
    def simulate(seed: int) -> np.ndarray:
        raise error

    monkeypatch.setattr(quadrotor_sim, "simulate_table", simulate)
    with pytest.raises(error):
        quadrotor_sim.load_seed(0)
    assert [path for path in empty_cache.rglob("*") if path.is_file()] == []


def test_interrupted_write_leaves_no_file(
    flights: list[int], monkeypatch: pytest.MonkeyPatch, empty_cache: Path
) -> None:
    def half_written(stream, **arrays) -> None:  # type: ignore[no-untyped-def]
        stream.write(b"PK half of an archive")
        raise KeyboardInterrupt

    monkeypatch.setattr(cache.np, "savez_compressed", half_written)
    with pytest.raises(KeyboardInterrupt):
        quadrotor_sim.load_seed(0)
    assert [path for path in empty_cache.rglob("*") if path.is_file()] == []


def test_interrupted_rewrite_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "kept.npz"
    cache.write_table(path, TABLE)

    def rewrite() -> None:
        with cache.replaced_when_done(path) as temporary:
            temporary.write_bytes(b"half")
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        rewrite()
    np.testing.assert_array_equal(cache.read_table(path), TABLE)
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["kept.npz"]


def test_cache_that_cannot_be_written_is_one_clear_error(
    flights: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("NORMBENCH_CACHE", str(tmp_path / "a file"))
    with pytest.raises(DataError, match="NORMBENCH_CACHE"):
        quadrotor_sim.load_seed(0)


def test_changed_model_reads_no_stale_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {quadrotor_sim.cache_path(0)}
    monkeypatch.setattr(simulation, "MODEL_VERSION", simulation.MODEL_VERSION + 1)
    before.add(quadrotor_sim.cache_path(0))
    monkeypatch.setattr(simulation.flight_plan, "CLIMB_END", 306.0)
    before.add(quadrotor_sim.cache_path(0))
    assert len(before) == 3


def test_verify_rejects_other_content_and_damage(flights: list[int]) -> None:
    (path,) = data.fetch("quadrotor-sim")
    (row,) = data.verify("quadrotor-sim")
    assert not row.ok
    path.write_bytes(b"")
    (row,) = data.verify("quadrotor-sim")
    assert row.found == "damaged file"


def test_verify_before_generation_names_the_remedy() -> None:
    with pytest.raises(DataError, match="normbench data fetch quadrotor-sim"):
        data.verify("quadrotor-sim")
    assert not data.info("quadrotor-sim").present
