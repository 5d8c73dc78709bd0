"""What a user waits for beside iterations: a fit of a table, the start of a campaign's processes, their jobs."""

import os
import time
from pathlib import Path

import numpy as np

from .common import BACKENDS, LIPSCHITZ, SEED, module, require_device
from .jobs import Sleep

ITERATIONS = 50
JOBS = 40


class Fit:
    """``LipschitzRegressor.fit`` of 2,000 rows of four columns, certificate included."""

    params = (BACKENDS,)
    param_names = ("backend",)
    number, warmup_time, rounds, repeat = 1, 0, 1, (3, 8, 4.0)

    def setup(self, backend):
        """Skip where the commit has no estimators; one fit compiles."""
        require_device(backend, "cpu")
        estimator = module("normbench.estimators").LipschitzRegressor
        rng = np.random.default_rng(SEED)
        self.X = rng.normal(size=(2000, 4))
        self.y = np.abs(self.X[:, 0]) + np.sin(self.X[:, 1])
        self.model = estimator(lipschitz=LIPSCHITZ, backend=backend, max_iter=ITERATIONS)
        self.model.fit(self.X, self.y)

    def time_fit(self, backend):
        """Fit anew."""
        self.model.fit(self.X, self.y)

    def track_training_rms(self, backend):
        """Root mean square over the rows: lower is better."""
        return float(np.sqrt(np.mean((self.model.predict(self.X) - self.y) ** 2)))


class Engine:
    """One process of this machine and jobs that do nothing."""

    number, warmup_time, rounds, repeat = 1, 0, 1, 3
    timeout = 120

    def setup(self):
        """Skip where the commit has another engine; workers find this module as asv does."""
        workers = module("normbench.campaigns.engine.workers").Workers(jobs=1, threads=1)
        made = module("normbench.campaigns.engine.engine").Engine
        os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
        self.engine = lambda: made(workers)

    def time_first_result(self):
        """From nothing to the result of one job, the end of the process included."""
        with self.engine() as engine:
            engine.run([Sleep(0)], lambda outcome: None)

    def track_job(self):
        """Seconds a job, of those behind the first."""
        with self.engine() as engine:
            engine.run([Sleep(0)], lambda outcome: None)
            start = time.perf_counter()
            engine.run([Sleep(n) for n in range(JOBS)], lambda outcome: None)
            return (time.perf_counter() - start) / JOBS

    track_job.unit = "s"
