"""The part of the cache that all processes share: Redis by URL, and what keeps its troubles away from the caller.

Belongs here: commands, time-outs, being left alone after a failure. Does not belong here: keys and values (`cache`).
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import blake2b
from queue import Full, Queue
from typing import TYPE_CHECKING, Any, TypeVar

from sophia_assets.errors import ConfigurationError
from sophia_assets.telemetry.logs import get_logger

if TYPE_CHECKING:
    from redis import Redis

Result = TypeVar("Result")

PREFIX = "sophia:cache:"
# How long a caller waits for Redis at most; in the same building it answers within one millisecond.
PATIENCE_S = 0.05
# How long it is left alone after a failure, doubled with each failed try after that.
LEFT_ALONE_S, LONGEST_S = 5.0, 60.0
# A larger value would not come within the patience, and would hold others up.
MOST_BYTES = 4 * 1024 * 1024
_WAITING = 1_000
_SEAL = 16
_DAYS_COUNTED = 8

_log = get_logger(__name__)


class RedisCache:
    """Values in Redis. Safe for threads; nothing raises, and no call waits longer than `patience_s`.

    All commands are sent by one thread of its own: a time-out per packet bounds neither the look-up of a name nor an
    answer that drips. After a failure, no call is made for a while; then one tries.
    """

    def __init__(
        self, url: str, *, patience_s: float = PATIENCE_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Contacts nothing yet. Raises ConfigurationError for a URL that the client does not take."""
        from redis.exceptions import ResponseError

        self._redis, self._refusals, self._told = _client(url, patience_s), (ResponseError,), set[str]()
        self._patience_s, self._clock = patience_s, clock
        self._calls: Queue[_Call | None] = Queue(_WAITING)
        self._lock = threading.Lock()
        self._worker: threading.Thread | None = None
        self._try_at, self._pause_s, self._epoch = 0.0, 0.0, 0

    def get(self, digest: str) -> tuple[bytes, float] | None:
        """The value and for how many seconds it is still good, or None."""

        def read(redis: Redis) -> list[Any]:
            with redis.pipeline(transaction=False) as pipe:
                pipe.get(PREFIX + digest)
                pipe.pttl(PREFIX + digest)
                return pipe.execute()

        sealed, left_ms = self._ask(read) or (None, None)
        content = _unsealed(digest, sealed)
        return None if content is None or not isinstance(left_ms, int) or left_ms <= 0 else (content, left_ms / 1000)

    def put(self, digest: str, value: bytes, seconds: float) -> None:
        """Keeps a value; returns before it is kept. One that is too large is not kept."""
        if len(value) <= MOST_BYTES:
            sealed = _seal(digest, value) + value
            self._send(lambda redis: redis.set(PREFIX + digest, sealed, px=max(1, int(seconds * 1000))))

    def count(self, numbers: Counter[str]) -> None:
        """Adds to the numbers of today (UTC); returns before that is done."""
        name = _counted_today()

        def add(redis: Redis) -> None:
            with redis.pipeline(transaction=False) as pipe:
                for field, number in numbers.items():
                    pipe.hincrby(name, str(field), number)
                pipe.expire(name, _DAYS_COUNTED * 86_400)
                pipe.execute()

        self._send(add)

    def counted(self) -> Counter[str]:
        """What all processes have counted today (UTC); empty where Redis does not answer."""
        found: Any = self._ask(lambda redis: redis.hgetall(_counted_today()))
        return Counter({str(name, "utf-8"): int(number) for name, number in (found or {}).items()})

    def close(self) -> None:
        """Lets what was sent be kept, for as long as a caller would wait, and ends the thread."""
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None and worker.is_alive():
            try:
                self._calls.put_nowait(None)
            except Full:
                return
            worker.join(self._patience_s)

    def _ask(self, command: Callable[[Redis], Result]) -> Result | None:
        """What `command` gives, or None: it failed, took too long, or Redis is left alone."""
        call = self._send(command)
        if call is None:
            return None
        if not call.ended.wait(self._patience_s):
            call.is_given_up = True
            self._failed(call.epoch, "no answer in time")
            return None
        result: Result | None = call.result
        return result

    def _send(self, command: Callable[[Redis], Any]) -> _Call | None:
        with self._lock:
            now = self._clock()
            if now < self._try_at:
                return None
            if self._pause_s:
                self._try_at = now + self._pause_s  # this one tries; the others go on without until it has succeeded
            if self._worker is None or not self._worker.is_alive():
                self._worker = threading.Thread(target=self._work, name="shared-cache", daemon=True)
                self._worker.start()
            call = _Call(command, self._epoch)
        try:
            self._calls.put_nowait(call)
        except Full:
            self._failed(call.epoch, "it is too slow")
            return None
        return call

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            # What was sent before a failure would wait for a failure of its own.
            if not call.is_given_up and call.epoch == self._epoch:
                self._carry_out(call)
            call.ended.set()

    def _carry_out(self, call: _Call) -> None:
        try:
            call.result = call.command(self._redis)
        except self._refusals as error:  # it answers, and takes no more, say: that costs no time
            self._refused(type(error).__name__)
        except Exception as error:  # a server that is none may make the client raise anything
            self._redis.connection_pool.disconnect()
            self._failed(call.epoch, type(error).__name__)
        else:
            self._succeeded(call.epoch)

    def _succeeded(self, epoch: int) -> None:
        with self._lock:
            if epoch != self._epoch or not self._pause_s:
                return
            self._pause_s = self._try_at = 0.0
        _log.info("the shared cache answers again")

    def _refused(self, what: str) -> None:
        with self._lock:
            is_first = what not in self._told
            self._told.add(what)
        if is_first:
            _log.warning("the shared cache refuses a command (%s); each process uses its own", what)

    def _failed(self, epoch: int, why: str) -> None:
        with self._lock:
            if epoch != self._epoch:
                return  # of a failure that is known
            self._epoch += 1
            is_first = not self._pause_s
            self._pause_s = min(self._pause_s * 2 or LEFT_ALONE_S, LONGEST_S)
            self._try_at = self._clock() + self._pause_s
        if is_first:
            _log.warning("the shared cache is not used for a while (%s); each process uses its own", why)


class _Call:
    """A command, and what became of it. `epoch` tells before which failure it was sent."""

    def __init__(self, command: Callable[[Redis], Any], epoch: int) -> None:
        self.command, self.epoch = command, epoch
        self.ended = threading.Event()
        self.is_given_up = False
        self.result: Any = None


def _client(url: str, patience_s: float) -> Redis:
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    try:
        return Redis.from_url(
            url,
            socket_timeout=patience_s,
            socket_connect_timeout=patience_s,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            lib_name=None,
            lib_version=None,
            max_connections=1,
        )
    except (ValueError, TypeError):  # its text holds the URL, which holds a password
        raise ConfigurationError(
            "SOPHIA_CACHE_URL is no address of a Redis", remedy="Write it as redis://:password@host:6379/0"
        ) from None


def _seal(digest: str, value: bytes) -> bytes:
    """Binds a value to its key: an answer to another question, or a torn one, is none."""
    return blake2b(digest.encode() + value, digest_size=_SEAL).digest()


def _unsealed(digest: str, sealed: object) -> bytes | None:
    if not isinstance(sealed, bytes) or len(sealed) < _SEAL:
        return None
    value = sealed[_SEAL:]
    return value if _seal(digest, value) == sealed[:_SEAL] else None


def _counted_today() -> str:
    return f"{PREFIX}counted:{datetime.now(UTC):%Y-%m-%d}"
