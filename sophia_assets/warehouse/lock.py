"""One lock per warehouse file, held across processes and threads: one writer, or any number of readers.

DuckDB lets one process write, refuses readers elsewhere meanwhile, and cannot open a file for reading
and for writing at once in one process. Taking this lock around every short connection avoids all three.

Whoever wants the lock first passes a gate, one at a time. A writer stays in the gate until the readers before it have
left, so that readers who keep coming cannot hold it up; it leaves the gate when it has the lock, so that readers
and writers who come meanwhile take turns.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sophia_assets.errors import WarehouseBusy

_SHORTEST_POLL, _LONGEST_POLL = 0.001, 0.02


class FileLock:
    """A shared/exclusive lock on `<path>.lock`, freed by the operating system when its holder dies."""

    def __init__(self, path: Path, *, wait_seconds: float) -> None:
        self.path = path.with_name(path.name + ".lock")
        self._gate = path.with_name(path.name + ".gate.lock")
        self.wait_seconds = wait_seconds

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Held by one writer. Raises WarehouseBusy after the bounded wait."""
        with self._held(fcntl.LOCK_EX) as descriptor:
            holder = json.dumps({"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")})
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, holder.encode(), 0)
            yield

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Held by any number of readers. Raises WarehouseBusy after the bounded wait."""
        with self._held(fcntl.LOCK_SH):
            yield

    @contextmanager
    def _held(self, kind: int) -> Iterator[int]:
        deadline = time.monotonic() + self.wait_seconds
        with ExitStack() as files:
            descriptor = self._opened(self.path, files)
            with ExitStack() as passing:
                self._acquire(self._opened(self._gate, passing), fcntl.LOCK_EX, deadline)
                self._acquire(descriptor, kind, deadline)
            yield descriptor

    @staticmethod
    def _opened(path: Path, files: ExitStack) -> int:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        # Closing frees the lock: each acquisition has a descriptor of its own.
        files.callback(os.close, descriptor)
        return descriptor

    def _acquire(self, descriptor: int, kind: int, deadline: float) -> None:
        poll = _SHORTEST_POLL
        while True:
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise self._busy() from None
                time.sleep(random.uniform(0, poll))
                poll = min(2 * poll, _LONGEST_POLL)

    def _busy(self) -> WarehouseBusy:
        try:
            holder = json.loads(self.path.read_text())
            pid, since = int(holder["pid"]), str(holder["since"])
        except (OSError, ValueError, KeyError, TypeError):
            who = "another process"
        else:
            who = "this process" if pid == os.getpid() else f"process {pid}"
            who = f"{who} (writing since {since})" if _alive(pid) else "a reader"
        return WarehouseBusy(
            f"the warehouse has been in use by {who} for more than {self.wait_seconds:g} s",
            remedy="Wait for it to finish, or end that process, then run this again; nothing was changed",
        )


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
