"""Train on four devices and on one, and print the largest deviation of every case as JSON; test_optax_sharding runs it.

Needs XLA_FLAGS=--xla_force_host_platform_device_count=4 in the environment before Python starts.
"""

import json
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
KEYS = ("method1", "method2", "agd", "fromage", "lars", "geodesic_lbfgs", "polar_average")


def loss(params, batch):
    x, y = batch
    return jnp.mean(jnp.sum(jnp.square(jax.nn.relu(x @ params["a"].T) @ params["b"].T - y), axis=1)) / 2


def arrays(dtype):
    rng = np.random.default_rng(6)
    shapes = {"a": (7, 8), "b": (3, 7)}
    params = {name: (rng.normal(size=s) / np.sqrt(s[1])).astype(dtype) for name, s in shapes.items()}
    x, y = rng.normal(size=(32, 8)), rng.normal(size=(32, 3))
    return params, (x.astype(dtype), y.astype(dtype))


def train(key, params, batch):
    """Losses before every step, and the final parameters."""
    optimizer = getattr(normbench.jax, key)(**({"mean_square_input": 8.0} if key == "method2" else {}))

    @jax.jit
    def step(params, state, batch):
        objective = partial(loss, batch=batch)
        value, grads = jax.value_and_grad(objective)(params)
        updates, state = optimizer.update(grads, state, params, value=value, value_fn=objective)
        return optax.apply_updates(params, updates), state, value

    state, values = jax.jit(optimizer.init)(params), []
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


def compare(key, dtype, first_weight):
    params, batch = arrays(dtype)
    mesh = Mesh(np.array(jax.devices()), ("devices",))
    place = lambda tree, spec: jax.device_put(tree, NamedSharding(mesh, spec))  # noqa: E731
    spread = {name: place(w, first_weight if name == "a" else REPLICATED) for name, w in params.items()}
    values, found = train(key, spread, place(batch, PartitionSpec("devices")))
    assert found["a"].sharding.is_equivalent_to(spread["a"].sharding, 2), found["a"].sharding
    assert found["a"].dtype == dtype
    return deviation((values, found), on_one(key, dtype))


@cache
def on_one(key, dtype):
    values, params = train(key, *jax.device_put(arrays(dtype), jax.devices()[0]))
    assert values[-1] < values[0]
    return values, params


def main():
    assert len(jax.devices()) == 4, jax.devices()
    cases = [(key, "batch", 64) for key in KEYS] + [(key, "columns", 64) for key in ("fromage", "method1")]
    cases += [("method1", "batch", 32), ("fromage", "columns", 32)]
    found = {}
    for key, name, bits in cases:
        with jax.enable_x64(bits == 64):
            found[f"{key}-{name}-{bits}"] = compare(key, np.dtype(f"float{bits}"), SPREAD[name])
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
