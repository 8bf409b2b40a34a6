"""A cache of answers: in this process, and beside it in Redis where one is set.

Belongs here: what a key holds, how values become bytes, that a value is computed once, and how often it was found.
Does not belong here: what is cached and for how long (the caller knows the systems behind it), and Redis
(`shared_cache`).

Values are bytes of JSON or Arrow, which can only be read as data. They are never pickled: unpickling runs what it
reads, and whoever can write into the shared Redis could so run code in every process of the platform.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any, Generic, Protocol, TypeVar

import orjson
from cachetools import TLRUCache

Value = TypeVar("Value")

# Part of every key: raise it when the meaning of what is stored changes.
FORMAT = 1
MOST_BYTES = 64 * 1024 * 1024
# What all processes count may lag behind by so many each: a command per hit would cost more than the hit.
_TELL_AFTER = 100


@dataclass(frozen=True)
class CacheKey:
    """What a value is the answer to, for whom, and on which ground.

    `kind` names what is asked for, `parts` say it in full (text, numbers, booleans, None, dates and moments, lists of
    them). `scope` says who may see the answer: a role or a principal, never left out. `version` stands for everything
    that the answer rests on (the warehouse's state, the flags), and is read *before* the answer is computed.
    """

    kind: str
    scope: str
    version: str
    parts: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if not (self.kind and self.scope and self.version):
            raise ValueError("a key of the cache needs its kind, its scope and its version")

    def digest(self, namespace: str) -> str:
        """The name under which it is stored, from which nobody reads what was asked."""
        content = [FORMAT, namespace, self.kind, self.scope, self.version, self.parts]
        return sha256(orjson.dumps(content, option=orjson.OPT_PASSTHROUGH_SUBCLASS)).hexdigest()


@dataclass(frozen=True)
class Codec(Generic[Value]):
    """How a value becomes bytes and comes back.

    `loads` raises ValueError, TypeError or LookupError for bytes that are no such value. `is_exact` says that what
    comes back equals what went in, so that whoever computed it need not read it back.
    """

    dumps: Callable[[Value], bytes]
    loads: Callable[[bytes], Value]
    is_exact: bool = False


JSON: Codec[Any] = Codec(orjson.dumps, orjson.loads)


def _arrow_bytes(table: Any) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _arrow_table(content: bytes) -> Any:
    import pyarrow as pa

    return pa.ipc.open_stream(content).read_all()  # ArrowInvalid is a ValueError


ARROW: Codec[Any] = Codec(_arrow_bytes, _arrow_table, is_exact=True)


class SharedCache(Protocol):
    """What all processes share. Nothing of it raises, and nothing takes long: where it fails, it has nothing."""

    def get(self, digest: str) -> tuple[bytes, float] | None:
        """The value and for how many seconds it is still good, or None."""
        ...

    def put(self, digest: str, value: bytes, seconds: float) -> None:
        """Keeps a value; returns before it is kept."""
        ...

    def count(self, numbers: Counter[str]) -> None:
        """Adds to the numbers that all processes count together; returns before that is done."""
        ...

    def counted(self) -> Counter[str]:
        """What all processes have counted today (UTC)."""
        ...

    def close(self) -> None:
        """Ends what runs for it."""
        ...


class Found(StrEnum):
    """Where a value came from. `JOINED` waited for another thread that was computing it."""

    HERE = "here"
    SHARED = "shared"
    JOINED = "joined"
    COMPUTED = "computed"
    BYPASSED = "bypassed"


@dataclass(frozen=True)
class CacheStats:
    """How often values were found where, since the process began, or today in all processes that share a Redis."""

    numbers: Counter[str]

    @property
    def asked(self) -> int:
        """How often something was asked for, while the cache was on."""
        return sum(number for name, number in self.numbers.items() if name != Found.BYPASSED)

    @property
    def hit_rate(self) -> float | None:
        """The share of what was asked for that was not computed; None where nothing was."""
        return 1 - self.numbers[Found.COMPUTED] / self.asked if self.asked else None

    def as_json(self) -> dict[str, Any]:
        """The numbers, by where values were found, and the rate."""
        return {**{found.value: self.numbers[found] for found in Found}, "hit_rate": self.hit_rate}


@dataclass(frozen=True)
class _Entry:
    content: bytes
    good_until: float


@dataclass
class _Flight:
    """One computation that others wait for."""

    owner: int
    ended: threading.Event = field(default_factory=threading.Event)
    content: bytes | None = None
    error: Exception | None = None


class Cache:
    """Answers that are not computed twice. Safe for threads.

    `namespace` tells one company's platform from others in the same Redis. `is_enabled` is asked each time; while it
    says no, everything is computed and nothing kept. `on_request` is told of what kind something was asked for, and
    whether it was there; it must not take long.
    """

    def __init__(
        self,
        namespace: str,
        *,
        shared: SharedCache | None = None,
        is_enabled: Callable[[], bool] = lambda: True,
        most_bytes: int = MOST_BYTES,
        clock: Callable[[], float] = time.monotonic,
        on_request: Callable[[str, bool], object] = lambda _kind, _was_there: None,
    ) -> None:
        self._namespace, self._shared, self._is_enabled, self._clock = namespace, shared, is_enabled, clock
        self._on_request = on_request
        self._entries: TLRUCache[str, _Entry] = TLRUCache(
            most_bytes, ttu=lambda _, entry, now: entry.good_until, timer=clock, getsizeof=_size
        )
        self._most_bytes = most_bytes
        self._flights: dict[str, _Flight] = {}
        self._numbers: Counter[str] = Counter()
        self._untold: Counter[str] = Counter()
        self._lock = threading.Lock()

    def get(self, key: CacheKey, seconds: float, compute: Callable[[], Value], codec: Codec[Value] = JSON) -> Value:
        """The value of `key`, kept for `seconds`, else computed. Raises what `compute` raises, and keeps nothing then.

        Threads that ask for the same value meanwhile wait for the one that computes it. Each gets a copy of its own.
        What does not come back from its bytes as it was (a tuple from JSON) comes back changed.
        """
        if not self._is_enabled():
            self._count(Found.BYPASSED)
            return compute()
        digest = key.digest(self._namespace)
        computed: list[Value] = []
        was_there = True

        def content_of_new() -> bytes:
            nonlocal was_there
            was_there = False
            value = compute()
            if codec.is_exact:
                computed.append(value)
            return codec.dumps(value)

        try:
            content = self._content(digest, seconds, content_of_new)
        finally:
            self._on_request(key.kind, was_there)
        if computed:
            return computed[0]
        try:
            return codec.loads(content)
        except (ValueError, TypeError, LookupError):  # another process has kept it, of another release
            self._count(Found.COMPUTED)
            return codec.loads(self._computed(digest, seconds, content_of_new))

    def stats(self, shared: bool = False) -> CacheStats:
        """How often values were found in this process; with `shared`, today in all that share the Redis."""
        with self._lock:
            own = Counter(self._numbers)
        if not shared or self._shared is None:
            return CacheStats(own)
        self._tell()
        return CacheStats(self._shared.counted())

    def close(self) -> None:
        """Tells what was counted, and ends what runs for the shared cache."""
        if self._shared is not None:
            self._tell()
            self._shared.close()

    def _content(self, digest: str, seconds: float, compute: Callable[[], bytes]) -> bytes:
        with self._lock:
            entry = self._entries.get(digest)
            flight = self._flights.get(digest)
            leads = entry is None and flight is None
            if leads:
                flight = self._flights[digest] = _Flight(threading.get_ident())
        if entry is not None:
            self._count(Found.HERE)
            return entry.content
        assert flight is not None
        if leads:
            return self._lead(flight, digest, seconds, compute)
        if flight.owner == threading.get_ident():  # what computes a value asks for it: waiting would be for ever
            return compute()
        self._count(Found.JOINED)
        flight.ended.wait()
        if flight.error is not None:
            raise flight.error
        return compute() if flight.content is None else flight.content

    def _lead(self, flight: _Flight, digest: str, seconds: float, compute: Callable[[], bytes]) -> bytes:
        try:
            shared = self._shared.get(digest) if self._shared is not None else None
            if shared is None:
                self._count(Found.COMPUTED)
                flight.content = self._computed(digest, seconds, compute)
            else:
                self._count(Found.SHARED)
                flight.content, left = shared
                self._keep(digest, flight.content, min(left, seconds))
            return flight.content
        except Exception as error:
            flight.error = error
            raise
        finally:
            with self._lock:
                del self._flights[digest]
            flight.ended.set()

    def _computed(self, digest: str, seconds: float, compute: Callable[[], bytes]) -> bytes:
        content = compute()
        self._keep(digest, content, seconds)
        if self._shared is not None:
            self._shared.put(digest, content, seconds)
        return content

    def _keep(self, digest: str, content: bytes, seconds: float) -> None:
        entry = _Entry(content, self._clock() + seconds)
        if _size(entry) <= self._most_bytes:
            with self._lock:
                self._entries[digest] = entry

    def _count(self, found: Found) -> None:
        with self._lock:
            self._numbers[found] += 1
            if self._shared is None:
                return
            self._untold[found] += 1
            is_enough = self._untold.total() >= _TELL_AFTER
        if is_enough:
            self._tell()

    def _tell(self) -> None:
        with self._lock:
            numbers, self._untold = self._untold, Counter()
        if numbers and self._shared is not None:
            self._shared.count(numbers)


def _size(entry: _Entry) -> int:
    return len(entry.content) + 200  # the key and the entry themselves
