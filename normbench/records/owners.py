"""Which process a claim is of, and whether this machine can tell that it has ended."""

import json
import os
import platform
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

_PROC = Path("/proc")
_ENDED = "ZX"  # states of processes that do nothing any more and have not been waited for


@dataclass(frozen=True)
class Owner:
    """A client, by what its claims say of it.

    Attributes
    ----------
    client : str
        One object of claims; a process may have several.
    host : str
        Name of its machine; empty where the claim does not say.
    process : int
        Number of its process there; 0 where the claim does not say.
    boot, namespace, started : str
        Boot of the machine, namespace of process numbers, and start of the process in ticks since the boot. Linux has
        them; elsewhere they are empty.
    """

    client: str = ""
    host: str = ""
    process: int = 0
    boot: str = ""
    namespace: str = ""
    started: str = ""

    @classmethod
    def here(cls, client: str) -> "Owner":
        """A client in this process."""
        return cls(client, platform.node(), os.getpid(), *_place(), started=_state(os.getpid())[1])

    @classmethod
    def read(cls, content: bytes) -> "Owner | None":
        """From what :meth:`to_bytes` wrote; None if it is something else, such as the half of it."""
        try:
            found: Any = json.loads(content)
            owner = cls(**found)
        except (ValueError, TypeError, RecursionError):
            return None
        known = all(type(getattr(owner, field.name)) is field.type for field in fields(cls))
        return owner if known else None

    def to_bytes(self) -> bytes:
        """JSON of all fields."""
        return json.dumps(asdict(self)).encode()

    def has_ended(self) -> bool:
        """True if the process is known to have ended: one of this boot of this machine, which is no longer there.

        Where process numbers mean something else, on another machine, in another container or without Linux's
        ``/proc``, nothing is known and this is False.
        """
        same_place = (self.host, self.boot, self.namespace) == (platform.node(), *_place())
        if not (same_place and self.boot and self.process > 0):
            return False
        with suppress(OverflowError, PermissionError):  # no number of a process; another user's, which is there
            try:
                os.kill(self.process, 0)
            except ProcessLookupError:
                return True
        state, started = _state(self.process)
        return bool(state) and (state in _ENDED or started != self.started)  # else its number was given away again


@cache
def _place() -> tuple[str, str]:
    """This boot of this machine and our namespace of process numbers; empty where ``/proc`` is not ours or missing."""
    with suppress(OSError):
        if str((_PROC / "self").readlink()) == str(os.getpid()):
            boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
            return boot, str((_PROC / "self/ns/pid").readlink())
    return "", ""


def _state(process: int) -> tuple[str, str]:
    """State and start of a process of this machine, fields 3 and 22 of its ``stat``; empty where it cannot be read."""
    try:
        text = (_PROC / str(process) / "stat").read_bytes()
    except OSError:
        return "", ""
    _, _, rest = text.rpartition(b")")  # a name in brackets stands before them, and may hold any of these
    values = rest.decode("ascii").split()
    return values[0], values[19]
