"""Jobs leave the queue longest first, within the family of the one before, and only to who can do them."""

import random
from dataclasses import dataclass

import pytest

from normbench.campaigns.engine.queue import Queue
from tests.campaigns.engine.jobs import Work


def drained(queue, need=0):
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
    assert [queue.take("a", 0).cost, queue.take("a", 0).cost] == [10, 9]
    assert queue.take("c", 0).cost == 5


def test_who_begins_a_family_takes_one_that_nobody_has_begun_while_there_is_one():
    """And then helps with the longest: what is shared is compiled once as long as there is something else to do."""
    jobs = ((10, "a"), (9, "a"), (8, "b"), (7, "b"), (3, "c"))
    queue = Queue([Work(cost=cost, family=family) for cost, family in jobs])
    assert queue.take(None, 0, []).cost == 10
    assert queue.take(None, 0, iter(["a"])).cost == 8
    assert queue.take("b", 0, ["a"]).cost == 7
    assert queue.take("b", 0, ["a"]).cost == 3
    assert queue.take("c", 0, ["a"]).cost == 9
    assert queue.take("c", 0, ["a"]) is None


@pytest.mark.quick
def test_every_job_leaves_once_whoever_takes_it():
    draw = random.Random(0)
    jobs = [Work(n, cost=draw.random(), family=draw.randrange(4), gpus=draw.choice([0, 0, 1, 2])) for n in range(300)]
    queue = Queue(jobs)
    assert (len(queue), queue.most(), queue.most(1), queue.most(0)) == (300, 2, 1, 0)
    found = []
    while queue:
        family, need, under_way = (
            draw.randrange(5),
            draw.randrange(3),
            draw.sample(range(4), draw.randrange(5)),
        )
        left = [job for job in set(jobs) - set(found) if job.gpus == need]
        kin = [job for job in left if job.family == family]
        others = [job for job in left if job.family not in under_way]
        job = queue.take(family, need, under_way)
        assert job == max(kin or others or left, key=lambda job: job.cost, default=None)
        found += [job] * (job is not None)
    assert sorted(job.number for job in found) == list(range(300))
    assert queue.take(None, 0) is None


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
