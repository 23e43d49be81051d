"""Leases: who computes a key now. One process at a time, and none for ever.

A lease is a small file created exclusively. Its holder touches it every few seconds; others take it for
dead when it has not changed for `ttl` seconds by their *own* monotonic clock, so that clocks of different
machines are never compared. A holder that died on this machine is seen at once.

Taking over creates the next number (`<kind>-<key>.2`), again exclusively, so that of many that see a dead
holder one wins. A holder that was only asleep and wakes up finishes in vain, but harms nothing: both commit
equal content.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

from trainables.runtime import gone, machine
from trainables.store.backend import Place
from trainables.store.base import Busy, Holder

FOLDER = "leases"
TTL_VARIABLE = "COLLAPSE_SWEEP_LEASE_SECONDS"
TTL = 60.0
"""Seconds without a sign of life after which a holder elsewhere is taken for dead."""

BEATS = 6
"""Signs of life within that time."""


@dataclass(frozen=True)
class LeaseFile:
    """A lease file as read."""

    path: str
    number: int
    holder: Holder
    machine: str
    stamp: Hashable


class Leases:
    """The leases of one place, as seen and held by this process."""

    def __init__(self, place: Place, wait: bool) -> None:
        self._place = place
        self._wait = wait
        self._ttl = float(os.environ.get(TTL_VARIABLE) or TTL)
        self._heart = Heart(place, self._ttl / BEATS)
        self._seen: dict[str, tuple[Hashable, float]] = {}

    @contextlib.contextmanager
    def claim(self, kind: str, key: str, done: Callable[[], bool]) -> Iterator[bool]:
        """Hold the lease of kind/key for the block.

        Yields:
            True, or False when `done` came true while waiting for another holder: there is nothing to claim.

        Raises:
            Busy: another process holds it, and this one does not wait.
        """
        path = self._acquire(kind, key, done)
        if path is None:
            yield False
            return
        try:
            yield True
        finally:
            self._heart.drop(path)
            with contextlib.suppress(*self._place.errors):  # a lease that stays is found dead in time
                self._release(path)

    def holder(self, kind: str, key: str) -> Holder | None:
        """Who holds the lease and has not been found dead."""
        current = self._current(kind, key)
        return None if current is None or self._dead(current) else current.holder

    def free(self, kind: str, key: str) -> bool:
        """Whether nobody holds the lease; one whose holder was found dead here is removed."""
        current = self._current(kind, key)
        if current is not None and not self._dead(current):
            return False
        if current is not None:
            own = f"{FOLDER}/{kind}-{key}.{current.number + 1}"
            if not self._place.create(own, _card()):
                return False  # somebody else has taken over just now
            self._release(own)
        return True

    def claimed(self, kind: str) -> set[str]:
        """Keys of this kind with a lease, of a living holder or a dead one."""
        start = f"{kind}-"
        names = [name for name in self._place.names(FOLDER) if name.startswith(start)]
        return {name[len(start) :].rpartition(".")[0] for name in names}

    def _acquire(self, kind: str, key: str, done: Callable[[], bool]) -> str | None:
        """Path of the claim now held, or None when there is nothing left to claim."""
        pause = self._place.poll_seconds
        while True:
            current = self._current(kind, key)
            if current is None or self._dead(current):
                path = f"{FOLDER}/{kind}-{key}.{current.number + 1 if current else 1}"
                if self._place.create(path, _card()):
                    self._heart.add(path)
                    return path
            elif not self._wait:
                raise Busy(kind, key, current.holder)
            time.sleep(pause)
            pause = min(pause * 1.5, 20 * self._place.poll_seconds)
            if done():
                return None

    def _current(self, kind: str, key: str) -> LeaseFile | None:
        """The latest claim on a key."""
        start = f"{kind}-{key}."
        numbers = [int(n[len(start) :]) for n in self._place.names(FOLDER) if n.startswith(start)]
        if not numbers:
            return None
        path = f"{FOLDER}/{start}{max(numbers)}"
        try:
            stamp = self._place.stamp(path)
            card = self._place.read(path)
        except FileNotFoundError:
            return None
        return LeaseFile(path, max(numbers), *_parse(card), stamp)

    def _dead(self, claim: LeaseFile) -> bool:
        if gone(claim.machine, claim.holder.pid):
            return True
        stamp, since = self._seen.get(claim.path, (None, 0.0))
        now = time.monotonic()
        if stamp != claim.stamp:
            self._seen[claim.path] = claim.stamp, now
            return False
        return now - since > self._ttl

    def _release(self, own: str) -> None:
        """Remove this process's claim, and before it those it was taken over from."""
        stem, _, number = own.rpartition(".")
        for earlier in range(1, int(number)):
            self._place.remove(f"{stem}.{earlier}")
        self._place.remove(own)


def _card(beat: int = 0) -> bytes:
    """What a lease file says of its holder; no two are equal."""
    fields = {"host": socket.gethostname(), "pid": os.getpid(), "machine": machine(), "beat": beat}
    return json.dumps(fields | {"token": secrets.token_hex(8)}).encode()


def _parse(card: bytes) -> tuple[Holder, str]:
    """Who wrote a lease; a card not yet (or never) written in full is somebody's of unknown name."""
    try:
        fields = json.loads(card)
        return Holder(str(fields["host"]), int(fields["pid"])), str(fields["machine"])
    except (ValueError, KeyError, TypeError):
        return Holder("an unknown host", 0), ""


class Heart:
    """One thread that touches every lease this process holds on a place; it ends when there is none."""

    def __init__(self, place: Place, seconds: float) -> None:
        self._place = place
        self._seconds = seconds
        self._held: set[str] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()

    def add(self, path: str) -> None:
        """Keep this lease alive."""
        with self._lock:
            if self._pid != os.getpid():  # a fork inherits neither the thread nor its parent's leases
                self._held, self._thread, self._pid = set(), None, os.getpid()
            self._held.add(path)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="collapse-sweep leases")
                self._thread.start()

    def drop(self, path: str) -> None:
        """Let this lease go; it is not touched again."""
        with self._lock:
            self._held.discard(path)

    def _run(self) -> None:
        beat = 0
        while self._beat(beat := beat + 1):
            time.sleep(self._seconds)

    def _beat(self, number: int) -> bool:
        """Touch every lease held; whether there is any. Holds the lock, so that no released one comes back."""
        with self._lock:
            if not self._held:
                self._thread = None
                return False
            for path in self._held:
                # A lease that others took over, or a server out of reach for a while, is no reason to stop.
                with contextlib.suppress(*self._place.errors):
                    self._place.touch(path, _card(number))
            return True
