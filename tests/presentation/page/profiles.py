"""The performance profiles of Dolan and More (Math. Program. 91, 2002), by which those on the page are judged."""

import numpy as np
import pandas as pd


def performance_profile(costs, taus):
    """Share of the problems that each solver solves at no more than tau times the cost of the best solver.

    rho_s(tau) = |{p : cost_ps <= tau min_s cost_ps}| / |problems|

    A problem that no solver solves counts for none, and stays in the denominator.

    Parameters
    ----------
    costs : DataFrame, shape (problems, solvers)
        inf is a failure.
    taus : sequence of float
    """
    values = costs.to_numpy(dtype=float)
    best = values.min(axis=1, keepdims=True)
    shares = [(np.isfinite(values) & (values <= tau * best)).mean(axis=0) for tau in taus]
    return pd.DataFrame(shares, index=list(taus), columns=costs.columns)
