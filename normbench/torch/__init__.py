"""normbench in PyTorch: the optimisers as ``torch.optim.Optimizer`` classes, and the trainer of the benchmark.

They are loaded when they are asked for, so that :mod:`normbench.torch.backend` can be read without torch.
"""

from typing import TYPE_CHECKING

from normbench.backends.backend import lent_names

if TYPE_CHECKING:  # what the declarations find, for those who read and do not run
    from normbench.torch.optimizers.agd import AGD as AGD
    from normbench.torch.optimizers.fgsgd import FGSGD as FGSGD
    from normbench.torch.optimizers.fromage import LARS as LARS
    from normbench.torch.optimizers.fromage import Fromage as Fromage
    from normbench.torch.optimizers.geodesic_lbfgs import GeodesicLBFGS as GeodesicLBFGS
    from normbench.torch.optimizers.method1 import Method1 as Method1
    from normbench.torch.optimizers.method2 import Method2 as Method2
    from normbench.torch.optimizers.method2 import Method2Exp as Method2Exp
    from normbench.torch.optimizers.online_lbfgs import OnlineLBFGS as OnlineLBFGS
    from normbench.torch.optimizers.polar_average import PolarAverage as PolarAverage
    from normbench.torch.parametrized import parametrize as parametrize
else:
    __getattr__, __dir__ = lent_names(__name__, "optimizers")
