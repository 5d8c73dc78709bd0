"""An engine without processes, where they are not the point: a worker costs as much as all that a test does."""

import pytest

from normbench.campaigns import campaign
from normbench.campaigns.engine import engine
from normbench.campaigns.engine.jobs import Outcome
from normbench.campaigns.engine.queue import Queue
from normbench.campaigns.samples import of_worker


class ThisProcess:
    """Does the jobs of a :class:`normbench.campaigns.engine.engine.Engine` here, one after another."""

    def __init__(self, workers, say=print, prepare=None):
        self.workers = workers

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        of_worker.cache_clear()  # a worker's samples end with its engine

    def start(self, wanted):
        pass

    def runs_beside(self):
        return self.workers.at_once

    def run(self, jobs, on_done, may_start=lambda job: True):
        waiting, left_out, family = Queue(jobs), [], None
        while waiting:
            job = waiting.take(family, waiting.most())
            family = job.family
            if not may_start(job):
                left_out.append(job)
                continue
            try:
                outcome = Outcome(job, value=job())
            except Exception as error:
                outcome = Outcome(job, error=error)
            on_done(outcome)
        return left_out


def without_workers(monkeypatch):
    for module in (engine, campaign):
        monkeypatch.setattr(module, "Engine", ThisProcess)


@pytest.fixture
def in_this_process(monkeypatch):
    """Jobs are done here, where an error planted by a test reaches them."""
    without_workers(monkeypatch)
