"""Signals that end a command interrupt it as Ctrl-C does, with one line and their exit code."""

import contextlib
import signal

import pytest

from normbench.cli.signals import Ended, ending_as_interrupts
from normbench.reference.trainer import ReferenceTrainer
from tests.cli.calls import call

ENDING = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


@pytest.fixture(autouse=True)
def unheard():
    """As a shell starts a program, whatever started pytest."""
    before = {name: signal.signal(getattr(signal, name), signal.SIG_DFL) for name in ENDING}
    yield
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("name", ENDING)
def test_a_command_that_is_told_to_end_says_so_and_the_same_command_goes_on(name, tmp_path, monkeypatch):
    number = getattr(signal, name)
    command = ["run", "--optimiser", "agd", "--backend", "reference", "--layers", "12,4,3", "--iterations", 2]
    command += ["--seeds", 2, "--jobs", 1, "--format", "json", "--out", tmp_path]
    advance = ReferenceTrainer.advance

    def told_in_the_second(trainer, steps):
        if list(tmp_path.glob("records/*.json")):
            signal.raise_signal(number)
        return advance(trainer, steps)

    with monkeypatch.context() as patch:
        patch.setattr(ReferenceTrainer, "advance", told_in_the_second)
        result = call(*command)
    assert (result.exit_code, result.stdout) == (128 + number, "")
    assert result.stderr.splitlines()[-1] == (
        f"Ended by {name}. What was finished is stored; the same command goes on from there."
    )
    assert signal.getsignal(number) is signal.SIG_DFL
    assert len(list(tmp_path.glob("records/*"))) == 1
    again = call(*command)
    assert (again.exit_code, len(again.stdout.splitlines())) == (0, 2)


@pytest.mark.usefixtures("in_this_process")
def test_a_command_that_stores_no_runs_does_not_say_that_it_goes_on(monkeypatch):
    """Validation makes runs, too, and keeps none of them."""
    monkeypatch.setattr(ReferenceTrainer, "advance", lambda trainer, steps: signal.raise_signal(signal.SIGTERM))
    result = call("validate", "--optimiser", "agd", "--backend", "torch", "--iterations", 2, "--jobs", 1)
    assert (result.exit_code, result.stdout) == (128 + signal.SIGTERM, "")
    assert result.stderr.splitlines()[-1] == (
        "Ended by SIGTERM. Files are written whole or not at all: none is half finished."
    )


def test_only_the_first_signal_interrupts():
    """timeout sends two at once; the second must not disturb what ends jobs of a batch system."""

    @contextlib.contextmanager
    def ending():
        yield
        for name in ENDING:
            signal.raise_signal(getattr(signal, name))
        ended.append(True)

    ended = []
    with ending_as_interrupts(), ending(), pytest.raises(Ended) as found:
        signal.raise_signal(signal.SIGTERM)
    assert (found.value.number, ended) == (signal.SIGTERM, [True])


@pytest.mark.parametrize("name", ENDING)
def test_what_is_ignored_stays_ignored(name):
    """As nohup asks."""
    number = getattr(signal, name)
    signal.signal(number, signal.SIG_IGN)
    with ending_as_interrupts():
        assert signal.getsignal(number) is signal.SIG_IGN
    assert signal.getsignal(number) is signal.SIG_IGN
