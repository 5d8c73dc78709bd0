"""The bound of an estimator holds in the units of the user's table, and is proven in them."""

import re
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.preprocessing import StandardScaler

from normbench import LipschitzRegressor, certify
from normbench.certificates import CertificateError
from normbench.cli import main
from normbench.estimators import input_maps
from normbench.running import export
from tests.estimators.tables import QUICK, flights, gains

X, Y = flights()


@pytest.mark.quick
@pytest.mark.parametrize("hidden", [(), (6,), (6, 5)], ids=len)
@pytest.mark.parametrize("lipschitz", [1e-3, 2.0, 30.0, 1e9])
def test_no_gain_exceeds_what_is_proven_and_nothing_proven_what_was_asked_for(lipschitz, hidden):
    model = LipschitzRegressor(lipschitz, **QUICK | {"hidden": hidden}).fit(X, Y)
    model.verify()
    measured = gains(model.predict, X).max()
    assert measured <= model.lipschitz_bound_ <= lipschitz
    if lipschitz <= 2.0:  # far below what the table has: it is used
        assert measured > 0.8 * lipschitz


def test_the_certificate_is_of_what_depends_on_the_table_and_not_of_the_biases():
    model = LipschitzRegressor(30.0, **QUICK).fit(X, Y)
    found = certify(model.network_.weights, output_scale=model.network_.gain_scale)
    assert model.lipschitz_bound_ == pytest.approx(found.bound, rel=1e-5)
    assert model.network_.biases[0].any()


def test_where_no_time_is_left_the_factors_of_the_sandwich_prove_the_bound(monkeypatch):
    monkeypatch.setattr(export, "SECONDS", 1e-9)
    model = LipschitzRegressor(2.0, **QUICK).fit(X, Y)
    assert model.certificate_.kind == "sandwich"
    model.verify()
    assert 2.0 * (1 - 1e-4) < model.lipschitz_bound_ <= 2.0


@pytest.mark.parametrize("iterations", [1, 3, 10, 30])
@pytest.mark.parametrize(
    "way", [{}, {"optimiser": "adam"}, {"optimiser": "method1"}, {"parametrisation": "ball"}], ids=str
)
def test_no_iterate_in_float32_exceeds_the_bound(way, iterations):
    options = QUICK | {"backend": "torch", "max_iter": iterations}
    model = LipschitzRegressor(2.0, **options, **way).fit(X, Y)
    model.verify()
    assert gains(model.predict, X).max() <= model.lipschitz_bound_ <= 2.0
    assert model.n_iter_ == iterations


@pytest.mark.parametrize(("of_x", "of_y"), [(1000.0, 1.0), (1.0, 1000.0), (1e-3, 1e3)])
def test_other_units_give_the_same_network_at_the_same_bound_in_those_units(of_x, of_y):
    usual = LipschitzRegressor(20.0, **QUICK).fit(X, Y)
    other = LipschitzRegressor(20.0 * of_y / of_x, **QUICK).fit(of_x * X, of_y * Y)
    assert other.lipschitz_bound_ * of_x / of_y == pytest.approx(usual.lipschitz_bound_, rel=1e-4)
    difference = other.predict(of_x * X) / of_y - usual.predict(X)
    assert np.abs(difference).max() < 1e-3 * Y.std()
    np.testing.assert_allclose(other.loss_curve_[:5] / of_y**2, usual.loss_curve_[:5], rtol=1e-9)


def test_the_loss_curve_is_of_the_training_set_in_its_unit():
    model = LipschitzRegressor(20.0, **QUICK).fit(X, Y)
    assert model.loss_curve_[-1] == pytest.approx(np.square(model.predict(X) - Y).sum(axis=1).mean() / 2, rel=1e-9)
    assert len(model.loss_curve_) == model.n_iter_ + 1


@pytest.mark.parametrize(
    "change",
    [
        lambda n: {"weights": (n.weights[0] * 1.001, *n.weights[1:])},
        lambda n: {"weights": (*n.weights[:-1], -1.001 * n.weights[-1])},
        lambda n: {"input_scale": 0.99 * n.input_scale},
        lambda n: {"output_scale": 1.01 * n.output_scale},
    ],
    ids=["first", "last", "inputs", "outputs"],
)
def test_a_changed_network_is_refused(change):
    model = LipschitzRegressor(2.0, **QUICK).fit(X, Y)
    model.network_ = replace(model.network_, **change(model.network_))
    with pytest.raises(CertificateError, match="does not hold"):
        model.verify()


def test_the_normalisation_of_the_paper_has_its_bound_over_directions():
    model = LipschitzRegressor(10.0, inputs="unit_norm", **QUICK).fit(X, Y)
    model.verify()
    directions = X / np.linalg.norm(X, axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict(3 * X), model.predict(X), rtol=1e-12)

    def of_directions(z):
        return input_maps.outputs(replace(model.network_, input_map="affine"), z)

    np.testing.assert_allclose(of_directions(directions), model.predict(X), rtol=1e-12)
    assert gains(of_directions, directions).max() <= model.lipschitz_bound_ <= 10.0


@pytest.fixture(scope="module")
def standardised():
    """Of columns whose spreads differ by six orders of magnitude, one that never varies among them."""
    x = np.concatenate([X * [1e3, 1.0, 1e-3, 1.0], np.full((len(X), 1), 7.0)], axis=1)
    return LipschitzRegressor(5.0, inputs="standardised", **QUICK).fit(x, Y), x


def test_standardised_columns_have_a_bound_per_standard_deviation_and_one_in_their_units(standardised):
    model, x = standardised
    model.verify()
    scaler = StandardScaler().fit(x)
    np.testing.assert_array_equal(model.network_.input_spread, scaler.scale_)
    units, rng = scaler.transform(x), np.random.default_rng(0)
    measured = gains(lambda z: model.predict(scaler.inverse_transform(z)), units).max()
    assert 0.5 * model.lipschitz_bound_ < measured <= model.lipschitz_bound_ <= 5.0
    steps = rng.normal(size=x.shape) * rng.integers(2, size=x.shape) * scaler.scale_.min()  # some along one column
    change = np.linalg.norm(model.predict(x) - model.predict(x + steps), axis=1)
    bound = model.network_.over_inputs(model.lipschitz_bound_)
    assert (change <= bound * np.linalg.norm(steps, axis=1) * (1 + 1e-9)).all()
    assert bound == pytest.approx(model.lipschitz_bound_ / scaler.scale_.min())


def test_standardised_columns_give_what_a_scaler_before_the_table_gives(standardised):
    model, x = standardised
    scaler = StandardScaler().fit(x)
    other = LipschitzRegressor(5.0, **QUICK).fit(scaler.transform(x), Y)
    np.testing.assert_allclose(model.predict(x), other.predict(scaler.transform(x)), rtol=1e-6)
    assert model.lipschitz_bound_ == pytest.approx(other.lipschitz_bound_, rel=1e-6)


def test_units_of_columns_are_kept_and_belong_to_the_proof(standardised, tmp_path):
    model, x = standardised
    model.save(tmp_path / "net.npz")
    found = LipschitzRegressor.load(tmp_path / "net.npz")
    np.testing.assert_array_equal(found.predict(x), model.predict(x))
    result = CliRunner().invoke(main, ["certify", str(tmp_path / "net.npz")])
    assert result.exit_code == 0, result.output
    bound = model.network_.over_inputs(model.lipschitz_bound_)
    said = re.search(r"With x as it stands: at most (\S+), by the smallest", result.stdout)
    assert float(said[1]) == pytest.approx(bound, rel=1e-4)
    arrays = dict(np.load(tmp_path / "net.npz"))
    for name, factor in (("input_spread", 1.01), ("input_scale", 0.99)):
        np.savez(tmp_path / "other.npz", **arrays | {name: arrays[name] * ([factor] + 4 * [1.0])})
        assert CliRunner().invoke(main, ["certify", str(tmp_path / "other.npz")]).exit_code == 1
        with pytest.raises(CertificateError, match="does not hold"):
            LipschitzRegressor.load(tmp_path / "other.npz")


def test_targets_that_do_not_vary_are_predicted_at_a_bound_of_zero():
    model = LipschitzRegressor(1.0, **QUICK).fit(X, np.full(len(X), 0.1))
    model.verify()
    assert (model.lipschitz_bound_, set(model.predict(X))) == (0.0, {0.1})
