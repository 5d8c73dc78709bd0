"""Time of one iteration of every optimiser on every backend and device, from the sixth of a run."""

from functools import lru_cache

from .common import BACKENDS, BOUNDED, DEVICES, OPTIMISERS, advance, bounded_trainer, digits_trainer, warm_trainer


class PaperNetwork:
    """12-25-30-15-3 and all training samples of the simulated set: experiment 1 of arXiv 2312.10672."""

    params = (OPTIMISERS, BACKENDS, DEVICES)
    param_names = ("optimiser", "backend", "device")
    number, warmup_time, rounds, repeat = 1, 0, 1, (20, 60, 4.0)

    def setup(self, optimiser, backend, device):
        """A fresh trainer for every sample, so that every sample does the same work."""
        self.trainer = warm_trainer("E1", optimiser, backend, device=device)

    def time_iteration(self, optimiser, backend, device):
        """One iteration, the device waited for."""
        advance(self.trainer, 1)


class LargerNetworks:
    """Width 35, depth 12, all training samples; and width 512, depth 8, 4,096 samples."""

    params = (("method1", "method2", "fromage", "adam"), BACKENDS, DEVICES, ("E2", "wide"))
    param_names = ("optimiser", "backend", "device", "size")
    number, warmup_time, rounds, repeat = 1, 0, 1, (3, 15, 1.5)

    def setup(self, optimiser, backend, device, size):
        """A fresh trainer for every sample; on the wide network, where that costs seconds, the run goes on instead."""
        make = _shared_trainer if size == "wide" else warm_trainer
        self.trainer = make(size, optimiser, backend, device=device)

    def time_iteration(self, optimiser, backend, device, size):
        """One iteration, the device waited for."""
        advance(self.trainer, 1)


class AtABound:
    """12-25-30-15-3 and all training samples at a Lipschitz bound of 20: optimisers of bounded sets, and Adam."""

    params = (BOUNDED, BACKENDS)
    param_names = ("way", "backend")
    number, warmup_time, rounds, repeat = 1, 0, 1, (3, 15, 1.5)

    def setup(self, way, backend):
        """A fresh trainer for every sample."""
        self.trainer = bounded_trainer(way, backend)

    def time_iteration(self, way, backend):
        """One iteration, the device waited for."""
        advance(self.trainer, 1)


class Convolutions:
    """The small convolutional network of digits-conv, differentiated automatically, and all its training samples."""

    params = (("method1", "method2", "agd", "adam"), BACKENDS)
    param_names = ("optimiser", "backend")
    number, warmup_time, rounds, repeat = 1, 0, 1, (3, 15, 1.5)

    def setup(self, optimiser, backend):
        """A fresh trainer for every sample."""
        self.trainer = digits_trainer(optimiser, backend)

    def time_iteration(self, optimiser, backend):
        """One iteration, the device waited for."""
        advance(self.trainer, 1)


@lru_cache
def _shared_trainer(size, optimiser, backend, *, device):
    return warm_trainer(size, optimiser, backend, device=device)
