"""The two tables of figures in tables.md: ``python docs/own_networks/tables.py`` prints their rows.

Regression on real flights, which are downloaded once, and digits with certified radii, beside scikit-learn's own.
"""

import importlib
import time

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from normbench import LipschitzClassifier, LipschitzRegressor, certify, data

HIDDEN = {"hidden_layer_sizes": (25, 30, 15), "max_iter": 1000, "random_state": 0}  # the widths of our own
RADII = (1, 3, 6)


def bound_of(model):
    """Proven: of our own as it stands, of a linear map its norm, of scikit-learn's networks by certify."""
    if hasattr(model, "lipschitz_bound_"):
        return model.lipschitz_bound_
    return certify([c.T for c in model.coefs_]).bound if hasattr(model, "coefs_") else np.linalg.norm(model.coef_, 2)


def logits_of(model, x):
    """Before any softmax."""
    if not hasattr(model, "coefs_"):
        return model.decision_function(x)
    for weight, bias in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        x = np.maximum(x @ weight + bias, 0.0)
    return x @ model.coefs_[-1] + model.intercepts_[-1]


def flights():
    """One row a regressor: R^2, RMS in N, bound in N per standard deviation, seconds of the fit."""
    table = data.load("neural-fly")
    x, x_test, y, y_test = train_test_split(table.inputs, table.outputs, test_size=0.2, random_state=0)
    scaler = StandardScaler().fit(x)
    x, x_test = scaler.transform(x), scaler.transform(x_test)
    own = {f"LipschitzRegressor({bound})": LipschitzRegressor(bound) for bound in (0.5, 1, 2, 5, 20)}
    for name, model in {"LinearRegression": LinearRegression(), "MLPRegressor": MLPRegressor(**HIDDEN), **own}.items():
        start = time.perf_counter()
        model.fit(x, y)
        seconds = time.perf_counter() - start
        rms = np.sqrt(np.square(model.predict(x_test) - y_test).sum(axis=1).mean())
        cells = f"{model.score(x_test, y_test):.3f} | {rms:.3f} | {bound_of(model):.4g} | {seconds:.1f}"
        print(f"| `{name}` | {cells} |", flush=True)


def digits():
    """One row a classifier: the share that is right, that certified to stay right within each radius, the bound."""
    x, x_test, y, y_test = train_test_split(*load_digits(return_X_y=True), random_state=0)
    own = {f"LipschitzClassifier({bound})": LipschitzClassifier(bound) for bound in (0.1, 0.2, 0.5)}
    others = {"LogisticRegression": LogisticRegression(max_iter=5000), "MLPClassifier": MLPClassifier(**HIDDEN)}
    for name, model in {**others, **own}.items():
        model.fit(x, y)
        second, first = np.sort(logits_of(model, x_test), axis=1)[:, -2:].T
        radius, right = (first - second) / (np.sqrt(2) * bound_of(model)), model.predict(x_test) == y_test
        shares = (right.mean(), *((right & (radius > r)).mean() for r in RADII))
        print(f"| `{name}` | {' | '.join(f'{s:.0%}' for s in shares)} | {bound_of(model):.2g} |", flush=True)


if __name__ == "__main__":
    importlib.import_module("torch._dynamo")  # seconds of the first fit alone
    flights()
    digits()
