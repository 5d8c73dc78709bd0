"""What the runs of the published experiments share: the quadrotor's tasks and networks, and what a user chooses.

Two of the papers classify images; here the task is a regression, and smaller, at sizes that two cores can do, and for
two of the figures their own images, too.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from normbench import backends
from normbench.campaigns.samples import Samples
from normbench.data.dataset import Dataset
from normbench.networks import families
from normbench.problems.tasks import PAPER_HIDDEN, get
from normbench.running.request import Asked, RunRequest
from normbench.specs import Value

if TYPE_CHECKING:
    from normbench.presentation.charts.sheet import Origin

QUADROTOR_TASKS = ("quadrotor-sim", "quadrotor")
ABOUT_TASKS = {  # of what a user can choose from
    "quadrotor-sim": "simulated",
    "quadrotor": "the table of arXiv 2312.10672",
    "mnist": "the images of arXiv 2002.03432",
}
INPUTS, OUTPUTS = 12, 3
PAPER_LAYERS = (INPUTS, *PAPER_HIDDEN, OUTPUTS)

# Under Algorithm 1 of arXiv 2312.10672 the gradient shrinks with every layer, to about 1e-42 at depth 32: deep networks
# are trained in float64, and Adam is given an epsilon that does not swamp its moments.
DEFAULT: Mapping[str, Value] = {}
TINY: Mapping[str, Value] = {"epsilon": 1e-300}


def perceptron_layers(*, width: int, depth: int, inputs: int = INPUTS, outputs: int = OUTPUTS) -> tuple[int, ...]:
    """Widths of a perceptron for the quadrotor, see :func:`normbench.networks.families.perceptron_layers`."""
    return families.perceptron_layers(width=width, depth=depth, inputs=inputs, outputs=outputs)


@dataclass(frozen=True)
class Setting:
    """What a user chooses: the task, what computes, how many seeds, and where the data are."""

    task: str
    backend: str
    seeds: int
    data_dir: Path | None = None

    @cached_property
    def samples(self) -> Samples:
        """The data sets of this process."""
        return Samples(self.data_dir)

    def perceptron_layers(self, *, width: int, depth: int) -> tuple[int, ...]:
        """Widths of a perceptron for the task; no data are read."""
        about = get(self.task).source_info
        outputs = about.classes or OUTPUTS
        return perceptron_layers(width=width, depth=depth, inputs=math.prod(about.shape), outputs=outputs)

    @property
    def dataset(self) -> Dataset:
        """The samples of the task."""
        return self.samples.of(self.task)

    def origin(self, backend: str, dtype: str) -> "Origin":
        """Where numbers come from that no record holds."""
        from normbench.presentation.charts.sheet import Origin

        data = self.dataset
        return Origin(self.task, data.unit, backend, dtype, data.simulated, self.seeds)


def asked(
    setting: Setting,
    optimiser: str,
    layers: tuple[int, ...],
    iterations: int,
    hyperparameters: Mapping[str, Value] = DEFAULT,
    *,
    dtype: str = "float32",
    batch_size: int | None = None,
) -> tuple[RunRequest, ...]:
    """One run for every seed; a backend that does not know ``dtype`` takes its own."""
    first = Asked(
        task=setting.task,
        layers=layers,
        optimiser=optimiser,
        backend=setting.backend,
        seed=0,
        split=get(setting.task).split,
        iterations=iterations,
        hyperparameters=dict(hyperparameters),
        dtype=backends.get(setting.backend).dtype_for(dtype),
        batch_size=batch_size,
    )
    return tuple(replace(first, seed=seed).resolved() for seed in range(setting.seeds))
