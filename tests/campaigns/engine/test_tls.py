"""Campaigns on a scheduler that asks for certificates, which are made here; who has none is sent away."""

import shutil
import subprocess

import dask
import pytest

from normbench.campaigns.engine import crew
from normbench.campaigns.engine.engine import Engine
from normbench.campaigns.engine.workers import Workers
from normbench.errors import WorkerError
from tests.campaigns.engine.jobs import Work
from tests.campaigns.engine.machines import Machines

OPENSSL = shutil.which("openssl")


def certificate(folder, name):
    """Paths of a certificate that has signed itself, and of its key, as docs/clusters.md makes them."""
    own, key = folder / f"{name}.pem", folder / f"{name}-key.pem"
    made = [OPENSSL, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-days", "1"]
    subprocess.run([*made, "-out", own, "-keyout", key], check=True, capture_output=True)
    return str(own), str(key)


def of_a_client(own, key, ca):
    return {
        f"distributed.comm.tls.{name}": path
        for name, path in zip(("client.cert", "client.key", "ca-file"), (own, key, ca), strict=True)
    }


@pytest.mark.skipif(OPENSSL is None, reason="openssl, which makes certificates, is not installed")
def test_runs_are_made_over_tls_by_who_has_the_certificate_and_by_nobody_else(tmp_path, monkeypatch):
    own, key = certificate(tmp_path, "ours")
    outcomes = []
    with Machines(tmp_path, ["--tls-ca-file", own, "--tls-cert", own, "--tls-key", key]) as machines:
        machines.start("one")
        assert machines.address.startswith("tls://")
        with dask.config.set(of_a_client(own, key, own)), Engine(Workers(scheduler=machines.file)) as engine:
            engine.run([Work(7)], outcomes.append)
        assert [outcome.value[0] for outcome in outcomes] == [7]
        monkeypatch.setattr(crew, "_CONNECT_SECONDS", 1.0)
        stranger = of_a_client(*certificate(tmp_path, "theirs"), own)
        with (
            dask.config.set(stranger),
            pytest.raises(WorkerError, match="no dask scheduler answers at tls://"),
            Engine(Workers(scheduler=machines.address)) as engine,
        ):
            engine.run([Work()], print)
