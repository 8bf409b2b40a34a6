"""What is known of one request limit, kept in a few fixed bytes: in a file that processes share, or in memory.

Belongs here: how the figures lie in those bytes, who may change them when, and that they survive a kill,
a reboot and a clock that is set. Does not belong here: what the figures mean (`limiter`).
"""

from __future__ import annotations

import fcntl
import math
import os
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

# A window is counted in this many slots, so that a limit of any size takes the same few bytes.
SLOTS = 256
_MAGIC = b"SOPHLIM1"
_LAYOUT = struct.Struct(f"<8s8s11dq{SLOTS}d")

# Counts on while the machine sleeps, where the system has such a clock, and is never set by anybody.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> float:
    """Seconds on a clock that all processes of the machine share, from its start on."""
    return time.clock_gettime(_CLOCK)


@dataclass
class LimitState:
    """The figures of one limit. Moments are seconds of `now()`, 0 where there is none.

    `slots` holds what was let through, in slots of `seconds / (SLOTS - 1)`; `newest` is the number of
    the newest slot since the clock's start (before it, where it is negative), at place `newest % SLOTS`. `declared` and
    `declared_seconds` are what the code says of the limit, `limit` and `seconds` what is known by now.
    """

    declared: float
    declared_seconds: float
    limit: float
    seconds: float
    paused_until: float = 0.0
    elsewhere: float = 0.0
    elsewhere_until: float = 0.0
    remaining: float = 0.0
    resets_at: float = 0.0
    newest: int = 0
    slots: list[float] = field(default_factory=lambda: [0.0] * SLOTS)


class LimitStore:
    """Gives one user at a time the state; what they change is there for the next.

    `file` None keeps it in this process; `declared` 0 takes a file's limit as it lies there. Raises OSError
    where the file cannot be made or opened; where it fails later, the state goes on in memory.
    """

    def __init__(self, declared: float, seconds: float, file: Path | None = None) -> None:
        self._declared, self._seconds, self._file = declared, seconds, file
        self._threads = threading.Lock()
        self._memory: LimitState | None = None
        self._pid = 0
        self._descriptor = -1
        if file is not None:
            self._open(file)

    @contextmanager
    def locked(self) -> Iterator[LimitState]:
        """The state, for this thread of this process alone until the block ends."""
        with self._threads:
            if self._file is None:
                self._memory = self._memory or self._fresh()
                yield self._memory
                return
            if self._pid != os.getpid():
                # A forked child shares its parent's lock, and would not be kept out by it.
                self._open(self._file)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            while os.fstat(self._descriptor).st_nlink == 0:
                # Removed as unused meanwhile: what others use by now is another file of the same name.
                os.close(self._descriptor)
                self._pid = 0
                self._open(self._file)
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            try:
                state = self._load()
                yield state
                self._save(state)
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Closes the file; a later use opens it again."""
        with self._threads:
            if self._pid == os.getpid():
                os.close(self._descriptor)
            self._pid = 0

    def _open(self, file: Path) -> None:
        self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._pid = os.getpid()

    def _fresh(self) -> LimitState:
        return LimitState(self._declared, self._seconds, self._declared, self._seconds)

    def _load(self) -> LimitState:
        """The state as it lies there; a fresh one where it is none, or where the code declares another limit."""
        stored = os.pread(self._descriptor, _LAYOUT.size, 0)
        if len(stored) != _LAYOUT.size:
            return self._fresh()
        magic, boot, saved_at, saved_clock, *rest = _LAYOUT.unpack(stored)
        figures, newest, slots = rest[:9], rest[9], rest[10:]
        if magic != _MAGIC or not _is_sane(figures, newest, slots, saved_at, saved_clock):
            return self._fresh()
        state = LimitState(*(*figures, newest, slots))
        if self._declared and (state.declared, state.declared_seconds) != (self._declared, self._seconds):
            fresh = self._fresh()
            fresh.paused_until = state.paused_until
            return fresh
        moment = now()
        if boot != _boot() or saved_clock > moment + 1:
            _shift_over_reboot(state, saved_at, saved_clock, moment)
        return state

    def _save(self, state: LimitState) -> None:
        stored = _LAYOUT.pack(
            _MAGIC, _boot(), time.time(), now(),
            state.declared, state.declared_seconds, state.limit, state.seconds, state.paused_until,
            state.elsewhere, state.elsewhere_until, state.remaining, state.resets_at, state.newest, *state.slots,
        )  # fmt: skip
        try:
            os.pwrite(self._descriptor, stored, 0)
        except OSError:  # the disk is full: this process at least keeps to the limit
            self._file, self._memory = None, state


def _is_sane(figures: list[float], newest: int, slots: list[float], *saved: float) -> bool:
    if not all(map(math.isfinite, (*figures, *slots, *saved))) or min(figures) < 0:
        return False
    declared, declared_seconds, limit, seconds = figures[:4]
    return min(declared, declared_seconds, limit, seconds) > 0 and min(slots) >= 0


def _shift_over_reboot(state: LimitState, saved_at: float, saved_clock: float, moment: float) -> None:
    """Moves what is still to come onto the new clock; the time of day says how long the machine was away.

    A clock that was set back meanwhile counts as no time at all: better too late than too early.
    """
    shift = moment - saved_clock - max(0.0, time.time() - saved_at)
    for name in ("paused_until", "elsewhere_until", "resets_at"):
        value = getattr(state, name)
        setattr(state, name, max(0.0, value + shift) if value else 0.0)
    width = state.seconds / (SLOTS - 1)
    moved = int((state.newest * width + shift) // width) + 1
    ordered = [state.slots[number % SLOTS] for number in range(state.newest - SLOTS + 1, state.newest + 1)]
    state.newest = moved
    for place, count in enumerate(ordered):
        state.slots[(moved - SLOTS + 1 + place) % SLOTS] = count


_boot_id: bytes | None = None


def _boot() -> bytes:
    """What tells this start of the machine from others; the same for all where the system does not say."""
    global _boot_id
    if _boot_id is None:
        try:
            text = Path("/proc/sys/kernel/random/boot_id").read_bytes()
        except OSError:
            text = b""
        _boot_id = blake2b(text, digest_size=8).digest()
    return _boot_id
