"""ResNet-50 on a folder of JPEGs, from files to figures, the same in torch and JAX; no set is ever in memory."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import imagenet
from normbench.backends.trajectory import Trajectory
from normbench.campaigns.samples import Samples
from normbench.data.dataset import Dataset
from normbench.data.streamed import StreamedImages
from normbench.errors import DataError, InvalidArgumentError
from normbench.networks import BatchNorm, Convolution, Dense, Flatten, Network, Relu, resnet50
from normbench.problems import tasks
from normbench.problems.families import FAMILIES
from normbench.records.build import record_of
from normbench.records.schema import from_json
from normbench.running.feed import feed_of
from normbench.running.request import Asked, RunRequest
from normbench.running.run import problem_of, rows_of, run
from normbench.running.validation import trajectory_of
from tests.image_folders import small_images, write_images
from tests.this_process import without_workers

TASK = "imagenet-resnet50"
BATCH = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("imagenet"))


@pytest.fixture(scope="module")
def dataset(folder: Path) -> Dataset:
    return small_images(folder)


def with_network(monkeypatch: pytest.MonkeyPatch, build: Callable[..., Network]) -> None:
    """The task with another network, from classes, width and side; and kernels that JAX compiles quickly."""
    family = replace(FAMILIES["resnet50"], build=lambda layers, shape, _: build(layers[2], layers[1], shape[-1]))
    monkeypatch.setitem(FAMILIES, "resnet50", family)
    monkeypatch.setattr("normbench.jax.benchmark.network.UNFOLDED", 0)


def one_bottleneck(classes: int, width: int, side: int) -> Network:
    """Of the sixteen; tests/networks has more of them in both backends."""
    return resnet50(classes, width=width, side=side, blocks=(1,))


def one_convolution(classes: int, width: int, side: int) -> Network:
    layers = (Convolution(3, width, 8, 8, 0), BatchNorm(), Relu(), Flatten(), Dense(width * (side // 8) ** 2, classes))
    return Network((3, side, side), layers)


def asked(dataset: Dataset, backend: str, **changes: Any) -> RunRequest:
    """As the command line asks for it, but for sizes."""
    task = tasks.get(TASK)
    fields = {"layers": task.layers(dataset, (1,)), "split": task.split, "augmentation": task.augmentation}
    fields |= {"batch_size": BATCH, "dtype": "float64", "iterations": 3, "optimiser": "agd", "seed": 0}
    return Asked(**{"task": TASK, "backend": backend} | fields | changes).resolved()


def test_the_task_is_the_papers() -> None:
    task = tasks.get(TASK)
    assert (task.batch_size, task.loss, task.split, task.augmentation) == (
        1024,
        "cross_entropy",
        "official",
        "crop_flip",
    )
    assert task.iterations == 350 * 1251
    assert task.declared_network((3, 64, 1000)) == resnet50(1000)


def test_torch_and_jax_make_the_same_run_of_a_bottleneck(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    with_network(monkeypatch, one_bottleneck)
    found, expected = (trajectory_of(asked(dataset, backend), dataset) for backend in ("torch", "jax"))
    assert_the_same(found, expected)


@pytest.mark.parametrize("augmentation", ["crop_flip", "none"])
def test_torch_and_jax_have_the_same_figures(
    augmentation: str, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_network(monkeypatch, one_convolution)
    wanted = {backend: asked(dataset, backend, augmentation=augmentation) for backend in ("torch", "jax")}
    results = {backend: run(request, dataset) for backend, request in wanted.items()}
    for backend, result in results.items():
        assert_complete(wanted[backend], result.outcome, dataset)
    found, expected = results.values()
    assert_the_same(found.trajectory, expected.trajectory)
    for name in ("test_loss", "train_rms", "test_rms"):
        ours, theirs = (getattr(result.outcome.curves, name) for result in (found, expected))
        np.testing.assert_allclose(ours, theirs, rtol=1e-7)


def assert_the_same(found: Trajectory, expected: Trajectory) -> None:
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-7)
    np.testing.assert_allclose(found.step_size, expected.step_size, rtol=1e-7)
    for ours, theirs in zip(found.weights, expected.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-8)


def assert_complete(wanted: RunRequest, outcome: Any, dataset: Dataset) -> None:
    record = record_of(wanted, outcome, dataset, jobs=1, threads=1)
    assert from_json(record.to_json(), source="x").as_dict() == record.as_dict()
    assert set(outcome.predictors) == {"zero", "mean"}
    assert outcome.predictors["mean"]["test_accuracy"] == pytest.approx(1 / 3)
    assert outcome.predictors["mean"]["test"] == pytest.approx(math.sqrt(2 / 3))
    assert np.isfinite([outcome.train_loss, outcome.test_loss, outcome.train_rms, outcome.test_rms]).all()
    assert 0 <= outcome.test_accuracy <= 1
    np.testing.assert_array_equal(outcome.curves.loss_evaluations, [0, 1, 1, 2])  # a third of 12, twice an iteration


def test_all_sixteen_blocks_train_in_torch(dataset: Dataset) -> None:
    found = run(asked(dataset, "torch", dtype="float32", layers=(3, 2, 3), iterations=2), dataset)
    assert found.outcome.status == "done"
    assert len(found.trajectory.weights) == 54
    start = problem_of(asked(dataset, "torch", layers=(3, 2, 3)), dataset).weights
    assert all(np.linalg.norm(a - b) > 0 for a, b in zip(found.trajectory.weights, start, strict=True))


def test_only_a_few_batches_are_read_ahead(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    whole = StreamedImages._read

    def counted(self: StreamedImages, wanted: Any) -> np.ndarray:
        found = whole(self, wanted)
        read.append(len(found))
        return found

    monkeypatch.setattr(StreamedImages, "_read", counted)
    wanted = asked(dataset, "torch", iterations=50)
    problem = problem_of(wanted, dataset)
    assert isinstance(problem.x_train, StreamedImages)
    assert isinstance(problem.x_test, StreamedImages)
    assert rows_of(wanted, problem) is None
    feed = feed_of(wanted, problem)
    assert feed is not None
    batches = [next(feed) for _ in range(4)]
    feed.close()  # type: ignore[attr-defined]
    assert len(read) <= 4 + 2
    assert set(read) == {BATCH}
    for x, y in batches:
        assert x.shape == (BATCH, 3, 32, 32)
        np.testing.assert_allclose(np.linalg.norm(x.reshape(BATCH, -1), axis=1), problem.input_norm, rtol=1e-5)
        assert y.shape == (BATCH,)


def test_the_campaign_is_the_papers_and_prints_their_figures_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 224 x 224 pixels; a matrix of such inputs, which certificates would make, has 169 GB."""
    folder = write_images(tmp_path / "imagenet", training=1, test=1)
    without_workers(monkeypatch)
    agd, fromage = imagenet.requests(
        Samples(folder), width=None, batch_size=None, iterations=None, backend="torch", device="cuda", seed=0
    )
    assert (agd.iterations, agd.batch_size, agd.layers) == (350 * 1251, 1024, (3, 64, 3))
    assert (fromage.iterations, fromage.schedule) == (90 * 1251, "plateau")
    assert fromage.hyperparameters["learning_rate"] == 0.01
    assert {agd.augmentation, fromage.augmentation} == {"crop_flip"}
    small = ["--device=cpu", "--width=1", "--iterations=1", "--batch-size=2"]
    call = [*small, "--data-dir", str(folder), "--out", str(tmp_path / "out")]
    found = CliRunner().invoke(imagenet.main, call, catch_exceptions=False)
    assert re.search(r"\| agd \| 1 \| \d+\.\d \| \d+\.\d+ \| top-1 65.5 % \|", found.stdout), found.output
    assert re.search(r"\| fromage \| 1 \| \d+\.\d \| \d+\.\d+ \| training loss 2.001 ± 0.001 \|", found.stdout)


def test_whole_batches_are_refused(dataset: Dataset) -> None:
    with pytest.raises(InvalidArgumentError, match=f"'{TASK}' are read from files.*Choose batch_size, such as 128"):
        run(asked(dataset, "torch", batch_size=None, augmentation="none"), dataset)


def test_a_damaged_image_ends_a_run_with_its_name(tmp_path: Path) -> None:
    folder = write_images(tmp_path)
    broken = sorted((folder / "train").rglob("*.JPEG"))[4]
    broken.write_bytes(broken.read_bytes()[:200])
    found = small_images(folder)
    with pytest.raises(DataError, match=f"{broken.name} is no image that can be read"):
        run(asked(found, "torch", iterations=4), found)
