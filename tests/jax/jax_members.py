"""The optax transformations by what they have in common; tests import it by name."""

from normbench import specs

KEYS = specs.AUTOMATIC
WITH_VALUE = ("method1", "geodesic_lbfgs")  # which ask for value and value_fn
VALUED = (*WITH_VALUE, "online_lbfgs")  # which ask for value_fn; the others ignore it
AVERAGING = ("online_lbfgs", "polar_average")  # whose average is what is evaluated
BALLS = ("geodesic_lbfgs", *AVERAGING)
MATRICES = ("agd", "fgsgd", "method2", "method2_exp", *BALLS)
NORMED = ("method1", "method2", "method2_exp", *BALLS)  # which take a norm at init, and keep to it
