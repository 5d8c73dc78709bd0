"""What is seen inside a training is what the training does: checkpoints, perturbations, norms and mini-batches."""

import itertools
import math

import numpy as np
import pytest

from normbench.errors import InvalidArgumentError
from normbench.networks import Loss, perceptron
from normbench.papers import runs as shared
from normbench.papers.agd import experiments as agd
from normbench.papers.agd.batches import batch_rows
from normbench.papers.checkpoints import UpdateSizeJob, checkpoints, relative_updates
from normbench.papers.fromage import experiments as fromage
from normbench.papers.fromage import growth
from normbench.papers.fromage.growth import InvariantGrowthJob, PlainGrowthJob, invariant_gradient, on_spheres
from normbench.papers.fromage.perturbation import PerturbationJob, breakdown
from normbench.papers.fromage.published import published_on_mnist
from normbench.problems import tasks
from normbench.problems.initial_weights import xavier_uniform
from normbench.records.build import record_of
from normbench.reference.network import Objective
from normbench.running.batches import batches
from normbench.running.request import Asked
from normbench.running.run import problem_of, run

LAYERS = (12, 5, 4, 3)


def asked(optimiser, iterations, layers=LAYERS, **hyperparameters):
    return Asked(
        task="quadrotor-sim",
        layers=layers,
        optimiser=optimiser,
        backend="reference",
        dtype="float64",
        seed=3,
        iterations=iterations,
        hyperparameters=hyperparameters,
    ).resolved()


@pytest.fixture(scope="module")
def dataset():
    return tasks.get("quadrotor-sim").dataset()


@pytest.fixture(scope="module")
def objective():
    rng = np.random.default_rng(5)
    return Objective(perceptron(LAYERS), rng.normal(size=(40, 12)), rng.normal(size=(40, 3)), Loss.SQUARE, 1.0)


@pytest.fixture(scope="module")
def weights():
    return xavier_uniform(perceptron(LAYERS).weight_shapes, np.random.default_rng(6))


def test_the_checkpoints_of_a_run_are_those_of_shorter_runs(dataset):
    wanted = asked("method1", 4)
    seen = {point.iteration: point for point in checkpoints(wanted, problem_of(wanted, dataset), [0, 1, 4])}
    assert list(seen) == [0, 1, 4]
    for iterations in (1, 4):
        shorter = run(asked("method1", iterations), dataset)
        for found, expected in zip(seen[iterations].weights, shorter.trajectory.weights, strict=True):
            np.testing.assert_array_equal(found, expected)
        assert seen[iterations].rms == shorter.outcome.train_rms


def test_the_last_checkpoint_of_a_run_that_diverges_is_its_end(dataset):
    wanted = asked("sgd", 50, layers=(12, 3), learning_rate=1e9)
    seen = list(checkpoints(wanted, problem_of(wanted, dataset), [0, 49, 50]))
    assert len(seen) == 2
    assert 0 < seen[-1].iteration < 49
    assert not math.isfinite(seen[-1].rms)


@pytest.mark.parametrize("iterations", [[1, 1], [2, 1], [-1, 2], [0, 5]])
def test_checkpoints_that_a_run_cannot_have_are_refused(dataset, iterations):
    wanted = asked("lars", 4)
    with pytest.raises(InvalidArgumentError, match="checkpoints must increase from 0 to at most 4"):
        list(checkpoints(wanted, problem_of(wanted, dataset), iterations))


def test_the_relative_update_is_the_learning_rate_of_lars():
    rows = UpdateSizeJob(asked("lars", 6, learning_rate=0.07), None, (0, 3, 5))()
    assert [(row["iteration"], row["layer"]) for row in rows] == [(k, layer) for k in (0, 3, 5) for layer in (1, 2, 3)]
    np.testing.assert_allclose([row["relative_update"] for row in rows], 0.07, rtol=1e-12)


def test_relative_updates_are_measured_layer_by_layer(weights):
    after = (weights[0], 1.5 * weights[1], -weights[2])
    np.testing.assert_allclose(relative_updates(weights, after), [0.0, 0.5, 2.0])


def test_no_perturbation_changes_nothing(objective, weights):
    (found,) = breakdown(objective, weights, [0.0])
    assert (found.loss, found.gradient_change) == (objective.loss(weights), 0.0)


def test_a_small_perturbation_lowers_the_loss_by_its_slope(objective, weights):
    eta = 1e-6
    gradient = objective.gradient(weights)
    slope = -sum(np.linalg.norm(W) * np.linalg.norm(g) for W, g in zip(weights, gradient, strict=True))
    (found,) = breakdown(objective, weights, [eta])
    assert (found.loss - objective.loss(weights)) / eta == pytest.approx(slope, rel=1e-4)


def test_a_perturbation_moves_every_layer_by_its_relative_size(objective, weights):
    gradient = objective.gradient(weights)
    moved = tuple(W - 0.3 * np.linalg.norm(W) / np.linalg.norm(g) * g for W, g in zip(weights, gradient, strict=True))
    change = np.linalg.norm(objective.gradient(moved)[0] - gradient[0]) / np.linalg.norm(gradient[0])
    (found,) = breakdown(objective, weights, [0.3])
    assert found.loss == pytest.approx(objective.loss(moved), rel=1e-12)
    assert found.gradient_change == pytest.approx(change, rel=1e-12)


def test_a_perturbation_job_has_a_row_for_every_checkpoint_and_strength(dataset):
    wanted = asked("fromage", 3)
    rows = PerturbationJob(wanted, None, (0, 3), (0.0, 0.1))()
    assert [(row["iteration"], row["strength"]) for row in rows] == [(0, 0.0), (0, 0.1), (3, 0.0), (3, 0.1)]
    assert {row["depth"] for row in rows} == {3}
    assert rows[2]["rms"] == pytest.approx(run(wanted, dataset).outcome.train_rms, rel=1e-12)


def test_the_gradient_of_a_normalised_layer_is_orthogonal_to_it_and_the_true_one(objective, weights):
    gradient = invariant_gradient(objective, weights)
    for g, W in zip(gradient, weights, strict=True):
        assert abs(np.vdot(g, W)) < 1e-14
    direction = tuple(np.random.default_rng(8).normal(size=W.shape) for W in weights)
    values = [
        objective.loss(on_spheres(tuple(W + t * D for W, D in zip(weights, direction, strict=True))))
        for t in (-1e-6, 1e-6)
    ]
    slope = sum(np.vdot(g, D) for g, D in zip(gradient, direction, strict=True))
    assert (values[1] - values[0]) / 2e-6 == pytest.approx(slope, rel=1e-6)


def test_lars_multiplies_the_norms_of_normalised_layers_and_fromage_keeps_them():
    rows = {
        optimiser: InvariantGrowthJob(asked(optimiser, 20, learning_rate=0.5), None, 10)()
        for optimiser in ("lars", "fromage")
    }
    for optimiser, factor in (("lars", math.sqrt(1.25)), ("fromage", 1.0)):
        assert [row["iteration"] for row in rows[optimiser]] == [0] * 3 + [10] * 3 + [20] * 3
        for row in rows[optimiser]:
            assert row["norm"] == pytest.approx(factor ** row["iteration"], rel=1e-4)
            assert row["layers"] == growth.NORMALISED


def test_lars_overflows_where_the_squared_norm_leaves_float32():
    rows = InvariantGrowthJob(asked("lars", 400, learning_rate=1.0), None, 1000)()
    last = rows[-1]["iteration"]
    assert math.inf in {row["norm"] for row in rows if row["iteration"] == last}
    assert last == pytest.approx(math.log2(np.finfo(np.float32).max), abs=2)  # norm^2 = 2^t
    assert {row["iteration"] for row in rows} == {0, last}


def test_the_norms_of_plain_layers_are_those_of_the_run(dataset):
    wanted = asked("lars", 4, learning_rate=0.1)
    rows = PlainGrowthJob(wanted, None, 2)()
    assert [row["iteration"] for row in rows] == [0] * 3 + [2] * 3 + [4] * 3
    expected = [np.linalg.norm(W) for W in run(wanted, dataset).trajectory.weights]
    np.testing.assert_array_equal([row["norm"] for row in rows[-3:]], expected)


def test_an_epoch_is_every_sample_once_in_whole_batches():
    drawn = list(itertools.islice(batches(103, 10, seed=0), 20))
    assert [len(batch) for batch in drawn] == [10] * 20
    first, second = (set(np.concatenate(drawn[start : start + 10])) for start in (0, 10))
    assert len(first) == len(second) == 100
    assert not np.array_equal(drawn[0], drawn[10])
    assert not np.array_equal(drawn[0], next(batches(103, 10, seed=1)))


def test_a_batch_larger_than_the_training_set_raises():
    with pytest.raises(InvalidArgumentError, match="batch_size=11 is larger than the training set of 10"):
        next(batches(10, 11, seed=0))


def recorded(dataset, iterations, batch_size=None):
    wanted = Asked(
        task="quadrotor-sim", layers=LAYERS, optimiser="agd", backend="reference", dtype="float64", seed=3,
        iterations=iterations, batch_size=batch_size,
    ).resolved()  # fmt: skip
    return record_of(wanted, run(wanted, dataset).outcome, dataset, jobs=1, threads=1)


def test_the_rows_of_batches_are_the_steps_and_errors_of_the_run(dataset):
    record = recorded(dataset, 46, batch_size=1000)  # two epochs
    rows = batch_rows([record], samples=23_200, epochs=2)
    assert [row["step"] for row in rows] == list(record.outcome.curves.test_iterations)
    assert [rows[k]["epoch"] for k in (0, 10, -1)] == [0.0, 1.0, 2.0]
    assert {row["batch"] for row in rows} == {1000}
    assert (rows[-1]["train_rms"], rows[-1]["test_rms"]) == (record.outcome.train_rms, record.outcome.test_rms)
    assert math.isnan(rows[0]["step_size"])
    steps = np.split(np.array(record.outcome.curves.step_size), [row["step"] for row in rows[1:-1]])
    for row, taken in zip(rows[1:], steps, strict=True):
        found = [row[name] for name in ("step_size_low", "step_size", "step_size_high")]
        np.testing.assert_allclose(found, [taken.min(), taken.mean(), taken.max()], rtol=1e-12)


def test_the_whole_set_is_the_batch_of_a_run_without_one_and_its_errors_follow_the_losses(dataset):
    record = recorded(dataset, 3)
    rows = batch_rows([record], samples=23_200, epochs=3)
    assert {row["batch"] for row in rows} == {23_200}
    assert [row["epoch"] for row in rows] == [0.0, 1.0, 2.0, 3.0]
    assert rows[-1]["train_rms"] == pytest.approx(record.outcome.train_rms, rel=1e-12)
    assert rows[0]["train_rms"] > rows[-1]["train_rms"]


def test_every_batch_size_of_figure7_sees_the_same_number_of_epochs():
    runs = agd.figure7(shared.Setting("quadrotor-sim", "torch", 1)).requests  # 23,200 training samples
    assert [run.batch_size for run in runs] == list(agd.FIGURE7_BATCHES)
    assert [run.iterations for run in runs] == [30 * 725, 30 * 90, 30 * 5, 30]


@pytest.mark.parametrize("task", fromage.TASKS)
def test_the_runs_of_the_deep_figures_are_in_float64_and_what_was_published(task):
    deep, size = fromage.figure3(shared.Setting(task, "torch", 1)).requests, fromage.FIGURE3[task]
    assert {len(r.layers) - 1 for r in deep} == set(size.depths)
    assert {r.dtype for r in deep} == {"float64"}
    assert len(deep) == len(set(deep)) == 12 * len(size.depths)
    epsilons = {dict(r.hyperparameters).get("epsilon") for r in deep if r.optimiser == "adam"}
    assert epsilons == {1e-8, shared.TINY["epsilon"]}


@pytest.mark.parametrize("plan", [fromage.figure1, fromage.figure3])
def test_on_mnist_a_figure_has_the_images_ends_its_own_test_set_and_whole_epochs_of_mini_batches(plan):
    found = plan(shared.Setting("mnist", "torch", 1))
    for wanted in found if isinstance(found, list) else found.requests:
        assert (wanted.layers[0], wanted.layers[-1]) == (784, 10)
        assert (wanted.split, wanted.batch_size) == ("official", 250)
        assert wanted.iterations % (60_000 // wanted.batch_size) == 0


@pytest.mark.parametrize("size", fromage.FIGURE1.values(), ids=fromage.FIGURE1)
def test_figure1_has_ten_checkpoints_from_the_start_to_the_end(size):
    assert len(size.checkpoints) == 10
    assert (size.checkpoints[0], size.checkpoints[-1]) == (0, size.iterations)


@pytest.mark.parametrize("figure", [1, 3])
def test_the_paper_says_what_it_saw_on_mnist(figure):
    assert f"arXiv:2002.03432 Figure {figure}" in published_on_mnist(figure)


@pytest.mark.parametrize(
    ("experiment", "optimisers", "depths"),
    [
        (fromage.figure1, {"fromage"}, {2, 16}),
        (fromage.figure2, {"fromage", "lars"}, {4}),
        (agd.figure5, {"agd", "adam", "sgd"}, {8}),
        (agd.figure6, {"agd"}, {2, 4, 8, 16}),
        (agd.figure7, {"agd"}, {4}),
    ],
)
@pytest.mark.parametrize("backend", ["torch", "reference"])
def test_an_experiment_has_the_papers_optimisers_and_depths_for_every_seed(experiment, optimisers, depths, backend):
    plan = experiment(shared.Setting("quadrotor-sim", backend, 2))
    runs = plan if isinstance(plan, list) else [*plan.requests, *(run for s in plan.searches for run in s.targets)]
    assert {r.optimiser for r in runs} == optimisers
    assert {len(r.layers) - 1 for r in runs} == depths
    assert {r.seed for r in runs} == {0, 1}
    assert {r.backend for r in runs} == {backend}
    assert len(runs) == len(set(runs))
