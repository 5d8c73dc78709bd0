"""Every task on demand runs from its files to its figures, at tiny widths, and the same in torch and JAX."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from normbench import specs
from normbench.campaigns.wanted import _supported
from normbench.data.dataset import Dataset
from normbench.errors import InvalidArgumentError
from normbench.problems import tasks
from normbench.records.build import record_of
from normbench.records.schema import from_json
from normbench.running.request import Asked, RunRequest
from normbench.running.result import Outcome
from normbench.running.run import problem_of, run
from normbench.running.support import check_support
from normbench.running.validation import trajectory_of
from tests.agreement.comparison import deviation_of
from tests.running.on_demand import small_dataset

# torch's own: torch.func.jvp loads decompositions that torch still compiles by torch.jit
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")

HIDDEN = {  # one width where it is that of a family, all of a perceptron's where it is not
    "mnist": (6, 5),
    "fashion-mnist": (6, 5),
    "cifar10": (4, 5, 4),
    "cifar10-resnet18": (1,),
    "cifar100-vgg16": (1,),
    "wikitext2-transformer": (6,),
}
IN_BOTH = [
    ("mnist", "method2"),
    ("fashion-mnist", "fgsgd"),
    ("cifar10", "method1"),
    ("cifar10-resnet18", "agd"),
    ("cifar100-vgg16", "agd"),
    ("wikitext2-transformer", "agd"),
]
MEASURED = ("wikitext2-transformer",)  # certificates of images take seconds
FIGURES_IN_JAX = ("mnist", "cifar10-resnet18", "wikitext2-transformer")  # one of each family
DEEP = ("cifar10-resnet18", "cifar100-vgg16")  # which JAX compiles in half the time for whole batches
BOUNDLESS = ("cifar10-resnet18", "cifar100-vgg16", "wikitext2-transformer")


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dataset]:
    sources = {tasks.get(key).source for key in HIDDEN}
    return {name: small_dataset(name, tmp_path_factory.mktemp(name)) for name in sources}


def asked(key: str, optimiser: str, dataset: Dataset, **changes: Any) -> RunRequest:
    """As the command line asks for it, but for sizes."""
    task = tasks.get(key)
    fields = {"layers": task.layers(dataset, HIDDEN[key]), "split": task.split, "batch_size": 8, "dtype": "float64"}
    return Asked(**{"task": key, "optimiser": optimiser, "seed": 0, "iterations": 3} | fields | changes).resolved()


def dataset_of(key: str, datasets: dict[str, Dataset]) -> Dataset:
    return datasets[tasks.get(key).source]


def assert_complete(asked: RunRequest, outcome: Outcome, dataset: Dataset) -> None:
    """Every figure is there, and the record of it can be written and read."""
    record = record_of(asked, outcome, dataset, jobs=1, threads=1)
    figures = [record.outcome.train_rms, record.outcome.test_rms, record.outcome.train_loss, record.outcome.test_loss]
    curves = record.outcome.curves
    figures += [*curves.loss, *curves.step_size, *curves.train_rms, *curves.test_rms]
    assert np.isfinite(figures).all()
    shares = [
        record.outcome.train_accuracy,
        record.outcome.test_accuracy,
        *record.outcome.curves.train_accuracy,
        *record.outcome.curves.test_accuracy,
    ]
    assert all(0 <= share <= 1 for share in shares)
    assert len(record.outcome.curves.loss) == 4
    assert record.outcome.curves.test_iterations == (0, 1, 2, 3)
    assert math.isfinite(record.outcome.lipschitz_bound) == (record.request.task not in BOUNDLESS)
    if record.request.task not in BOUNDLESS:
        assert (
            0 <= record.outcome.lipschitz_measured <= record.outcome.lipschitz_bound
        )  # a step too long leaves dead units
    assert from_json(record.to_json(), source="x").as_dict() == record.as_dict()
    names = {"zero", "mean"} if record.request.task == "wikitext2-transformer" else {"zero", "mean", "linear"}
    assert set(record.outcome.predictors) == names


@pytest.mark.parametrize(("key", "optimiser"), IN_BOTH)
def test_torch_and_jax_agree_from_files_to_figures(
    key: str, optimiser: str, datasets: dict[str, Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    if key in DEEP:  # kernels of one channel go the way of those of the task's own width, which JAX compiles faster
        monkeypatch.setattr("normbench.jax.benchmark.network.UNFOLDED", 0)
    dataset = dataset_of(key, datasets)
    whole = {"batch_size": None} if key in DEEP else {}
    wanted = {backend: asked(key, optimiser, dataset, backend=backend, **whole) for backend in ("torch", "jax")}
    results = {"torch": run(wanted["torch"], dataset)}
    if key in FIGURES_IN_JAX:
        results["jax"] = run(wanted["jax"], dataset)
    for backend, result in results.items():
        assert_complete(wanted[backend], result.outcome, dataset)
    expected = results["torch"].trajectory
    found = results["jax"].trajectory if "jax" in results else trajectory_of(wanted["jax"], dataset)
    close = {"rtol": 1e-8}
    np.testing.assert_allclose(found.loss, expected.loss, **close)
    np.testing.assert_allclose(found.step_size, expected.step_size, **close)
    for weights in zip(found.weights, expected.weights, strict=True):
        assert np.linalg.norm(weights[0] - weights[1]) <= 1e-8 * np.linalg.norm(weights[1])
    curves = [result.outcome.curves for result in results.values()]
    for name in ("test_loss", "train_rms", "test_rms"):
        np.testing.assert_allclose(getattr(curves[-1], name), getattr(curves[0], name), **close)
    assert (curves[-1].train_accuracy, curves[-1].test_accuracy) == (curves[0].train_accuracy, curves[0].test_accuracy)


def _supports(key: str, optimiser: str, dataset: Dataset) -> bool:
    try:
        network = tasks.get(key).network(dataset, tasks.get(key).layers(dataset, HIDDEN[key]))
        check_support(specs.get(optimiser), network, batch_size=8)
    except InvalidArgumentError:
        return False
    return True


@pytest.mark.parametrize("key", [key for key in HIDDEN if key != "fashion-mnist"])  # mnist with other images
def test_every_optimiser_that_supports_the_task_runs_in_torch(key: str, datasets: dict[str, Dataset]) -> None:
    dataset = dataset_of(key, datasets)
    tried = [o for o, spec in specs.SPECS.items() if spec.runs_on("torch") and _supports(key, o, dataset)]
    assert set(tried) >= {"method1", "fromage", "lars", "agd", "fgsgd", "adam", "sgd", "sgd_momentum", "muon"}
    assert {"method2", "method2_exp"}.isdisjoint(tried) == (key in BOUNDLESS)
    if key == "mnist":
        tried.remove("agd")  # whose initial weights take a second
    assert "lbfgs" not in tried
    for optimiser in tried:
        steps = {} if key in MEASURED else {"iterations": 1}
        wanted = asked(key, optimiser, dataset, backend="torch", dtype="float32", **steps)
        if key in MEASURED:
            result = run(wanted, dataset)
            found = result.trajectory
            if found.status == "done":
                assert_complete(wanted, result.outcome, dataset)
        else:
            found = trajectory_of(wanted, dataset)
        assert np.isfinite(found.loss[0]), optimiser
        assert len(found.step_size) > 0, optimiser


@pytest.mark.parametrize("optimiser", ["method2", "method2_exp"])
@pytest.mark.parametrize("key", BOUNDLESS)
def test_optimisers_that_need_operator_norms_are_refused(
    key: str, optimiser: str, datasets: dict[str, Dataset]
) -> None:
    dataset = dataset_of(key, datasets)
    for backend in ("torch", "jax"):
        with pytest.raises(InvalidArgumentError, match=f"{optimiser} does not train this network: layer .* no fixed"):
            run(asked(key, optimiser, dataset, backend=backend), dataset)


def test_a_plan_leaves_out_who_cannot_and_says_so(datasets: dict[str, Dataset]) -> None:
    task = tasks.get("cifar10-resnet18")
    network = task.network(datasets[task.source], (3, 1, 10))
    optimisers = ["method2", "agd", "lbfgs"]
    fields = {"task": task.key, "layers": (3, 1, 10), "optimiser": "", "backend": "", "seed": 0}
    batches, whole = Asked(**fields, batch_size=8), Asked(**fields)
    said: list[str] = []
    assert _supported(optimisers, task, network, batches, said.append, bounded=False) == ["agd"]
    assert said[0].startswith("cifar10-resnet18: left out: method2 does not train this network")
    assert said[1].startswith("cifar10-resnet18: left out: lbfgs compares losses")
    assert _supported(optimisers, task, network, whole, said.append, bounded=False) == ["agd", "lbfgs"]
    with pytest.raises(InvalidArgumentError, match="method2 does not train this network"):
        _supported(["method2"], task, network, batches, said.append, bounded=False)
    with pytest.raises(InvalidArgumentError, match="has no gain"):
        _supported(["lbfgs"], task, network, whole, said.append, bounded=True)


@pytest.mark.parametrize("key", HIDDEN)
def test_the_reference_runs_the_perceptrons_and_refuses_the_rest(key: str, datasets: dict[str, Dataset]) -> None:
    dataset = dataset_of(key, datasets)
    wanted = asked(key, "fromage", dataset, backend="reference")
    if key in BOUNDLESS:
        with pytest.raises(
            InvalidArgumentError, match=r"has no entry in the reference, which has .* Use a backend that has it"
        ):
            run(wanted, dataset)
        return
    expected = trajectory_of(replace(wanted, backend="torch"), dataset)
    if key == "mnist":  # and so all of them, whose certificates take seconds
        result = run(wanted, dataset)
        assert_complete(wanted, result.outcome, dataset)
        found = result.trajectory
    else:
        found = trajectory_of(wanted, dataset)
    assert deviation_of(found, expected) <= 1e-9


@pytest.mark.parametrize("key", HIDDEN)
def test_the_official_test_set_is_what_is_tested_on(key: str, datasets: dict[str, Dataset]) -> None:
    dataset = dataset_of(key, datasets)
    problem = problem_of(asked(key, "adam", dataset, backend="torch"), dataset)
    np.testing.assert_allclose(problem.output_scale * problem.y_test, dataset.outputs[dataset.official], rtol=1e-12)
    assert len(problem.x_test) == len(problem.y_test)
    assert problem.classes == len(dataset.classes)
    assert problem.network.output_shape[-1] == len(dataset.classes)


@pytest.mark.parametrize(
    ("key", "layers", "said"),
    [
        ("cifar10-resnet18", (3, 2, 2, 10), "layers of a resnet18 are channels,width,classes; got 3,2,2,10"),
        ("cifar100-vgg16", (3, 100), "layers of a vgg16 are channels,width,classes; got 3,100"),
        ("wikitext2-transformer", (9, 4), "layers of a transformer are vocabulary,width,vocabulary; got 9,4"),
        ("cifar10-resnet18", (1, 2, 10), "the first width must be 3 and the last 10"),
        ("mnist", (784, 4, 9), "the first width must be 784 and the last 10"),
    ],
)
def test_widths_that_make_no_network_of_the_task_are_refused(
    key: str, layers: tuple[int, ...], said: str, datasets: dict[str, Dataset]
) -> None:
    dataset = dataset_of(key, datasets)
    with pytest.raises(InvalidArgumentError, match=said):
        run(asked(key, "agd", dataset, backend="torch", layers=layers), dataset)
