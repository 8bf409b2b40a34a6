"""Counting requests: all of a client's, and those of one read among several that share the client."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class RequestCount:
    """How many requests were made. Thread-safe."""

    def __init__(self) -> None:
        self.number = 0
        self._lock = threading.Lock()

    def add(self) -> None:
        """Counts one request, here and for the read in whose block it is made."""
        with self._lock:
            self.number += 1
        read = _read.get()
        if read is not None and read is not self:
            read.add()

    @contextmanager
    def of_this_read(self) -> Iterator[None]:
        """While in this block, requests count here too; those of its `Workers` included."""
        token = _read.set(self)
        try:
            yield
        finally:
            _read.reset(token)


_read: ContextVar[RequestCount | None] = ContextVar("read", default=None)
