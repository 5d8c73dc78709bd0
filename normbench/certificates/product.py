"""The product of operator norms: ||f(x) - f(x')|| <= scale prod ||W_k||_op ||x - x'||  (arXiv 2312.10672, eq. 2)."""

import time

from normbench.certificates.certificate import Certificate
from normbench.certificates.plain import Plain
from normbench.certificates.rounding import exact_product, operator_norm, rounded_up, with_slack

KIND = "product"


def product(network: Plain) -> Certificate:
    """The product bound of any 1-Lipschitz activation. The witness is empty: the norms come from the weights.

    Parameters
    ----------
    network : Plain

    Examples
    --------
    >>> import numpy as np
    >>> from normbench.certificates.plain import plain
    >>> round(product(plain([2 * np.eye(3), 3 * np.eye(3)])).bound, 6)
    6.0
    """
    start = time.perf_counter()
    bound = with_slack(proven(network))
    return Certificate(KIND, bound, seconds=time.perf_counter() - start)


def proven(network: Plain) -> float:
    """The product, rounded up; idle units count."""
    norms = [operator_norm(weight) for weight in network.given]
    if 0.0 in norms or network.output_scale == 0.0:
        return 0.0
    return rounded_up(exact_product([network.output_scale, *norms]))
