"""Jobs leave the queue longest first, within the family of the one before, and only to who can do them."""

import random
from dataclasses import dataclass

import pytest

from normbench.campaigns.engine.queue import Queue
from tests.campaigns.engine.jobs import Work


def drained(queue, need=None):
    found, family = [], None
    while (job := queue.take(family, need)) is not None:
        found.append(job)
        family = job.family
    return found


def test_a_worker_stays_in_its_family_and_then_takes_the_longest_that_waits():
    jobs = [Work(cost=cost, family=family) for cost, family in ((1, "b"), (10, "a"), (5, "b"), (9, "a"), (2, "a"))]
    assert [(job.family, job.cost) for job in drained(Queue(jobs))] == [
        ("a", 10),
        ("a", 9),
        ("a", 2),
        ("b", 5),
        ("b", 1),
    ]


def test_another_worker_takes_the_longest_of_what_is_left():
    queue = Queue([Work(cost=cost, family=family) for cost, family in ((10, "a"), (9, "a"), (1, "a"), (5, "b"))])
    assert [queue.take("a", None).cost, queue.take("a", None).cost] == [10, 9]
    assert queue.take("c", None).cost == 5


@pytest.mark.quick
def test_every_job_leaves_once_whoever_takes_it():
    draw = random.Random(0)
    jobs = [Work(n, cost=draw.random(), family=draw.randrange(4), on_gpu=draw.random() < 0.3) for n in range(300)]
    queue = Queue(jobs)
    assert (len(queue), queue.waiting("GPU")) == (300, sum(job.on_gpu for job in jobs))
    found = []
    while queue:
        family, need = draw.randrange(5), draw.choice([None, "GPU"])
        longest = max((job.cost for job in set(jobs) - set(found) if job.on_gpu == (need == "GPU")), default=None)
        kin = [job.cost for job in set(jobs) - set(found) if job.on_gpu == (need == "GPU") and job.family == family]
        job = queue.take(family, need)
        assert (job and job.cost) == (max(kin) if kin else longest)
        found += [job] * (job is not None)
    assert sorted(job.number for job in found) == list(range(300))
    assert queue.take(None, None) is None


@dataclass(frozen=True)
class Counting:
    """A job that counts how often it is compared."""

    cost: float
    family: object = None

    def __eq__(self, other):
        raise AssertionError("a queue that compares jobs grows with their square")

    __hash__ = object.__hash__


def test_to_take_a_job_compares_it_with_no_other():
    assert len(drained(Queue([Counting(float(n % 7), n % 3) for n in range(1000)]))) == 1000
