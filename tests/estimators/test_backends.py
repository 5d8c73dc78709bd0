"""Every backend trains the same network, and torch can take it away."""

from dataclasses import fields

import numpy as np
import pytest
import torch

from normbench import LipschitzClassifier, LipschitzRegressor
from normbench.errors import CertificateError, InvalidArgumentError, PlugInError
from normbench.estimators.settings import Settings
from tests.estimators.tables import QUICK, flights, rings

X, Y = flights()


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_backends_agree(backend):
    options = {"lipschitz": 20.0, "hidden": (6,), "max_iter": 8, "tol": 0.0, "dtype": "float64"}
    oracle = LipschitzRegressor(**options, backend="reference").fit(X, Y)
    found = LipschitzRegressor(**options, backend=backend).fit(X, Y)
    np.testing.assert_allclose(found.predict(X), oracle.predict(X), rtol=1e-6)
    np.testing.assert_allclose(found.loss_curve_, oracle.loss_curve_, rtol=1e-6)
    assert found.provenance_["backend"] == backend


@pytest.mark.parametrize("inputs", ["affine", "standardised", "unit_norm"])
@pytest.mark.parametrize("hidden", [(), (6, 5)], ids=len)
def test_the_module_gives_what_predict_gives(hidden, inputs):
    model = LipschitzRegressor(20.0, inputs=inputs, **QUICK | {"hidden": hidden, "max_iter": 5}).fit(X, Y)
    for dtype, tolerance in (("float64", 1e-12), ("float32", 1e-5)):
        module = model.to_torch(dtype)
        found = module(torch.tensor(X, dtype=getattr(torch, dtype))).detach().double().numpy()
        np.testing.assert_allclose(found, model.predict(X), atol=tolerance * np.abs(Y).max())
        assert all(p.requires_grad for p in module.parameters())
    with pytest.raises(InvalidArgumentError, match="float16"):
        model.to_torch("float16")


def test_the_module_of_a_classifier_gives_logits():
    x, y = rings()
    model = LipschitzClassifier(5.0, **QUICK | {"max_iter": 5}).fit(x, y)
    found = model.to_torch("float64")(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(found, model.logits(x), atol=1e-10)


def test_torch_is_taken_where_nothing_is_named():
    model = LipschitzRegressor(20.0, hidden=(), max_iter=1, tol=0.0).fit(X, Y)
    assert (model.provenance_["backend"], model.provenance_["dtype"]) == ("torch", "float32")


def test_numbers_that_the_dtype_does_not_hold_are_no_module():
    for scale in (1e60, 1e-60):
        model = LipschitzRegressor(20.0, **QUICK | {"max_iter": 5}).fit(scale * X, scale * Y)
        with pytest.raises(CertificateError, match="float32 does not hold; export it in float64"):
            model.to_torch("float32")
        found = model.to_torch("float64")(torch.tensor(scale * X)).detach().numpy()
        np.testing.assert_allclose(found, model.predict(scale * X), atol=1e-10 * scale * np.abs(Y).max())


def test_weights_that_are_too_small_for_the_dtype_are_no_module():
    """They would all be zero, and the outputs the same for every row."""
    model = LipschitzRegressor(20e-60, **QUICK | {"hidden": (), "max_iter": 5}).fit(1e60 * X, Y)
    with pytest.raises(CertificateError, match="float32 does not hold; export it in float64"):
        model.to_torch("float32")
    constant = LipschitzRegressor(20.0, **QUICK).fit(X, np.ones(len(X)))  # zeros are held
    np.testing.assert_array_equal(constant.to_torch()(torch.tensor(X, dtype=torch.float32)).detach().numpy(), 1.0)


def test_an_optimiser_is_trained_by_a_backend_that_has_it():
    given = {name: getattr(LipschitzRegressor(), name) for name in (f.name for f in fields(Settings)) if name != "seed"}
    for key, backend in (("dog", "jax"), ("lbfgs", "torch"), ("torch.optim:SGD", "torch"), ("optax:sgd", "jax")):
        settings = Settings(**given | {"optimiser": key, "seed": 0})
        assert settings.chosen_backend.name == backend


def test_an_optimiser_of_another_package_trains_to_the_bound_and_is_stored(tmp_path):
    asked = {"optimiser": "torch.optim:NAdam", "hyperparameters": {"betas": (0.8, 0.99), "learning_rate": 0.1}}
    model = LipschitzRegressor(20.0, hidden=(6,), max_iter=8, tol=0.0, **asked).fit(X, Y)
    model.verify()
    assert model.lipschitz_bound_ <= 20.0
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    model.save(tmp_path / "net.npz")
    found = LipschitzRegressor.load(tmp_path / "net.npz")
    assert found.get_params() == model.get_params()
    np.testing.assert_array_equal(found.fit(X, Y).predict(X), model.predict(X))
    with pytest.raises(PlugInError, match=r"cannot take a step with .*too many values"):
        model.set_params(hyperparameters={"betas": (0.8, 0.9, 0.99)}).fit(X, Y)
