"""Products whose factors no accelerator rounds first; by default JAX lets GPUs take TF32 and TPUs bfloat16."""

from functools import partial

import jax.numpy as jnp

matmul = partial(jnp.matmul, precision="highest")
inner = partial(jnp.vdot, precision="highest")
