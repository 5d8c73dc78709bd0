"""JAX as a backend of the benchmark; JAX itself is loaded by what is asked for."""

import os

from normbench.backends import Address, Backend
from normbench.data.cache import cache_folder
from normbench.machine import instruction_set, variable, xla_threads
from normbench.writing import probe_folder


def _compilation_cache() -> dict[str, str]:
    """The cache folder, and everything kept there; what a user has set himself stands.

    JAX names a program by what it computes, not by the processor it is for, and machines of a cluster share a home.
    """
    folder = cache_folder() / "jax" / instruction_set()
    if not variable("JAX_COMPILATION_CACHE_DIR"):
        probe_folder(folder)
    wanted = {
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    return {name: os.environ.get(name, value) for name, value in wanted.items()}


def _processor_devices(count: int) -> None:
    """One device is what JAX begins with; its client is made again where another number is wanted."""
    import jax
    from jax.extend.backend import clear_backends

    wanted = count if count > 1 else -1  # as XLA's own flag says
    if jax.config.jax_num_cpu_devices != wanted:
        clear_backends()
        jax.config.update("jax_num_cpu_devices", wanted)


BACKEND = Backend(
    name="jax",
    title="JAX",
    libraries=("jax", "jaxlib", "optax"),
    dtypes=("float32", "float64"),
    devices=("cpu", "cuda"),
    slowness=1.0,
    trainer=Address(
        "normbench.jax.benchmark.trainer",
        "JaxTrainer",
        ("iterations", "dtype", "device", "rows", "feed", "parametrisation", "devices"),
    ),
    plain=Address("normbench.jax.benchmark.plain", "PlainTrainer", ("dtype",)),
    players=Address("normbench.jax.benchmark.gan", "JaxPlayers"),
    plug_ins=Address("normbench.jax.updates.plug_ins", "check"),
    usual_settings=Address("normbench.jax.usual", "usual_settings"),
    compilation_cache=_compilation_cache,
    processor_devices=_processor_devices,
    threads=xla_threads,
    dash=(6, 3),
    shape="diamond",
)
