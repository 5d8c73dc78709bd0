"""A weight of a row is as many copies of it: of every optimiser, backend and loss, and in all that is made of rows."""

import numpy as np
import pytest
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from normbench import LipschitzClassifier, LipschitzRegressor, specs
from normbench.running import export
from normbench.specs import parametrisations
from tests.estimators.tables import QUICK, flights, rings

# torch's own: forward mode loads decompositions that torch still compiles by torch.jit
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")

SAMPLES = 40
COPIES = np.random.default_rng(3).integers(0, 4, size=SAMPLES)
SHORT = {"hidden": (4,), "max_iter": 3, "tol": 0.0, "dtype": "float64"}
KINDS = {LipschitzRegressor: flights(samples=SAMPLES), LipschitzClassifier: rings(samples=SAMPLES)}
BOUNDED = [key for key, spec in specs.SPECS.items() if parametrisations.through(spec, bounded=True)]


@pytest.fixture(autouse=True)
def _closed_forms_alone(monkeypatch):
    monkeypatch.setattr(export, "SECONDS", 1e-9)  # nothing here asks how tight a bound is


def outputs(model, x):
    return model.logits(x) if isinstance(model, LipschitzClassifier) else model.predict(x)


def check_copies(kind, **options):
    x, y = KINDS[kind]
    copied = kind(5.0, **options).fit(x.repeat(COPIES, axis=0), y.repeat(COPIES, axis=0))
    found = kind(5.0, **options).fit(x, y, sample_weight=COPIES)
    np.testing.assert_allclose(found.loss_curve_, copied.loss_curve_, rtol=1e-7)
    np.testing.assert_allclose(
        outputs(found, x), outputs(copied, x), rtol=1e-6, atol=1e-8 * np.abs(outputs(copied, x)).max()
    )
    found.verify()
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("optimiser", [key for key in BOUNDED if specs.get(key).runs_on("torch")])
def test_a_weight_is_as_many_copies_of_a_row(optimiser, kind):
    check_copies(kind, backend="torch", optimiser=optimiser, **SHORT)


@pytest.mark.parametrize(
    ("backend", "kind", "optimiser"),
    [
        ("reference", LipschitzRegressor, "method1"),
        ("reference", LipschitzClassifier, "method2"),  # whose majorant has the weights, too
    ],
)
def test_a_weight_is_as_many_copies_on_every_backend(backend, kind, optimiser):
    found = check_copies(kind, backend=backend, optimiser=optimiser, **SHORT)
    if backend == "reference":
        plain = kind(5.0, backend=backend, optimiser=optimiser, **SHORT).fit(*KINDS[kind])
        assert abs(plain.loss_curve_[-1] / found.loss_curve_[-1] - 1) > 1e-3


@pytest.mark.parametrize("optimiser", [key for key in BOUNDED if specs.get(key).runs_on("jax")])
def test_weights_that_rows_share_with_their_copies_change_nothing_in_jax(optimiser):
    """Of two copies of a row one has the weight 1.5 and the other 0.5: tables of one shape, and of one layer, are quick
    to compile. The last loss has seen updates, line searches and curvature."""
    kind = LipschitzRegressor
    x, y = (array[:12].repeat(2, axis=0) for array in KINDS[kind])
    options = {"backend": "jax", "optimiser": optimiser, **SHORT, "hidden": (), "max_iter": 2}
    plain, found, other = (
        kind(5.0, **options).fit(x, y, sample_weight=weight)
        for weight in (None, np.tile([1.5, 0.5], 12), np.repeat([1.5, 0.5], 12))
    )
    np.testing.assert_allclose(found.loss_curve_, plain.loss_curve_, rtol=1e-7)
    np.testing.assert_allclose(found.predict(x), plain.predict(x), rtol=1e-6, atol=1e-8 * np.abs(y).max())
    assert abs(other.loss_curve_[-1] / plain.loss_curve_[-1] - 1) > 1e-3


@pytest.mark.parametrize("inputs", ["affine", "standardised", "unit_norm"])
def test_means_and_spreads_have_the_weights(inputs):
    x, y = KINDS[LipschitzRegressor]
    weight = np.random.default_rng(0).uniform(0.0, 2.0, size=SAMPLES)
    model, scaled = (
        LipschitzRegressor(5.0, inputs=inputs, **QUICK | {"max_iter": 3}).fit(x, y, w) for w in (weight, 1e200 * weight)
    )
    np.testing.assert_allclose(scaled.predict(x), model.predict(x), rtol=1e-9)
    scaler = StandardScaler().fit(x, sample_weight=weight)
    network = model.network_
    if inputs != "unit_norm":
        np.testing.assert_allclose(network.input_mean, scaler.mean_)
    if inputs == "affine":
        assert network.input_scale == pytest.approx(np.sqrt(scaler.var_.sum()))
    if inputs == "standardised":
        np.testing.assert_allclose(network.input_spread, scaler.scale_)
    assert network.biases[-1] == pytest.approx(np.average(y, axis=0, weights=weight))
    error = np.square(model.predict(x) - y).sum(axis=1)
    assert model.loss_curve_[-1] == pytest.approx(np.average(error, weights=weight) / 2)
    assert model.provenance_["data_sha256"] != LipschitzRegressor(5.0, **QUICK).fit(x, y).provenance_["data_sha256"]


@pytest.mark.parametrize("batch_size", [None, 10])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_held_out_is_judged_with_its_weights(kind, batch_size):
    x, y = KINDS[kind]
    weight = np.random.default_rng(1).uniform(0.1, 3.0, size=SAMPLES)
    options = QUICK | {"max_iter": 60, "tol": 1e-2, "early_stopping": True, "validation_fraction": 0.3}
    model = kind(50.0, n_iter_no_change=3, batch_size=batch_size, **options).fit(x, y, weight)
    classes = y if kind is LipschitzClassifier else None
    _, aside, _, targets, _, counts = train_test_split(x, y, weight, test_size=0.3, random_state=0, stratify=classes)
    if classes is None:
        losses = np.square(model.predict(aside) - targets).sum(axis=1) / 2
    else:
        losses = -np.log(model.predict_proba(aside)[np.arange(len(aside)), np.searchsorted(model.classes_, targets)])
    assert np.average(losses, weights=counts) == pytest.approx(model.validation_loss_curve_.min(), rel=1e-9)
    assert len(model.validation_loss_curve_) == len(model.loss_curve_) == model.n_iter_ + 1 < 61
    score = model.score(aside, targets, counts)
    assert score != model.score(aside, targets)


def test_a_class_without_weight_is_none():
    x, y = KINDS[LipschitzClassifier]
    model = LipschitzClassifier(5.0, **QUICK).fit(x, y, (y != "near").astype(int))
    assert list(model.classes_) == ["far", "middle"]
    with pytest.raises(ValueError, match="y has one class, 'near'"):
        LipschitzClassifier(5.0, **QUICK).fit(x, y, y == "near")


ONES = np.ones(SAMPLES)


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (np.where(np.arange(SAMPLES) == 3, -0.5, ONES), "at least 0; got -0.5 in row 3, the first of 1"),
        (np.where(np.arange(SAMPLES) > 37, np.nan, ONES), "must be finite .* got nan in row 38, the first of 2"),
        (np.where(np.arange(SAMPLES) == 0, np.inf, ONES), "must be finite .* got inf in row 0"),
        (0 * ONES, "sample_weight is zero in all of 40 rows"),
        (np.eye(1, SAMPLES)[0], "sample_weight is zero in all but one of 40 rows"),
        (ONES[:-1], r"for each of the 40 rows, shape \(40,\); got shape \(39,\)"),
        (ONES[:, None], r"got shape \(40, 1\)"),
        (2.0, r"got shape \(\)"),
        (["heavy"] * SAMPLES, "sample_weight must be numbers, one a row: could not convert"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_weights_that_are_none_are_told_why(kind, weight, words):
    with pytest.raises(ValueError, match=words):
        kind(**QUICK).fit(*KINDS[kind], sample_weight=weight)
