"""Work of the hot path, counted instead of timed: counts agree to 0.3 % between runs where times do not.

torch: instructions, by callgrind; a count takes a minute or more, so that it is made only where the environment
variable NORMBENCH_CALLGRIND is 1 (``NORMBENCH_CALLGRIND=1 asv run --bench instructions``). JAX: the operations in
the compiled programs, by XLA's own cost analysis; callgrind does not follow XLA's threads.
"""

import os
import shutil

from .common import module, require_device, trainer

VARIABLE = "NORMBENCH_CALLGRIND"
SAMPLES = 2048  # valgrind is some fifty times slower than the processor
ITERATIONS = 5

PREPARATION = """
import numpy as np
from normbench import specs
try:
    from normbench.torch.benchmark.trainer import TorchTrainer
    from normbench.problems.scaling import spectral_initialisation
except ModuleNotFoundError:  # earlier commits
    from normbench.torch.trainer import TorchTrainer
    from normbench.normalisation import spectral_initialisation
rng = np.random.default_rng(0)
x, y = rng.normal(size=({samples}, 12)), rng.normal(size=({samples}, 3))
problem = spectral_initialisation((x, y), (x[:64], y[:64]), (12, 25, 30, 15, 3), seed=0)
trainer = TorchTrainer(problem, '{key}', specs.get('{key}').resolve({{}}), dtype='float32', device='cpu')
trainer.advance(2)
"""


class Torch:
    """One iteration of methods 1 and 2 in torch on 2,048 samples."""

    params = (("method1", "method2"),)
    param_names = ("optimiser",)
    timeout = 600
    unit = "instructions"

    def setup(self, key):
        """Skip unless asked for and possible."""
        if os.environ.get(VARIABLE) != "1":
            raise NotImplementedError(f"takes over a minute each; set {VARIABLE}=1 to count instructions")
        if shutil.which("valgrind") is None:
            raise NotImplementedError("valgrind is not installed")
        require_device("torch", "cpu")
        module("normbench.torch.benchmark.trainer")

    def track_instructions(self, key):
        """Instructions of one iteration, the interpreter's included."""
        from torch.utils.benchmark import Timer

        timer = Timer("trainer.advance(1)", setup=PREPARATION.format(key=key, samples=SAMPLES))
        stats = timer.collect_callgrind(number=ITERATIONS, collect_baseline=False)
        return stats.counts() / ITERATIONS


class Jax:
    """The compiled programs of a run of methods 1 and 2 in JAX, on the paper's network."""

    params = (("method1", "method2"),)
    param_names = ("optimiser",)
    unit = "flop"

    def setup(self, key):
        """Compile, and keep the trainer so that its programs stay alive."""
        self.trainer = trainer("E1", key, "jax")

    def track_operations(self, key):
        """Floating-point operations; a loop's body counts once, so that a tile of samples stands for all."""
        import jax

        programs = jax.devices("cpu")[0].client.live_executables()
        return sum(_operations(program.cost_analysis()) for program in programs)


def _operations(analysis):
    """XLA gives one analysis, or a list with one for each partition."""
    parts = analysis if isinstance(analysis, list) else [analysis]
    return sum(part.get("flops", 0) for part in parts)
