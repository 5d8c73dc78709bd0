"""The optax transformations by what they have in common; tests import it by name."""

from normbench import specs

KEYS = specs.AUTOMATIC
VALUED = ("method1", "geodesic_lbfgs")  # which ask for value and value_fn; the others ignore them
BALLS = ("geodesic_lbfgs", "polar_average")
MATRICES = ("agd", "fgsgd", "method2", "method2_exp", *BALLS)
NORMED = ("method1", "method2", "method2_exp", *BALLS)  # which take a norm at init, and keep to it
