"""The updates as optax gradient transformations, for a user's own parameters and loop.

Each is a thin wrapper around the pure update of its family: updates are new weights minus old ones. They take any tree
and jit, vmap, scan and shard. A tree of mixed dtypes is computed in the widest, at least float32, and keeps its dtypes.
"""

from normbench.jax.transformations.agd import agd
from normbench.jax.transformations.base import BoundState, SphereState, StepState
from normbench.jax.transformations.fgsgd import ManifoldState, fgsgd
from normbench.jax.transformations.method1 import method1
from normbench.jax.transformations.method2 import method2, method2_exp
from normbench.jax.transformations.objectives import accumulated, unmasked
from normbench.jax.transformations.relative import fromage, lars

__all__ = [
    "BoundState",
    "ManifoldState",
    "SphereState",
    "StepState",
    "accumulated",
    "agd",
    "fgsgd",
    "fromage",
    "lars",
    "method1",
    "method2",
    "method2_exp",
    "unmasked",
]
