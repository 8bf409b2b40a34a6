"""Keeps a client inside a vendor's request limit before the vendor has to say no.

One limiter stands for one limit of one account and is shared by everything in the process that uses it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from hashlib import blake2b

_MARGIN = 1.03


class RateLimiter:
    """At most `requests` in any `seconds`, counted from when each request is let through. Thread-safe.

    The declared figures are a start; `learn` replaces them by what the vendor's headers say.
    """

    def __init__(self, requests: int, seconds: float) -> None:
        self._limit = requests
        self._seconds = seconds
        self._used_elsewhere = 0
        self._elsewhere_until = 0.0
        self._let_through: deque[float] = deque()
        self._paused_until = 0.0
        self._lock = threading.Lock()

    def acquire(self) -> None:
        """Waits until one more request is allowed, and counts it."""
        while (wait := self._try()) > 0:
            time.sleep(wait)

    def pause(self, seconds: float) -> None:
        """Lets nothing through for that long: the vendor has asked for it."""
        with self._lock:
            self._paused_until = max(self._paused_until, time.monotonic() + seconds)

    def learn(self, *, limit: int, seconds: float, remaining: int | None = None) -> None:
        """Takes over the vendor's own figures; what others on the account have used is left to them."""
        if limit <= 0 or seconds <= 0:
            return
        with self._lock:
            now = time.monotonic()
            # A request is counted when it arrives, not when it leaves: a little more than the interval is safe.
            self._limit, self._seconds = limit, seconds * _MARGIN
            self._forget(now)
            if remaining is not None:
                self._used_elsewhere = min(max(0, limit - remaining - len(self._let_through)), limit - 1)
                self._elsewhere_until = now + self._seconds

    def _try(self) -> float:
        with self._lock:
            now = time.monotonic()
            if now < self._paused_until:
                return self._paused_until - now
            self._forget(now)
            others = self._used_elsewhere if now < self._elsewhere_until else 0
            allowed = self._limit - others
            if len(self._let_through) < allowed:
                self._let_through.append(now)
                return 0.0
            free_at = self._let_through[0] + self._seconds if self._let_through else self._elsewhere_until
            if others:
                free_at = min(free_at, self._elsewhere_until)
            return max(free_at - now, 0.001)

    def _forget(self, now: float) -> None:
        while self._let_through and self._let_through[0] <= now - self._seconds:
            self._let_through.popleft()


_shared: dict[tuple[str, str, str], RateLimiter] = {}
_shared_lock = threading.Lock()


def shared_limiter(base_url: str, credential: str, limit_name: str, *, requests: int, seconds: float) -> RateLimiter:
    """The process's one limiter for a named limit of the account behind `credential` at `base_url`."""
    key = (base_url, blake2b(credential.encode(), digest_size=8).hexdigest(), limit_name)
    with _shared_lock:
        return _shared.setdefault(key, RateLimiter(requests, seconds))
