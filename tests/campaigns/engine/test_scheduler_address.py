"""Where a scheduler is said to be: one error for what makes no sense, at once or after a sensible wait."""

import json
import threading
import time

import dask
import pytest

from normbench.campaigns.engine import crew
from normbench.campaigns.engine.engine import Engine
from normbench.campaigns.engine.scheduler_address import address_of, worker_command
from normbench.campaigns.engine.workers import Workers
from normbench.errors import InvalidArgumentError, WorkerError
from tests.campaigns.engine.jobs import Work

ADDRESS = "tcp://10.0.0.1:8786"


@pytest.mark.parametrize("said", [ADDRESS, "10.0.0.1:8786", "tcp://[::1]:8786", "node-7:8786"])
def test_an_address_is_taken_as_it_is(said):
    assert address_of(said, seconds=0.0) == said
    assert worker_command(said) == f"dask worker {said} --nthreads 1"


@pytest.mark.parametrize("said", ["rubbish://x:1", "localhost:x", "tcp://host:port:1"])
def test_what_is_no_address_is_said_at_once(said):
    with pytest.raises(InvalidArgumentError, match="no address of a scheduler, such as tcp://HOST:PORT"):
        address_of(said, seconds=0.0)


@pytest.mark.parametrize("said", ["tls://10.0.0.1:8786", "wss://10.0.0.1:8786"])
def test_encryption_without_certificates_says_how_to_name_them(said):
    with pytest.raises(InvalidArgumentError, match=r"asks for certificates.*DASK_DISTRIBUTED__COMM__TLS__CA_FILE"):
        address_of(said, seconds=0.0)


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), ("no certificate", "SSLError")])
def test_certificates_that_cannot_be_used_are_said_with_their_paths(content, reason, tmp_path, monkeypatch):
    path = tmp_path / "own.pem"
    if content is not None:
        path.write_text(content)
    names = ("ca-file", "client.cert", "client.key")
    with (
        dask.config.set({f"distributed.comm.tls.{name}": str(path) for name in names}),
        pytest.raises(InvalidArgumentError, match=rf"cannot be used: .*{reason}.*__CLIENT__KEY=\S+own\.pem"),
    ):
        address_of("tls://10.0.0.1:8786", seconds=0.0)


def test_a_file_is_read_once_it_is_there(tmp_path):
    path = tmp_path / "scheduler.json"
    with pytest.raises(WorkerError, match=r"no dask scheduler answers at \S+: there is no such file. Start one"):
        address_of(str(path), seconds=0.0)
    path.touch()  # as a scheduler does before it writes
    later = threading.Timer(0.2, path.write_text, [json.dumps({"address": ADDRESS})])
    later.start()
    assert address_of(str(path), seconds=10.0) == ADDRESS
    later.join()
    assert worker_command(str(path)) == f"dask worker --scheduler-file {path} --nthreads 1"


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"address": 1}', "\0"])
def test_another_file_is_said_to_be_none_of_a_scheduler(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InvalidArgumentError, match=r"x\.json (cannot be read as a|is no) scheduler's file"):
        address_of(str(tmp_path / "x.json"), seconds=0.0)
    with pytest.raises(InvalidArgumentError, match="cannot be read"):
        address_of(str(tmp_path), seconds=0.0)


def test_where_none_answers_one_error_says_what_to_start(monkeypatch):
    monkeypatch.setattr(crew, "_CONNECT_SECONDS", 0.3)
    began = time.monotonic()
    with (
        pytest.raises(WorkerError, match=r"no dask scheduler answers at tcp://127.0.0.1:1: .*Start one") as found,
        Engine(Workers(scheduler="tcp://127.0.0.1:1")) as engine,
    ):
        engine.run([Work()], print)
    assert time.monotonic() - began < 10.0
    assert "\n" not in str(found.value)
