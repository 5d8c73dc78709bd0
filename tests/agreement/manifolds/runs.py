"""Runs of the reference, the torch and the JAX update on the function of a case."""

from functools import cache
from importlib import import_module

import jax
import jax.numpy as jnp
import numpy as np
import torch

jax_fgsgd = import_module("normbench.jax.updates.fgsgd")  # normbench.jax has a function of that name
torch_fgsgd = import_module("normbench.torch.updates.fgsgd")


STEPS = 40


@cache
def run_of_the_reference(case):
    """Computed once for all tests of a case."""
    return case.run_reference(STEPS)


def run_torch(case, steps, *, dtype=torch.float64, **given):
    weights, rates = [torch.tensor(w, dtype=dtype) for w in case.weights], []
    targets = [torch.tensor(t, dtype=dtype) for t in case.targets]
    state = torch_fgsgd.fgsgd(**case.hyper).init(None, weights)
    for t in range(steps):
        gradient = [case.strength * (T + torch.sin(3 * W) / 2) for T, W in zip(targets, weights, strict=True)]
        extra = {name: values[t] for name, values in given.items()}
        weights, state, rate = torch_fgsgd.fgsgd(**case.hyper, **extra).step(gradient, weights, state)
        rates.append(rate)
    return [w.double().numpy() for w in weights], rates


@cache
def program(hyper, steps):
    """A scan of JAX over steps, compiled once for all weights, targets and strengths of the same shapes."""

    def run(weights, targets, strength, extra):
        def step(carry, extra):
            weights, state = carry
            gradient = [strength * (T + jnp.sin(3 * W) / 2) for T, W in zip(targets, weights, strict=True)]
            weights, state, rate = jax_fgsgd.fgsgd(**dict(hyper), **extra).step(gradient, weights, state)
            return (weights, state), rate

        return jax.lax.scan(step, (weights, jax_fgsgd.fgsgd(**dict(hyper)).init(None, weights)), extra, length=steps)

    return jax.jit(run)


def run_jax(case, steps, *, dtype=jnp.float64, **given):
    weights, targets = (tuple(a.astype(dtype) for a in arrays) for arrays in (case.weights, case.targets))
    extra = {name: np.asarray(values, dtype) for name, values in given.items()}
    run = program(tuple(sorted(case.hyper.items())), steps)
    (weights, _), rates = run(weights, targets, np.asarray(case.strength, dtype), extra)
    return [np.asarray(w, np.float64) for w in weights], np.asarray(rates, np.float64).tolist()


RUNS = {"torch": run_torch, "jax": run_jax}
