"""Every published experiment that can be made again, in the order in which ``normbench reproduce`` lists them."""

from normbench.papers.agd import experiments as agd
from normbench.papers.asgd import experiments as asgd
from normbench.papers.experiment import Experiment
from normbench.papers.fromage import experiments as fromage
from normbench.papers.neural_lander import experiments as neural_lander

EXPERIMENTS: tuple[Experiment, ...] = (
    *asgd.EXPERIMENTS,
    *fromage.EXPERIMENTS,
    *agd.EXPERIMENTS,
    *neural_lander.EXPERIMENTS,
)
