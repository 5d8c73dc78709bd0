"""Augmented images are the same in every backend, drawn by seed and iteration, and what a run is judged on is not."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from normbench.data.augmentation import AUGMENTATIONS, PADDING, crop_flip
from normbench.errors import InvalidArgumentError
from normbench.problems import tasks
from normbench.running.batches import batches
from normbench.running.feed import AUGMENTATION_STREAM, feed_of
from normbench.running.request import Asked
from normbench.running.run import build_trainer, problem_of, rows_of, run
from tests.running.few_digits import asked, assert_same_run, few_digits, of_the_reference, trained

# torch's own: torch.func.jvp loads decompositions that torch still compiles by torch.jit
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")

TASK, DENSE, SQUARE = "digits-conv-xent", "digits-xent", "digits"
FED: dict[str, Any] = {"batch_size": 16, "iterations": 8, "augmentation": "crop_flip"}


def every_crop(image: np.ndarray) -> dict[bytes, tuple[int, int, bool]]:
    """Where the image may have been cut, and whether it was mirrored, by the pixels that come of it."""
    padded = np.pad(image, [(0, 0), (PADDING, PADDING), (PADDING, PADDING)])
    height, width = image.shape[1:]
    places = itertools.product(range(2 * PADDING + 1), repeat=2)
    cuts = {(i, j): padded[:, i : i + height, j : j + width] for i, j in places}
    return {
        np.ascontiguousarray(cut[:, :, ::-1] if mirrored else cut).tobytes(): (*place, mirrored)
        for place, cut in cuts.items()
        for mirrored in (False, True)
    }


def test_every_crop_and_its_mirror_image_come_equally_often() -> None:
    rng = np.random.default_rng(0)
    image = rng.uniform(0.1, 1.0, (3, 6, 7)).astype(np.float32)
    known, many = every_crop(image), 8_000
    found = crop_flip(np.broadcast_to(image, (many, *image.shape)), rng)
    assert found.dtype == image.dtype
    drawn = [known[one.tobytes()] for one in found]
    counts = np.unique(drawn, axis=0, return_counts=True)[1]
    assert len(counts) == len(known) == 2 * 9 * 9
    expected = many / len(known)
    assert np.square(counts - expected).sum() / expected < 161 + 5 * np.sqrt(2 * 161)  # chi squared, five deviations


def test_an_image_of_which_nothing_would_be_left_stays_as_it_is() -> None:
    image = np.zeros((200, 1, 5, 5))
    image[:, 0, 0, 0] = 1.0  # most crops lose it
    found = crop_flip(image, np.random.default_rng(0))
    assert found.any(axis=(1, 2, 3)).all()
    assert 0 < (found == image).all(axis=(1, 2, 3)).sum() < 200


@pytest.mark.parametrize("backend", ["torch", "jax"])
@pytest.mark.parametrize("task", [TASK, DENSE, SQUARE])
def test_runs_on_augmented_images_follow_the_reference(task: str, backend: str) -> None:
    """The square loss of a perceptron leaves the derivatives by hand, which have the whole set in tiles."""
    expected = of_the_reference(task, "agd", {}, **FED)
    found = trained(task, "agd", backend, **FED)
    assert_same_run(found, expected, asked(task, "agd", backend, **FED))
    np.testing.assert_array_equal(found.loss_evaluations, expected.loss_evaluations)
    plain = of_the_reference(task, "agd", {}, **FED | {"augmentation": "none"})
    assert abs(expected.loss[0] / plain.loss[0] - 1) > 1e-3


def test_what_is_fed_is_cut_from_the_rows_of_the_batch_and_drawn_by_seed_and_iteration() -> None:
    wanted = asked(DENSE, "agd", "torch", **FED)
    problem = problem_of(wanted, few_digits())
    assert rows_of(wanted, problem) is None
    rows = batches(len(problem.x_train), 16, seed=0)
    first, again, other = (list(feed_of(replace(wanted, seed=seed), problem) or ()) for seed in (0, 0, 1))
    assert len(first) == 8
    for iteration, (x, y) in enumerate(first):
        own = next(rows)
        np.testing.assert_array_equal(y, problem.y_train[own])
        np.testing.assert_allclose(np.linalg.norm(x, axis=1), problem.input_norm, rtol=1e-14)
        rng = np.random.default_rng([0, AUGMENTATION_STREAM, iteration])
        cut = crop_flip(problem.x_train[own].reshape(-1, 1, 8, 8), rng).reshape(16, 64)
        np.testing.assert_allclose(x, cut / np.linalg.norm(cut, axis=1, keepdims=True) * problem.input_norm, rtol=1e-14)
        np.testing.assert_array_equal(again[iteration][0], x)
        assert not np.array_equal(other[iteration][0], x)


@pytest.mark.parametrize("backend", ["reference", "torch", "jax"])
def test_a_run_in_pieces_is_the_run_in_one(backend: str) -> None:
    wanted = asked(DENSE, "agd", backend, **FED)
    trainer = build_trainer(wanted, problem_of(wanted, few_digits()))
    trainer.compile()
    assert [trainer.advance(steps) for steps in (1, 3, 0, 4)] == [1, 3, 0, 4]
    assert_same_run(trainer.trajectory(), trained(DENSE, "agd", backend, **FED), wanted, rtol=1e-14)


@pytest.mark.parametrize("backend", ["reference", "torch", "jax"])
def test_a_run_that_diverges_on_augmented_images_ends_there(backend: str) -> None:
    wanted = asked(SQUARE, "sgd", backend, **FED)
    trainer = build_trainer(wanted, problem_of(wanted, few_digits()))
    trainer.scale_learning_rate(1e200)
    done = trainer.advance(8)
    found = trainer.trajectory()
    assert found.status == "diverged"
    assert done == len(found.step_size) < 8
    assert trainer.advance(1) == 0
    assert not np.isfinite(found.loss[-1])


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_errors_are_those_on_images_as_they_are(backend: str) -> None:
    wanted = asked(DENSE, "agd", backend, **FED)
    result, problem = run(wanted, few_digits()), problem_of(wanted, few_digits())
    from normbench.reference.network import forward

    outputs = forward(problem.network, result.trajectory.weights, problem.x_train)
    assert result.outcome.train_rms == pytest.approx(problem.errors([outputs], problem.y_train)[0], rel=1e-9)
    judged = forward(problem.network, result.trajectory.weights, problem.x_test)
    assert result.outcome.test_rms == pytest.approx(problem.errors([judged], problem.y_test)[0], rel=1e-9)


@pytest.mark.parametrize(
    ("task", "changes", "said"),
    [
        ("quadrotor-sim", {"batch_size": 8}, r"is for images.*got samples of shape \(12,\). Leave it out"),
        ("wikitext2-transformer", {"batch_size": 8}, "is for images"),
        ("digits", {}, "draws anew for every mini-batch; got none. Choose batch_size"),
        ("digits", {"augmentation": "mixup"}, f"augmentation must be one of {', '.join(AUGMENTATIONS)}; got 'mixup'"),
    ],
)
def test_augmentation_is_refused_where_it_has_no_meaning(task: str, changes: dict[str, Any], said: str) -> None:
    entry = tasks.get(task)
    layers = (12, 4, 3) if task.startswith("quad") else (33278, 4, 33278) if "text" in task else (64, 4, 10)
    fields = {"augmentation": "crop_flip", "layers": layers, "optimiser": "agd", "backend": "torch", "seed": 0}
    with pytest.raises(InvalidArgumentError, match=said):
        Asked(**{"task": entry.key} | fields | changes).resolved()
