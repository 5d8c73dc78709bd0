"""normbench in JAX: the optimisers as optax transformations, and the trainer of the benchmark.

They are loaded when they are asked for, so that :mod:`normbench.jax.backend` can be read without JAX.
"""

from typing import TYPE_CHECKING

from normbench.backends.backend import lent_names

if TYPE_CHECKING:  # what the declarations find, for those who read and do not run
    from normbench.jax.transformations.agd import agd as agd
    from normbench.jax.transformations.averages import averaged as averaged
    from normbench.jax.transformations.fgsgd import fgsgd as fgsgd
    from normbench.jax.transformations.fromage import fromage as fromage
    from normbench.jax.transformations.fromage import lars as lars
    from normbench.jax.transformations.geodesic_lbfgs import geodesic_lbfgs as geodesic_lbfgs
    from normbench.jax.transformations.method1 import method1 as method1
    from normbench.jax.transformations.method2 import method2 as method2
    from normbench.jax.transformations.method2 import method2_exp as method2_exp
    from normbench.jax.transformations.objectives import accumulated as accumulated
    from normbench.jax.transformations.objectives import unmasked as unmasked
    from normbench.jax.transformations.online_lbfgs import online_lbfgs as online_lbfgs
    from normbench.jax.transformations.parametrize import parametrize as parametrize
    from normbench.jax.transformations.polar_average import polar_average as polar_average
else:
    __getattr__, __dir__ = lent_names(__name__, "transformations")
