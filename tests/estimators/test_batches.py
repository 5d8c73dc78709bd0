"""Mini-batches: passes are what is counted, all backends see the same rows, and the bound holds as ever."""

from itertools import combinations, islice

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from normbench import LipschitzClassifier, LipschitzRegressor, specs
from normbench.errors import InvalidArgumentError
from normbench.estimators.batches import MINI, feed, takes_batches
from normbench.problems.bound import at_bound
from normbench.reference.trainer import ReferenceTrainer
from normbench.specs import parametrisations
from tests.estimators.tables import QUICK, flights, gains, rings

SAMPLES = 45
KINDS = {LipschitzRegressor: flights(samples=SAMPLES), LipschitzClassifier: rings(samples=SAMPLES)}
X, Y = KINDS[LipschitzRegressor]
WEIGHT = np.random.default_rng(2).uniform(0.1, 3.0, size=SAMPLES)
SHORT = {"hidden": (4,), "max_iter": 2, "tol": 0.0, "dtype": "float64"}
SEARCHING = {"method1", "geodesic_lbfgs", "lbfgs", "riemannian_cg", "riemannian_tr"}


def test_an_iteration_is_a_pass_and_its_loss_the_mean_over_it(monkeypatch):
    ends = []
    whole = ReferenceTrainer.trajectory
    monkeypatch.setattr(ReferenceTrainer, "trajectory", lambda trainer: ends.append(whole(trainer)) or ends[-1])
    model = LipschitzRegressor(20.0, **QUICK | {"max_iter": 6}, batch_size=10).fit(X, Y)
    steps = ends[-1].loss[1:].reshape(6, 4)  # 45 rows in batches of 10
    assert model.n_iter_ == 6
    np.testing.assert_allclose(model.loss_curve_[1:] / model.loss_curve_[0], steps.mean(axis=1) / ends[-1].loss[0])
    assert (model.optimiser, model.provenance_["optimiser"]) == ("automatic", "online_lbfgs")
    assert gains(model.predict, X).max() <= model.lipschitz_bound_ <= 20.0
    model.verify()
    assert LipschitzRegressor(20.0, **QUICK).fit(X, Y).provenance_["optimiser"] == "geodesic_lbfgs"


@pytest.mark.parametrize("kind", KINDS)
def test_one_batch_of_all_rows_is_the_whole_table(kind):
    options = QUICK | {"max_iter": 5}
    whole = kind(20.0, optimiser=MINI, **options).fit(*KINDS[kind], WEIGHT)
    one = kind(20.0, batch_size=SAMPLES, **options).fit(*KINDS[kind], WEIGHT)
    np.testing.assert_allclose(one.loss_curve_, whole.loss_curve_, rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_backends_see_the_same_batches(backend, kind):
    oracle, found = (
        kind(20.0, backend=each, batch_size=15, **SHORT).fit(*KINDS[kind], WEIGHT) for each in ("reference", backend)
    )
    np.testing.assert_allclose(found.loss_curve_, oracle.loss_curve_, rtol=1e-7)


def test_every_pass_draws_all_rows_anew():
    rows = np.arange(1.0, SAMPLES + 1)[:, None]
    problem = at_bound((rows, -rows), (rows, rows), (1, 2, 1), lipschitz=1.0, seed=0)
    passes = []
    for seed in (0, 1):
        given = list(islice(feed(problem, 15, seed), 6))
        assert all(np.array_equal(x * problem.y_train[0, 0], y) for x, y in given)
        passes += [np.concatenate([x[:, 0] for x, _ in part]) for part in (given[:3], given[3:])]
    assert all(set(found) == set(rows[:, 0]) for found in passes)
    assert not any(np.array_equal(a, b) for a, b in combinations(passes, 2))


def test_a_fit_ends_where_passes_gain_nothing():
    options = QUICK | {"max_iter": 200, "tol": 1e-2}
    model = LipschitzRegressor(1.0, batch_size=10, **options).fit(X, Y)
    assert model.n_iter_ < 200
    assert model.n_iter_ % 10 == 0
    whole = LipschitzRegressor(1.0, **options).fit(X, Y)
    assert model.score(X, Y) > 0.9 * whole.score(X, Y)
    with pytest.warns(ConvergenceWarning, match="max_iter=3"):
        LipschitzRegressor(1.0, batch_size=10, **options | {"max_iter": 3}).fit(X, Y)


@pytest.mark.parametrize("key", [key for key in specs.SPECS if parametrisations.through(specs.get(key), bounded=True)])
def test_what_searches_along_a_line_is_refused(key):
    assert takes_batches(specs.get(key)) is (key not in SEARCHING)
    fit = LipschitzRegressor(20.0, backend="torch", batch_size=15, optimiser=key, **SHORT).fit
    if key in SEARCHING:
        with pytest.raises(
            InvalidArgumentError, match=f"'{key}' searches .* batch_size=15.*'automatic'.*online_lbfgs, "
        ):
            fit(X, Y)
    elif specs.get(key).runs_on("torch"):
        assert fit(X, Y).lipschitz_bound_ <= 20.0


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "batch_size must be an integer of at least 1; got 0"),
        (2.5, "batch_size must be an integer of at least 1; got 2.5"),
        ("8", "batch_size must be an integer of at least 1; got '8'"),
        (46, "batch_size=46 is more than the 45 rows that train. Choose a smaller one, or leave it out"),
    ],
)
def test_a_wrong_size_is_named(size, words):
    with pytest.raises(InvalidArgumentError, match=words):
        LipschitzRegressor(20.0, batch_size=size, **QUICK).fit(X, Y)
