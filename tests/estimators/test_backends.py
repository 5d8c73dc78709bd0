"""Every backend trains the same network, and torch can take it away."""

import numpy as np
import pytest
import torch

from normbench import LipschitzClassifier, LipschitzRegressor
from normbench.errors import InvalidArgumentError
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
