"""Networks that are kept beside the records of their runs, and what `normbench certify` says of them."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

from normbench import certificates
from normbench.campaigns.campaign import Campaign
from normbench.campaigns.engine.workers import Workers
from normbench.campaigns.plan import sweep
from normbench.certificates.stored import read
from normbench.cli import main
from normbench.records.store import Store
from normbench.running.request import Asked

L = 20.0


@pytest.mark.usefixtures("in_this_process")
def test_kept_networks_prove_their_bound_and_a_changed_weight_does_not(tmp_path):
    store = Store(tmp_path / "records")
    base = Asked(task="quadrotor-sim", layers=(12, 4, 3), optimiser="", backend="", seed=0, iterations=3, lipschitz=L)
    plan = sweep(base, optimisers=["geodesic_lbfgs"], backends=["torch"], seeds=[0])
    (record,) = Campaign(store, workers=Workers(1), keep_networks=True).run(plan)
    path = store.network_path(record.record_id)
    stored = read(path)
    assert stored.lipschitz == L
    assert certificates.from_arrays(stored.witness).bound == record.outcome.lipschitz_certificate

    def certify():
        return CliRunner().invoke(main, ["certify", str(path)])

    assert certify().exit_code == 0
    grown = tuple(w * (1.2 if k == 0 else 1.0) for k, w in enumerate(stored.weights))
    replace(stored, weights=grown).write(path)
    found = certify()
    assert found.exit_code == 1
    assert "WRONG" in found.stdout
    path.unlink()
    before = store.path(record.record_id).stat().st_mtime_ns
    Campaign(store, workers=Workers(1)).run(plan)
    assert store.path(record.record_id).stat().st_mtime_ns == before
    Campaign(store, workers=Workers(1), keep_networks=True).run(plan)
    assert path.is_file()
