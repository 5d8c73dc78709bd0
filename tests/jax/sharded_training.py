"""Train on four devices and on one, and print the largest deviation of every case as JSON; test_optax_sharding runs it.

The first argument is the program of the page on devices, which asks JAX for four; it runs before, and what it prints
is given as well.
"""

import contextlib
import gc
import io
import json
import runpy
import sys
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import normbench.jax

STEPS = 5
REPLICATED = PartitionSpec()
SPREAD = {"batch": REPLICATED, "columns": PartitionSpec(None, "devices")}  # the first weight of a case
SHAPES = {"batch": {"a": (7, 8)}, "columns": {"a": (7, 8), "b": (3, 7)}}
OPTIONS = {"method2": {"mean_square_input": 8.0}, "geodesic_lbfgs": {"manifold": "sphere"}}
KEYS = ("method1", "method2", "agd", "fromage", "lars", "geodesic_lbfgs", "online_lbfgs", "polar_average")


def loss(params, batch):
    x, y = batch
    hidden = jax.nn.relu(x @ params["a"].T)
    outputs = hidden @ params["b"].T if "b" in params else hidden[:, : y.shape[1]]
    return jnp.mean(jnp.sum(jnp.square(outputs - y), axis=1)) / 2


def arrays(spread, dtype):
    rng = np.random.default_rng(6)
    params = {name: (rng.normal(size=s) / np.sqrt(s[1])).astype(dtype) for name, s in SHAPES[spread].items()}
    x, y = rng.normal(size=(32, 8)), rng.normal(size=(32, 3))
    return params, (x.astype(dtype), y.astype(dtype))


@cache
def stepping(key):
    """How an optimiser begins, and a step of it; traced once for both."""
    optimizer = getattr(normbench.jax, key)(**OPTIONS.get(key, {}))

    @jax.jit
    def step(params, state, batch):
        objective = partial(loss, batch=batch)
        value, grads = jax.value_and_grad(objective)(params)
        updates, state = optimizer.update(grads, state, params, value=value, value_fn=objective)
        return optax.apply_updates(params, updates), state, value

    return jax.jit(optimizer.init), step


def train(key, params, batch):
    """Losses before every step, and the final parameters."""
    init, step = stepping(key)
    state, values = init(params), []
    for _ in range(STEPS):
        params, state, value = step(params, state, batch)
        values.append(float(value))
    return values, params


def deviation(found, expected):
    """Largest difference relative to the largest entry of each array."""
    return max(
        float(np.abs(np.subtract(a, b)).max() / np.abs(b).max())
        for a, b in zip(*map(jax.tree.leaves, (found, expected)), strict=True)
    )


def compare(key, dtype, spread):
    params, batch = arrays(spread, dtype)
    mesh = Mesh(np.array(jax.devices()), ("devices",))
    place = lambda tree, spec: jax.device_put(tree, NamedSharding(mesh, spec))  # noqa: E731
    placed = {name: place(w, SPREAD[spread] if name == "a" else REPLICATED) for name, w in params.items()}
    values, found = train(key, placed, place(batch, PartitionSpec("devices")))
    assert found["a"].sharding.is_equivalent_to(placed["a"].sharding, 2), found["a"].sharding
    assert found["a"].dtype == dtype
    return deviation((values, found), on_one(key, dtype, spread))


def on_one(key, dtype, spread):
    values, params = train(key, *jax.device_put(arrays(spread, dtype), jax.devices()[0]))
    assert values[-1] < values[0]
    return values, params


def main():
    gc.disable()  # tracing makes thousands of objects a program, most of which live as long as this process
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runpy.run_path(sys.argv[1], run_name="__main__")
    assert len(jax.devices()) == 4, jax.devices()
    cases = [(key, "batch", 64) for key in KEYS] + [("fromage", "columns", 64), ("method1", "columns", 32)]
    found = {}
    for key, name, bits in cases:
        with jax.enable_x64(bits == 64):
            found[f"{key}-{name}-{bits}"] = compare(key, np.dtype(f"float{bits}"), name)
    json.dump({"printed": printed.getvalue(), "deviations": found}, sys.stdout)


if __name__ == "__main__":
    main()
