"""A pool without processes, for claims that are not about them: a worker costs as much as all that a test computes."""

import pytest

from normbench.campaigns import campaign, pool
from normbench.campaigns.samples import of_worker


class ThisProcess:
    """Does the jobs of a :class:`normbench.campaigns.pool.Pool` here, one after another."""

    def __init__(self, size, threads):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        of_worker.cache_clear()  # a worker's samples end with its pool

    def run(self, jobs, on_done):
        for job in sorted(jobs, key=lambda job: -job.cost):
            value, error = pool._attempt(job)
            on_done(pool.Outcome(job, value=value, error=error))


def without_workers(monkeypatch):
    for module in (pool, campaign):
        monkeypatch.setattr(module, "Pool", ThisProcess)


@pytest.fixture
def in_this_process(monkeypatch):
    """Jobs are done here, where an error planted by a test reaches them."""
    without_workers(monkeypatch)
