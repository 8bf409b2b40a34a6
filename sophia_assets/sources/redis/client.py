"""Reads a product's Redis into rows: hashes and counters by scanning for keys, a stream by its ids.

Only commands that read are used. SCAN promises that a key which is there all the time is found at least once,
by one and the same server process: its cursors mean nothing to another, so that a scan begins again where the
connection broke and the process behind it is, or may be, a new one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sophia_assets.errors import ResponseInvalid
from sophia_assets.ingestion.limiter import IN_PROCESS, Limiters
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.sources.declarations import (
    Checkpoint,
    CompleteSet,
    Notice,
    ReadItem,
    ReplacedChildren,
    Rows,
    Window,
)
from sophia_assets.sources.permissions import Told
from sophia_assets.sources.redis.permissions import permissions
from sophia_assets.sources.redis.rows import (
    EntryId,
    account_row,
    daily_rows,
    entry_id,
    event_row,
    fields,
    first_millisecond,
    id_text,
    moment_of,
    text,
)
from sophia_assets.sources.redis.scan import Scan
from sophia_assets.sources.redis.session import RedisConnection, Refusal, Server, Session, unexpected
from sophia_assets.sources.redis.tables import CLOCK_SKEW, SYSTEM

_STREAM_PAGE = 1_000
# Fields that one pipeline of daily hashes should bring: what is in memory at a time.
_DAILY_FIELDS = 20_000
_MOST_DAYS = 100

CONNECTION = RedisConnection


def create_source(
    connection: RedisConnection, *, retry: RetryPolicy | None = None, limiters: Limiters = IN_PROCESS
) -> RedisSource:
    """A client for the server; nothing is contacted, nor the client library imported, yet."""
    return RedisSource(connection, retry=retry, limiters=limiters)


class RedisSource:
    """A product's Redis as a `Source`. Each read has a connection of its own, so threads do not meet."""

    system = SYSTEM

    def __init__(
        self, connection: RedisConnection, *, retry: RetryPolicy | None = None, limiters: Limiters = IN_PROCESS
    ) -> None:
        self._server = Server(connection, retry or RetryPolicy(), limiters)
        self._prefix = connection.prefix

    @property
    def requests_made(self) -> int:
        """Pipelines so far, repeated ones included."""
        return self._server.requester.requests_made

    def permissions(self) -> Iterator[Told]:
        """What the user may do, tried on keys that need not be there. Raises a SourceError."""
        with self._server.session() as session:
            yield from permissions(session, self._prefix)

    def ping(self) -> str:
        """See `Source.ping`."""
        with self._server.session() as session:
            [keys] = session.ask([("DBSIZE",)], obj="database")
        if isinstance(keys, Refusal):
            raise unexpected(keys, "database")
        return f"Redis answers at {self._server.address} and accepts the login ({keys} keys)"

    def close(self) -> None:
        """Ends waits."""
        self._server.requester.close()

    def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
        """See `Source.read`. Accounts and totals are read whole; daily counters by day; events by their ids."""
        position = resume if isinstance(resume, Mapping) else {}
        with self._server.session() as session:
            match group:
                case "accounts":
                    yield from self._hashes(session, position)
                case "counters":
                    yield from self._counters(session, position)
                case "daily":
                    yield from self._daily(session, window, position)
                case "events":
                    yield from self._events(session, window, position)
                case _:
                    raise KeyError(group)

    def _hashes(self, session: Session, position: Mapping[str, Any]) -> Iterator[ReadItem]:
        prefix, obj = f"{self._prefix}account:", "account_usage"
        for keys, reached in Scan(session, prefix, obj).batches(position):
            held, notices = self._held(session, "HGETALL", prefix, keys, obj)
            yield from notices
            yield Rows(obj, [account_row(name, fields(flat)) for name, flat in held if flat])
            yield Checkpoint(reached)
        yield CompleteSet(obj)

    def _counters(self, session: Session, position: Mapping[str, Any]) -> Iterator[ReadItem]:
        prefix, obj = f"{self._prefix}total:", "totals"
        for keys, reached in Scan(session, prefix, obj).batches(position):
            held, notices = self._held(session, "GET", prefix, keys, obj)
            yield from notices
            yield Rows(obj, [{"counter": name, "value": text(value)} for name, value in held if value is not None])
            yield Checkpoint(reached)
        yield CompleteSet(obj)

    def _held(
        self, session: Session, command: str, prefix: str, keys: Sequence[bytes], obj: str
    ) -> tuple[list[tuple[str, Any]], list[Notice]]:
        """What each key holds, by its name without the prefix; keys of another type are left out, and noticed."""
        if not keys:
            return [], []
        answers = session.ask([(command, key) for key in keys], obj=obj)
        usable = []
        others = 0
        for key, answer in zip(keys, answers, strict=True):
            if not isinstance(answer, Refusal):
                usable.append((text(key[len(prefix.encode()) :]), answer))
            elif answer.code == "WRONGTYPE":
                others += 1
            else:
                raise unexpected(answer, obj)
        said = f"{others} of the keys under {prefix} hold another type of value and were left out"
        return usable, [Notice(obj, said)] if others else []

    def _daily(self, session: Session, window: Window, position: Mapping[str, Any]) -> Iterator[ReadItem]:
        """The window's days in order. A day whose hash is gone has expired, which takes nothing back."""
        prefix, obj = f"{self._prefix}daily:", "daily_usage"
        days = [day for day in self._days(session, window, prefix) if day.isoformat() > position.get("day", "")]
        most = 1
        while days:
            batch, days = days[:most], days[most:]
            held, notices = self._held(session, "HGETALL", prefix, [f"{prefix}{day}".encode() for day in batch], obj)
            yield from notices
            found = {name: flat for name, flat in held if flat}
            for name, flat in found.items():
                yield Rows(obj, daily_rows(date.fromisoformat(name), flat))
            yield ReplacedChildren(obj, "day", [date.fromisoformat(name) for name in found])
            yield Checkpoint({"day": batch[-1].isoformat()})
            largest = max((len(flat) // 2 for flat in found.values()), default=1)
            most = min(_MOST_DAYS, max(1, _DAILY_FIELDS // largest), 2 * most)

    def _days(self, session: Session, window: Window, prefix: str) -> list[date]:
        """The days whose midnight is in the window: all there are where it has no start."""
        end = window.end.astimezone(UTC)
        if window.start is None:
            keys = (key for batch, _ in Scan(session, prefix, "daily_usage").batches({}) for key in batch)
            days = {_day(text(key[len(prefix.encode()) :])) for key in keys}
            return sorted(day for day in days if day is not None and _midnight(day) < end)
        first = window.start.astimezone(UTC).date()
        span = range((end.date() - first).days + 1)
        days_of_window = [first + timedelta(days=number) for number in span]
        return [day for day in days_of_window if window.start <= _midnight(day) < end]

    def _events(self, session: Session, window: Window, position: Mapping[str, Any]) -> Iterator[ReadItem]:
        """The window's entries in order; an entry is in the window by its id, whatever clock made it."""
        key = f"{self._prefix}events"
        after = entry_id(position["after"]) if "after" in position else None
        last = first_millisecond(window.end) - 1
        start: EntryId = (first_millisecond(window.start), 0) if window.start else (0, 0)
        # Up to here an earlier load has read.
        known = None if window.start is None else (start[0] + CLOCK_SKEW // timedelta(milliseconds=1), 0)
        while True:
            # An id that is one higher, since servers before 6.2 know no exclusive bound.
            begin = id_text((after[0], after[1] + 1)) if after else id_text(start)
            page = ("XRANGE", key, begin, str(last), "COUNT", _STREAM_PAGE)
            # What is trimmed before the page is read shows in what is asked for behind it.
            entries, about = session.ask([page, ("XINFO", "STREAM", key)], obj="events")
            if isinstance(entries, Refusal):
                raise _no_stream(key) if entries.code == "WRONGTYPE" else unexpected(entries, "events")
            yield from self._trimmed(key, after or known, about, last)
            found = [(entry_id(entry[0]), entry[1]) for entry in entries]
            # An entry that is deleted while it is looked up has no fields.
            yield Rows("events", [event_row(identifier, fields(flat)) for identifier, flat in found if flat])
            if found:
                after = found[-1][0]
                yield Checkpoint({"after": id_text(after)})
            if len(found) < _STREAM_PAGE:
                return

    def _trimmed(self, key: str, known: EntryId | None, about: Any, last: int) -> Iterator[Notice]:
        """Says so where the stream has lost entries that nobody had read: none may be missing without a word."""
        if known is None or isinstance(about, Refusal):
            return
        facts = {text(name): value for name, value in zip(about[::2], about[1::2], strict=True)}
        if facts.get("entries-added", -1) == facts["length"]:
            return  # Nothing has ever been taken out of it.
        oldest = facts.get("first-entry")
        begins = entry_id(oldest[0]) if oldest else entry_id(facts["last-generated-id"])
        if known < begins and known[0] <= last:
            yield Notice(
                "events",
                f"{key} holds nothing from between {moment_of(known)} and {moment_of(begins)}: entries that were "
                "added then were trimmed before they could be read, and are lost. Load more often, or let the stream "
                "keep more (MAXLEN)",
            )


def _no_stream(key: str) -> ResponseInvalid:
    return ResponseInvalid(
        f"{key} is no stream", system=SYSTEM, obj="events", remedy="Check REDIS_PREFIX and the number in REDIS_URL"
    )


def _day(name: str) -> date | None:
    """The day in a key's name; None for a name that is no day."""
    try:
        day = date.fromisoformat(name)
    except ValueError:
        return None
    return day if day.isoformat() == name else None


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
