"""A clock that a test moves, claims as others have left them, and what others do at the worst moment."""

import os
import sys
import time
from dataclasses import replace

import pytest

from normbench.records.claim_files import ClaimFiles
from normbench.records.owners import Owner

RUN, OTHER = "a" * 32, "b" * 32
NO_PROCESS = 2**22 + 1  # above the largest number that Linux gives
HOURS = 3600.0
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere claims of the dead expire")


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self):
        return self.now

    def passes(self, seconds):
        self.now += seconds


def files(store):
    return sorted(path.name for path in (store.directory / ".claims").glob("*"))


def plant(store, name, content, *, age=0.0):
    """A file of a claim, with a time that lies so far back."""
    path = store.directory / ".claims" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.to_bytes() if isinstance(content, Owner) else content)
    os.utime(path, times=(time.time() - age,) * 2)
    return path


def elsewhere(**changes):
    """An owner on another machine, or what else is changed of one in this process."""
    return replace(Owner.here("them"), **(changes or {"host": "node7", "boot": "another"}))


DEAD = elsewhere(process=NO_PROCESS)


def before_creating(monkeypatch, name, act):
    """Do something once, between a client's look and its creation of that file."""
    create, done = ClaimFiles.create, []

    def create_later(self, path, content):
        if path.name == name and not done:
            done.append(name)
            act()
        return create(self, path, content)

    monkeypatch.setattr(ClaimFiles, "create", create_later)
