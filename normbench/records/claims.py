"""Claims on runs: several clients on one results folder, on one machine or many, never make a run at the same time.

A claim is a file that says whose it is, in a hidden folder beside the records. The first one of a run is ``ID.0``;
whoever takes over from an owner that has gone creates ``ID.1``, and so on: the last in the row from 0 holds. Files are
created with ``O_CREAT | O_EXCL``, which is atomic on local file systems and on NFS since version 3: of many that try,
one has it.

Owners renew their claims. One has gone if its process has ended on this machine (:mod:`normbench.records.owners`), or
if its claim did not change for ``EXPIRY_SECONDS`` on the monotonic clock of the client that looks. No time of a machine
is compared with that of another: clocks may differ or be set, and laptops may sleep. The price is that a client watches
a claim of another machine for that long before it takes over, however old it is; it can make other runs meanwhile.

Whoever looks, and acts on what was seen, looks again after the act: of two that meet, at least one withdraws. What is
left is an owner that is stopped for longer than the expiry and wakes up: it has lost its claim, :meth:`Claims.lost`.
Two clients then make one run, which costs time and nothing else: records are equal, and replaced whole.
"""

import os
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Self

from normbench.errors import OutputError
from normbench.records.claim_files import ClaimFiles, Seen, delete, generation_of, look
from normbench.records.owners import Owner
from normbench.records.store import Store

EXPIRY_SECONDS = 60.0
RENEWAL_SECONDS = 12.0  # four may be late before a claim expires
_CLAIMS = ".claims"  # sub-folder of the records' folder


@dataclass(frozen=True)
class Holder:
    """Who holds a claim.

    Attributes
    ----------
    owner : Owner
    silent : float or None
        Seconds since the last renewal, by the clock of the file server; None where that cannot be asked because the
        folder is read-only. More than ``EXPIRY_SECONDS``: most likely its machine is gone or out of touch, and
        the client that needs the run will take over.
    """

    owner: Owner
    silent: float | None


@dataclass
class Claims:
    """The claims of one client on the runs of a store; use it as a context manager.

    Inside, a thread renews what is held; at the end, however that comes, everything is released. Two objects exclude
    each other, also in one process. Look into the store again once a claim is taken: the last owner may just have
    finished.

    Attributes
    ----------
    store : Store
    clock : callable
        Seconds, of this process alone, that never go back.

    Examples
    --------
    ::

        with Claims(store) as claims:
            for record_id in missing:
                if claims.take(record_id):
                    if store.find(record_id) is None:
                        make(record_id)
                    claims.release(record_id)
    """

    store: Store
    clock: Callable[[], float] = time.monotonic
    _held: dict[str, Path] = field(default_factory=dict, init=False, repr=False)
    _watched: dict[Path, tuple[Seen, float]] = field(default_factory=dict, init=False, repr=False)  # since when
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False)

    def __post_init__(self) -> None:
        self._files = ClaimFiles(self.store.directory / _CLAIMS)
        self._content = Owner.here(uuid.uuid4().hex).to_bytes()

    def __enter__(self) -> Self:
        self.sweep()  # which also begins to watch the claims of others
        self._ending = threading.Event()
        self._renewing = threading.Thread(target=self._keep_renewing, name="normbench-claims", daemon=True)
        self._renewing.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ending.set()
        self._renewing.join()
        for record_id in list(self._held):
            self.release(record_id)
        self.sweep()
        self._files.remove_folder()

    def take(self, record_id: str) -> bool:
        """True if the run is ours now, or still; False if somebody else may be making it.

        Raises
        ------
        OutputError
            If the folder cannot be written.
        """
        with self._lock:
            if record_id in self._held and self._is_ours(self._held[record_id]):
                return True
            self._held.pop(record_id, None)
            path = self._won(record_id)
            if path is not None:
                self._held[record_id] = path
            return path is not None

    def release(self, record_id: str) -> None:
        """Give the run back, if it is ours; a claim that cannot be deleted is no longer renewed, and expires."""
        with self._lock:
            path = self._held.pop(record_id, None)
            if path is None or not self._renew(path) or _is_followed(path):
                return  # one who takes over just now sees the renewal and withdraws, or we see what it made
            for below in range(generation_of(path) + 1):  # ours last: until then the run is not free
                delete(self._files.path(record_id, below))

    def lost(self) -> set[str]:
        """The runs that we took and others have taken over, because our renewals did not arrive in time."""
        with self._lock:
            return {record_id for record_id, path in self._held.items() if not self._is_ours(path)}

    def held_by_others(self) -> dict[str, Holder]:
        """Who has which run, by its identity: all that :meth:`take` would refuse. No claim is changed."""
        with self._lock:
            found = {
                record_id: seen
                for record_id, paths in self._files.found().items()
                if record_id not in self._held and (seen := look(paths[-1])) and not self._has_gone(paths[-1], seen)
            }
        now = self._files.now() if found else None
        return {
            record_id: Holder(
                owner=Owner.read(seen.content) or Owner(),
                silent=None if now is None else max(0.0, (now - seen.changed) / 1e9),
            )
            for record_id, seen in found.items()
        }

    def sweep(self) -> int:
        """Remove the claims of owners that have gone; return of how many runs. What cannot be removed stays.

        Each is taken before it is removed, so that this is safe beside living clients.
        """
        swept = 0
        with self._lock, suppress(OutputError):
            for record_id, paths in self._files.found().items():
                seen = None if record_id in self._held else look(paths[-1])
                if seen is not None and self._has_gone(paths[-1], seen) and self.take(record_id):
                    for path in paths:  # behind a gap, which one left who was killed while deleting
                        if generation_of(path) > generation_of(self._held[record_id]):
                            delete(path)
                    self.release(record_id)
                    swept += 1
        return swept

    def renew(self) -> None:
        """Say of every claim that its owner lives, as the thread does every ``RENEWAL_SECONDS``."""
        with self._lock:
            for path in self._held.values():
                self._renew(path)

    def _keep_renewing(self) -> None:
        while not self._ending.wait(RENEWAL_SECONDS):
            self.renew()

    def _won(self, record_id: str) -> Path | None:
        """The file by which the run is ours now; None if it is another's."""
        made: list[Path] = []
        gone: tuple[Path, Seen] | None = None  # the owner of the generation before, where we judged that one
        for generation in count():
            path = self._files.path(record_id, generation)
            created = (generation == 0 or gone is not None) and self._files.create(path, self._content)
            if created:
                made.append(path)
            if _is_followed(path):
                gone = None
                continue
            if created:
                if gone is None or look(gone[0]) == gone[1]:
                    return path
                break  # it lives, or another has taken over, and released, since we looked
            seen = look(path)
            if seen is None or not self._has_gone(path, seen):
                break
            gone = path, seen
        for path in reversed(made):
            if self._says_ours(path):
                delete(path)
        return None

    def _has_gone(self, path: Path, seen: Seen) -> bool:
        """True if the owner has ended, or did not renew its claim while we watched it for long enough.

        A file without a readable owner is watched, too: it is being written, or its owner was killed over it. Its time
        may be decades ago even then: servers of NFS keep a number of their own there while they create a file.
        """
        owner = Owner.read(seen.content)
        if owner is not None and owner.has_ended():
            return True
        before, since = self._watched.get(path, (None, 0.0))
        if before != seen:
            self._watched[path] = seen, self.clock()
            return False
        return self.clock() - since > EXPIRY_SECONDS

    def _is_ours(self, path: Path) -> bool:
        return self._says_ours(path) and not _is_followed(path)

    def _says_ours(self, path: Path) -> bool:
        seen = look(path)
        return seen is not None and seen.content == self._content

    def _renew(self, path: Path) -> bool:
        """Give our claim the present time of the file server; False if it is there no more, or cannot be changed."""
        if self._says_ours(path):
            with suppress(OSError):
                os.utime(path)
                return True
        return False


def _is_followed(path: Path) -> bool:
    """True if another has taken over from the owner of this file."""
    return os.path.lexists(path.with_suffix(f".{generation_of(path) + 1}"))
