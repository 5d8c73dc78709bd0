"""Time of a batch of seeds of method 1, one after the other in one process, as a worker of a campaign does it."""

from functools import lru_cache

from .common import BACKENDS, LAYERS, SPLIT, TASK, module, require_device

SEEDS = range(4)
ITERATIONS = 50


@lru_cache
def _batch(backend):
    """The requests, their data, and one run done so that everything is compiled."""
    run, request = module("normbench.running.run"), module("normbench.running.request")
    dataset = module("normbench.problems.tasks").get(TASK).dataset()
    common = {"task": TASK, "split": SPLIT, "layers": LAYERS["E1"], "optimiser": "method1", "backend": backend}
    asked = [common | {"seed": seed, "iterations": ITERATIONS} for seed in SEEDS]
    if hasattr(request, "Asked"):
        requests = [request.Asked(**each).resolved() for each in asked]
    else:  # a commit from before a request was declared and resolved
        requests = [request.request(**each) for each in asked]
    run.run(requests[0], dataset)
    return run.run, requests, dataset


class SeedBatch:
    """Four seeds of 50 iterations: splitting, scaling, transfer, training and evaluation together."""

    params = (BACKENDS,)
    param_names = ("backend",)
    number, warmup_time, rounds, repeat = 1, 0, 1, (2, 4, 6.0)

    def setup(self, backend):
        """Generate the data and compile."""
        require_device(backend, "cpu")
        self.run, self.requests, self.dataset = _batch(backend)

    def time_four_seeds(self, backend):
        """Whole runs, as ``normbench run`` does them."""
        for request in self.requests:
            self.run(request, self.dataset)
