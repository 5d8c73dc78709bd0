"""The updates as optax gradient transformations, for a user's own parameters and loop.

Each is a thin wrapper around the pure update of its family: updates are new weights minus old ones. They take any tree
and jit, vmap, scan and shard. A tree of mixed dtypes is computed in the widest, at least float32, and keeps its dtypes.
"""

from collections.abc import Callable

from normbench import specs
from normbench.backends.method import implementations
from normbench.errors import install

try:
    import optax
except ModuleNotFoundError as error:  # still of that kind, for those who ask by an import whether it is there
    remedy = f"normbench.jax needs {error.name}, which is not installed: {install('jax')}"
    raise ModuleNotFoundError(remedy, name=error.name) from error

from normbench.jax.transformations.averages import averaged
from normbench.jax.transformations.objectives import accumulated, unmasked
from normbench.jax.transformations.parametrize import parametrize

DROP_INS: dict[str, Callable[..., optax.GradientTransformationExtraArgs]] = implementations(
    "normbench.jax.transformations", specs.AUTOMATIC
)
globals().update(DROP_INS)  # a function and its module may have one name
__all__ = sorted([accumulated.__name__, averaged.__name__, parametrize.__name__, unmasked.__name__, *DROP_INS])
