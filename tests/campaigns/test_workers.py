"""Results do not depend on the number of workers, nor on where they are; what fails is a record with its reason."""

from normbench.campaigns.campaign import Campaign
from normbench.campaigns.engine.workers import Workers
from normbench.campaigns.plan import sweep
from normbench.records.store import Store
from normbench.running.request import Asked
from tests.without_times import without_times


def test_neither_the_number_of_jobs_nor_their_processes_change_a_result(tmp_path, request):
    asked = Asked(task="quadrotor-sim", layers=(12, 25, 3), optimiser="", backend="", seed=0, iterations=4)
    plan = sweep(asked, optimisers=["agd", "method1"], backends=["reference"], seeds=[0])
    apart = Campaign(Store(tmp_path / "apart"), workers=Workers(2)).run(plan)
    request.getfixturevalue("in_this_process")
    here = Campaign(Store(tmp_path / "here"), workers=Workers(1)).run(plan)
    assert [without_times(record) for record in apart] == [without_times(record) for record in here]
    assert [record.request.optimiser for record in here] == ["agd", "method1"]
