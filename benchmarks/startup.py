"""What is paid before the first iteration: imports and JAX's compilation, each in a process of its own."""

from importlib.util import find_spec

from .common import module, require_device

# module: what makes it load all that it offers
IMPORTS = {
    "normbench": "import normbench",
    "normbench.torch": "from normbench.torch import Method1",
    "normbench.jax": "from normbench.jax import method1",
}

# a small synthetic problem: compile time depends on the layers, hardly on the samples
TRAINER = """
import numpy as np
from normbench import specs
try:
    from normbench.jax.benchmark.trainer import JaxTrainer
    from normbench.problems.scaling import spectral_initialisation
except ModuleNotFoundError:  # earlier commits
    from normbench.jax.trainer import JaxTrainer
    from normbench.normalisation import spectral_initialisation
rng = np.random.default_rng(0)
x, y = rng.normal(size=(1024, 12)), rng.normal(size=(1024, 3))
problem = spectral_initialisation((x, y), (x[:64], y[:64]), (12, 25, 30, 15, 3), seed=0)
hyper = specs.get('{key}').resolve({{}})
trainer = JaxTrainer(problem, '{key}', hyper, iterations=200, dtype='float32', device='cpu')
"""


class Import:
    """A fresh interpreter's first import."""

    params = (tuple(IMPORTS),)
    param_names = ("module",)
    number, rounds, repeat = 1, 1, 4

    def setup(self, name):
        """Skip what the commit does not have; nothing is imported here but the package itself."""
        require_device("jax", "cpu")
        if find_spec(name) is None:
            raise NotImplementedError(f"this commit has no {name}")

    def timeraw_import(self, name):
        """Import one module."""
        return IMPORTS[name]

    # as before the backends loaded their classes when they are asked for: what is measured is the same
    timeraw_import.version = "98c16ab98e0d6b1b7dc00a6d8b52e613260d068faab1e14b643dab5ca11472ba"


class Compile:
    """Tracing and compiling every program of a run, without the persistent cache."""

    params = (("method1", "method2"),)
    param_names = ("optimiser",)
    number, rounds, repeat = 1, 1, 2

    def setup(self, key):
        """Skip where there is no JAX trainer yet."""
        require_device("jax", "cpu")
        module("normbench.jax.benchmark.trainer")

    def timeraw_compile(self, key):
        """``JaxTrainer.compile``."""
        return "trainer.compile()", TRAINER.format(key=key)
