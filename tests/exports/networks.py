"""Small stored networks of every form that a file can have, and what they give, in NumPy."""

from dataclasses import replace

import numpy as np

from normbench.certificates.certificate import Certificate
from normbench.certificates.plain import plain
from normbench.certificates.product import product
from normbench.certificates.stored import StoredNetwork
from tests.certificates.networks import gaussian

INPUTS, CLASSES = 4, 3
MEAN, SPREAD = np.array([100.0, -3.0, 0.0, 7.0]), np.array([3.0, 1.0, 0.5, 2.0])
NAMES = np.array(['speed "x" */ m/s', "höhe\n?", "pwm /* 1", "pwm 2"])
TEXT, NUMBERS = np.array(["far", "middle", "near */"]), np.array([-1, 2, 7])


def made(*hidden, seed=0, bias=True, **changes) -> StoredNetwork:
    """Random, with the product of its norms as its proof, unless another is among the changes."""
    weights = tuple(gaussian(seed, INPUTS, *hidden, CLASSES))
    rng = np.random.default_rng(seed)
    affine = {"input_mean": MEAN, "input_scale": 3.7, "output_scale": 12.5}
    biases = tuple(rng.normal(size=len(w)) for w in weights) if bias else ()
    network = StoredNetwork(
        **{"weights": weights, "lipschitz": None, "witness": {}, "biases": biases, **affine, **changes}
    )
    proof = product(plain(network.weights, network.activation, network.gain_scale))
    return network if "witness" in changes else replace(network, witness=proof.arrays())


def bare(**changes) -> StoredNetwork:
    """Without any maps and biases, as runs leave their networks."""
    return made(5, 6, bias=False, input_mean=None, input_scale=1.0, output_scale=1.0, **changes)


COLUMNS = {"input_scale": 1.7 * SPREAD, "input_spread": SPREAD}
UNIT = {"input_map": "unit_norm", "input_mean": None, "input_scale": 1.0}
ZERO = {"weights": (np.zeros((5, INPUTS)), np.zeros((CLASSES, 5))), "witness": Certificate("constant", 0.0).arrays()}

REGRESSORS = {
    "relu": made(5, 6),
    "leaky_relu": made(5, 6, activation="leaky_relu"),
    "tanh": made(6, 5, activation="tanh"),
    "maxmin": made(5, 6, activation="maxmin"),
    "linear": made(model={"model_feature_names": NAMES}),
    "unit norm": made(5, **UNIT),
    "columns": made(5, 6, model={"model_feature_names": NAMES}, **COLUMNS),
    "far from zero": made(5, **COLUMNS | {"input_mean": np.array([-0.9995, 1e4, 100.0, 7.0]) / 3}),
    "far from zero, linear": made(input_mean=np.array([1e5, -1e5, 1e5, 0.0]) / 3),
    "bare": bare(),
    "scaled": made(7, bias=False, input_mean=None),
}
CLASSIFIERS = {
    "text": made(5, 6, model={"model_classes": TEXT, "model_feature_names": NAMES}),
    "numbers": made(5, model={"model_classes": NUMBERS}, **UNIT),
    "columns with classes": made(5, model={"model_classes": NUMBERS}, **COLUMNS),
    "booleans": bare(model={"model_classes": np.array([False, True, True])}),
    "constant": made(5, model={"model_classes": np.array([0.5, 1.5, 2.5])}, **ZERO),
    "constant, unit norm": made(5, model={"model_classes": NUMBERS}, **ZERO, **UNIT),
}


def samples(dtype="float64", network=None):
    """About the mean of the network's inputs, in numbers of the dtype, as float64."""
    mean = MEAN if network is None or network.input_mean is None else network.input_mean
    x = np.random.default_rng(1).normal(size=(50, INPUTS)) * SPREAD + mean
    return x.astype(dtype).astype(np.float64)


def of_all_lengths():
    """Rows whose length, or whose entries, are too far from 1 for their squares in float32."""
    lengths = np.array([[1e-30], [1.0], [1e30]])
    return np.concatenate([samples()[:3] * lengths, 1.0 + 1e25 * np.eye(INPUTS)]).astype("float32").astype("float64")


def outputs(network, x):
    """f(x) by its equation, in float64."""
    rho = {
        "relu": lambda v: np.where(v > 0, v, 0.0),
        "leaky_relu": lambda v: np.where(v > 0, v, 0.01 * v),
        "tanh": np.tanh,
        "maxmin": _sorted_pairs,
    }[network.activation]
    if network.input_map == "unit_norm":
        z = x / np.sqrt((x**2).sum(axis=1, keepdims=True))
    else:
        z = (x - (0.0 if network.input_mean is None else network.input_mean)) / network.input_scale
    biases = network.biases or [0.0] * len(network.weights)
    for weight, bias in zip(network.weights[:-1], biases[:-1], strict=True):
        z = rho(z @ weight.T + bias)
    return network.output_scale * (z @ network.weights[-1].T) + biases[-1]


def _sorted_pairs(v):
    found = v.copy()
    for k in range(0, v.shape[1] - 1, 2):
        found[:, k : k + 2] = -np.sort(-v[:, k : k + 2], axis=1)
    return found


def radii(network, x):
    """By their definition: the margin by sqrt 2 times the bound; over directions the way to the nearest so far away."""
    logits = outputs(network, x)
    bound, margin = float(network.witness["witness_bound"]), np.diff(np.sort(logits, axis=1)[:, -2:], axis=1)[:, 0]
    chord = np.divide(margin, np.sqrt(2.0) * bound, where=bound > 0, out=np.full(len(x), np.inf))
    if network.input_map == "affine":
        return chord * (1.0 if network.input_spread is None else network.input_spread.min())
    return np.linalg.norm(x, axis=1) * np.sin(2 * np.arcsin(np.minimum(chord, np.sqrt(2.0)) / 2))
