"""One lock per warehouse file, held across processes and threads: one writer, or any number of readers.

DuckDB lets one process write, refuses readers elsewhere meanwhile, and cannot open a file for reading
and for writing at once in one process. Taking this lock around every short connection avoids all three.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sophia_assets.errors import WarehouseBusy

_POLL_SECONDS = 0.005


class FileLock:
    """A shared/exclusive lock on `<path>.lock`, freed by the operating system when its holder dies."""

    def __init__(self, path: Path, *, wait_seconds: float) -> None:
        self.path = path.with_name(path.name + ".lock")
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
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._acquire(descriptor, kind)
            yield descriptor
        finally:
            # Closing frees the lock: each acquisition has a descriptor of its own.
            os.close(descriptor)

    def _acquire(self, descriptor: int, kind: int) -> None:
        deadline = time.monotonic() + self.wait_seconds
        while True:
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise self._busy() from None
                time.sleep(_POLL_SECONDS)

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
