"""`normbench validate` itself: everything agrees on real data, and planted errors are caught."""

import dataclasses
import json
from collections.abc import Callable

import jax
import numpy as np
import pytest
from click.testing import CliRunner

from normbench import specs
from normbench.cli import main
from normbench.data.dataset import Dataset
from normbench.problems import tasks
from normbench.running import validation
from normbench.running.request import Asked, RunRequest
from normbench.running.validation import Agreement, Scope, judge, trajectory_of, validate

# torch's own: torch.func.jvp loads decompositions that torch still compiles by torch.jit
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
# tests/agreement and tests/jax hold the others in JAX to the reference, on both paths and in both precisions, and
# tests/agreement the variants
IN_JAX = ("fromage",)


@pytest.mark.parametrize("key", specs.REFERENCED)
def test_every_backend_agrees_with_the_reference_for_100_iterations(flights: Dataset, key: str) -> None:
    task, backends = tasks.get("neural-fly"), ["torch", "jax"] if key in IN_JAX else ["torch"]
    scope = Scope(iterations=100, hidden=(9, 13), variants=False)
    agreements = validate(task, small(flights), optimisers=[key], backends=backends, scope=scope)
    stable = specs.get(key).stable  # iterations after which rounding alone parts runs, at once in float32
    paths = ("fast", "plain") if key in specs.OWN else ("fast",)  # the others have no class for users
    exact = {(backend, path, "float64") for backend in backends for path in paths}
    single = set() if stable else {(backend, "fast", "float32") for backend in backends}
    assert {(a.backend, a.path, a.dtype) for a in agreements} == exact | single
    assert all(a.iterations == (stable or 100) for a in agreements)
    failed = [a for a in agreements if not a.passed]
    assert not failed, failed


@pytest.mark.usefixtures("in_this_process")
def test_quick_check_judges_every_backend_and_path_and_says_what_it_leaves_out() -> None:
    result = CliRunner().invoke(main, ["validate", "--optimiser", "sgd", "--jobs", "1", "--format", "json"])
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    judged = {(row["task"].startswith("digits"), row["backend"], row["path"], row["dtype"]) for row in rows}
    exact = {(kernels, "torch", path, "float64") for kernels in (False, True) for path in ("fast", "plain")}
    assert judged == exact | {(False, "jax", path, "float64") for path in ("fast", "plain")} | {
        (kernels, "torch", "fast", "float32") for kernels in (False, True)
    }
    assert all(row["iterations"] == 10 for row in rows)
    for part in (
        "Validating on",
        "more than 10 iterations",
        "float32 in JAX",
        "cross-entropy in JAX",
        "--thorough has them",
    ):
        assert part in result.stderr


def test_thorough_check_leaves_nothing_out() -> None:
    from normbench.cli.validate import _scope

    assert _scope("neural-fly", None, True) == Scope()
    assert _scope("digits-conv-xent", None, True) == Scope(20, 300)
    assert Scope().combinations("jax", "adam", {}) == (("fast", "float64"), ("plain", "float64"), ("fast", "float32"))
    assert {"hyperparameters": {"order": 4}} in Scope().changes("method1")


def test_variants_are_judged_and_parametrisations_where_they_have_weights_for_the_network() -> None:
    task = tasks.get("digits-conv")
    few = task.dataset().take(np.arange(40))
    scope = Scope(iterations=2, hidden=(2, 3))
    found = validate(task, few, optimisers=["adam", "method1", "fgsgd"], backends=["torch"], scope=scope)
    assert {a.parametrisation for a in found if a.optimiser == "adam"} == {None, "spectral", "bjorck"}
    assert {a.hyperparameters.get("order") for a in found if a.optimiser == "method1"} == {None, 3, 4}
    assert {a.hyperparameters.get("manifold") for a in found if a.optimiser == "fgsgd"} == {None, "stiefel", "oblique"}
    assert all(a.passed for a in found)


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_where_rounding_alone_parts_the_reference_the_limit_is_wider_and_an_error_is_found_still(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judged() -> Agreement:
        task = tasks.get("digits")
        data, scope = task.dataset().take(np.arange(300)), Scope(iterations=20)
        found = validate(task, data, optimisers=["geodesic_lbfgs"], backends=[backend], scope=scope)
        return next(a for a in found if a.parametrisation == "ball")

    monkeypatch.setattr(validation, "FLOAT64_LIMIT", 1e-13)  # whatever this machine's roundings are
    right = judged()
    assert right.passed
    assert 1e-13 < right.limit < 1e-6
    monkeypatch.setattr(f"normbench.{backend}.updates.quasi_newton.EVERY", 3)
    if backend == "jax":
        jax.clear_caches()  # it would run the right program again
    assert not judged().passed


def small(dataset: Dataset) -> Dataset:
    """Every 20th sample: a planted error needs no more."""
    kept = {name: getattr(dataset, name)[::20] for name in ("inputs", "outputs", "time", "flight")}
    return dataclasses.replace(dataset, **kept)


def wrong(dataset: Dataset, backend: str, key: str, dtype: str = "float64", path: str = "fast") -> Agreement:
    """Judge a backend on a small data set and network; the caller has planted an error in it."""

    def asked(on: str, precision: str) -> RunRequest:
        layers = tasks.get("neural-fly").layers(dataset, (9, 4))
        fields = {"task": dataset.name, "layers": layers, "optimiser": key, "seed": 0, "iterations": 20}
        return Asked(backend=on, dtype=precision, **fields).resolved()

    expected = trajectory_of(asked("reference", "float64"), dataset)
    return judge(trajectory_of(asked(backend, dtype), dataset, path), expected, asked(backend, dtype), path)


def curvature_without_factor_two(monkeypatch: pytest.MonkeyPatch) -> None:
    from normbench.torch.benchmark.perceptron import Objective

    original = Objective.curve_derivatives

    def planted(self, point, slope, velocity, moving, order):  # type: ignore[no-untyped-def]
        first, second = original(self, point, slope, velocity, moving, order)
        return [first, second / 2]

    monkeypatch.setattr(Objective, "curve_derivatives", planted)


def wrong_sign_of_alpha(monkeypatch: pytest.MonkeyPatch) -> None:
    import normbench.torch.updates.method2 as module

    original = module.line_search
    monkeypatch.setattr(module, "line_search", lambda gram, alpha, *rest: original(gram, -alpha, *rest))


def missing_prefactor(monkeypatch: pytest.MonkeyPatch) -> None:
    import normbench.torch.updates.fromage as module

    def without(gradient, weights, bounds, *, learning_rate):  # type: ignore[no-untyped-def]
        module.lars_(gradient, weights, learning_rate=learning_rate)

    monkeypatch.setattr(module, "fromage_", without)


def wrong_depth_in_agd(monkeypatch: pytest.MonkeyPatch) -> None:
    import normbench.torch.updates.agd as module

    original = module._step
    monkeypatch.setattr(module, "_step", lambda gradient: original([1.01 * g for g in gradient]))


@pytest.mark.parametrize(
    ("key", "plant"),
    [
        ("method1", curvature_without_factor_two),
        ("method2", wrong_sign_of_alpha),
        ("fromage", missing_prefactor),
        ("agd", wrong_depth_in_agd),
    ],
)
def test_planted_error_is_caught(
    simulated: Dataset, monkeypatch: pytest.MonkeyPatch, key: str, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    dataset = small(simulated)
    assert wrong(dataset, "torch", key).passed
    plant(monkeypatch)
    assert not wrong(dataset, "torch", key).passed


def bend_forgotten_in_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The geodesic as a straight line: d^2 Gamma / dt^2 = 0."""
    import normbench.torch.optimizers.closure as module

    original = module.ClosureCurve.curve_derivatives
    monkeypatch.setattr(
        module.ClosureCurve,
        "curve_derivatives",
        lambda self, point, slope, velocity, moving, order: original(
            self, point, slope, velocity, [False] * len(velocity), order
        ),
    )


def bend_forgotten_in_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    import jax.numpy as jnp

    import normbench.jax.transformations.curve as module

    original = module.ValueCurve.curve_derivatives
    monkeypatch.setattr(
        module.ValueCurve,
        "curve_derivatives",
        lambda self, point, velocity, moving, order: original(
            self, point, velocity, [jnp.zeros_like(m) for m in moving], order
        ),
    )


@pytest.mark.parametrize(("backend", "plant"), [("torch", bend_forgotten_in_torch), ("jax", bend_forgotten_in_jax)])
def test_planted_error_in_the_automatic_differentiation_is_caught(
    simulated: Dataset, monkeypatch: pytest.MonkeyPatch, backend: str, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    dataset = small(simulated)
    assert wrong(dataset, backend, "method1", path="plain").passed
    plant(monkeypatch)
    assert not wrong(dataset, backend, "method1", path="plain").passed
    assert wrong(dataset, backend, "method1").passed


def test_nan_is_a_breach(simulated: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    import normbench.torch.updates.agd as module

    original = module._step
    monkeypatch.setattr(module, "_step", lambda gradient: original([g * float("nan") for g in gradient]))
    assert not wrong(small(simulated), "torch", "agd", "float32").passed
