"""The read of messages: which channels, their pages, the threads on a page, and where to go on after a kill."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, time, timedelta
from functools import partial
from threading import Event
from typing import Any

from sophia_assets.errors import ResponseInvalid
from sophia_assets.ingestion.waiting import waits_end_with
from sophia_assets.ingestion.workers import Workers
from sophia_assets.sources.declarations import Checkpoint, ReadItem, ReplacedChildren, Rows, Window
from sophia_assets.sources.slack.api import INVALID_CURSOR, Item, Page, SlackApi, misshapen
from sophia_assets.sources.slack.rows import as_ts, day_places, message_row, microseconds, thread_place

# A reply does not move its parent: this far before the window, parents are looked through for new replies.
PARENT_WINDOW = timedelta(days=30)

_AT_ONCE = 3
_MOST_RESTARTS = 2
_TICK = timedelta(microseconds=1)
# A channel that was left, deleted or made private since it was listed.
_NOT_READABLE = frozenset({"not_in_channel", "channel_not_found"})
_THREAD_GONE = "thread_not_found"
_JOINS = frozenset({"channel_join", "group_join"})

Fetch = Callable[[], Page]
Submit = Callable[[Fetch], "Future[Page]"]


@dataclass(frozen=True)
class _Place:
    """Where a read goes on. `page` is the cursor of the page at hand, `done` the thread on it that was read last,
    `thread` and `replies` a thread that has been begun and its next page. `older` says that the channel is being
    read from before the window's parents, `joined` that it will be; `finished` that nothing of it is left."""

    channel: str
    finished: bool = False
    joined: bool = False
    older: bool = False
    page: str = ""
    done: str = ""
    thread: str = ""
    replies: str = ""

    @classmethod
    def of(cls, position: Any) -> _Place | None:
        """The place that a checkpoint's position stands for; None, the beginning, where it is none of this version."""
        kinds = {name: type(value) for name, value in asdict(cls("")).items()}
        if not isinstance(position, Mapping) or not position.get("channel"):
            return None
        known = all(type(value) is kinds.get(name) for name, value in position.items())
        return cls(**position) if known else None

    def checkpoint(self) -> Checkpoint:
        return Checkpoint({name: value for name, value in asdict(self).items() if value})


@dataclass(frozen=True)
class _Thread:
    """A thread to be read: its first message's id, and its newest reply's as microseconds, where it is known."""

    ts: str
    latest: int | None


class MessageReader:
    """One read of the workspace's messages for one window; `channels` lists what there is."""

    def __init__(self, api: SlackApi, window: Window, channels: Callable[[], list[Item]]) -> None:
        self._api, self._window, self._channels = api, window, channels
        start, end = window.start, window.end.astimezone(UTC)
        # A midnight, so that every day from there on is seen whole.
        self._lower = None if start is None else datetime.combine(start.astimezone(UTC) - PARENT_WINDOW, time(), UTC)
        self._end = end
        self._start_micros = None if start is None else microseconds(as_ts(start))
        self._end_micros = microseconds(as_ts(end))
        self._made: dict[str, Any] = {}
        self._me: Any = None

    def read(self, resume: Any) -> Iterator[ReadItem]:
        """Everything of one channel after the other, in the order of their ids."""
        if self._window.start is not None and self._window.start >= self._window.end:
            return
        place = _Place.of(resume)
        self._made = {
            str(found["id"]): found.get("created") for found in self._channels() if self._is_to_be_read(found)
        }
        left = sorted(self._made)
        if place is not None:
            left = [c for c in left if c > place.channel or (c == place.channel and not place.finished)]
        with _workers() as submit:
            begun: dict[str, Future[Page]] = {}
            for number, channel in enumerate(left):
                here = place if place is not None and place.channel == channel else _Place(channel)
                for other in left[number : number + _AT_ONCE]:
                    if other not in begun and (other != channel or here == _Place(channel)):
                        begun[other] = submit(partial(self._history_page, _Place(other), ""))
                first = begun.pop(channel, None)
                yield from self._channel(here, first, submit)

    def _is_to_be_read(self, channel: Item) -> bool:
        """The bot must be in it; an archived one does not change any more once it has been read."""
        if not channel.get("is_member", channel.get("is_private")):
            return False
        updated, start = channel.get("updated"), self._start_micros
        return not (channel.get("is_archived") and start and isinstance(updated, int) and updated * 1000 < start)

    def _channel(self, here: _Place, first: Future[Page] | None, submit: Submit) -> Iterator[ReadItem]:
        restarts = 0
        while True:
            try:
                yield from self._spans(here, first, submit)
                break
            except ResponseInvalid as error:
                if error.code in _NOT_READABLE:
                    break
                if error.code != INVALID_CURSOR or restarts == _MOST_RESTARTS:
                    raise
            # Cursors cannot be renewed: the channel begins again, since merging by key takes rows twice.
            here, first, restarts = _Place(here.channel), None, restarts + 1
        yield _Place(here.channel, finished=True).checkpoint()

    def _spans(self, here: _Place, first: Future[Page] | None, submit: Submit) -> Iterator[ReadItem]:
        if not here.older:
            joined = yield from self._pages(here, first, submit)
            if not joined:
                return
            here, first = _Place(here.channel, older=True), None
            yield here.checkpoint()
        yield from self._pages(here, first, submit)

    def _pages(self, here: _Place, first: Future[Page] | None, submit: Submit) -> Generator[ReadItem, None, bool]:
        """The channel's pages from `here` on; returns whether the bot has joined it within the window."""
        page = first.result() if first else self._history_page(here, here.page)
        seen: set[str] = set()
        while True:
            messages = self._checked(page.items)
            yield Rows("messages", [message_row(here.channel, message) for message in messages])
            yield ReplacedChildren("messages", "listed_in", _without_thread(here.channel, messages))
            if not here.older:
                here = replace(here, joined=here.joined or any(map(self._is_own_arrival, messages)))
            yield from self._threads(here, messages, submit)
            if not page.next_cursor:
                yield ReplacedChildren("messages", "listed_in", self._days(here, messages))
                return here.joined
            seen.add(here.page)
            here = replace(here, page=page.next_cursor, done="", thread="", replies="")
            if here.page in seen:
                raise misshapen("repeats a page's cursor", "messages")
            yield here.checkpoint()
            page = self._history_page(here, here.page)

    def _days(self, here: _Place, oldest: Sequence[Item]) -> list[str]:
        """The channel's days that have been read whole; `oldest` are the last messages that came."""
        lower, end = (None, self._lower) if here.older else (self._lower, self._end)
        if lower is None:
            # The channel's own beginning; messages that were imported into it may be older.
            seconds = [self._made.get(here.channel), *(m["ts"].partition(".")[0] for m in oldest)]
            known = [t for s in seconds if (t := microseconds(str(s))) is not None]
            if not known:
                return []
            lower = datetime.combine(datetime.fromtimestamp(min(known) // 1_000_000, UTC), time(), UTC)
        return day_places(here.channel, lower, end or self._end)

    def _threads(self, here: _Place, messages: Sequence[Item], submit: Submit) -> Iterator[ReadItem]:
        """The replies of the page's threads, newest thread first, those of `here` that are done left out."""
        threads = self._threads_to_read(messages, every=here.older)
        done = microseconds(here.done)
        left = deque(t for t in threads if done is None or (microseconds(t.ts) or 0) < done)
        begun: deque[Future[Page] | None] = deque()
        ahead = iter(list(left))
        while left:
            while len(begun) < min(_AT_ONCE, len(left)):
                thread = next(ahead)
                fetch = partial(self._replies_page, here.channel, thread.ts, "")
                begun.append(None if thread.ts == here.thread else submit(fetch))
            thread, first = left.popleft(), begun.popleft()
            try:
                yield from self._thread(here, thread, first)
            except ResponseInvalid as error:
                if error.code != _THREAD_GONE:
                    raise
            here = replace(here, done=thread.ts, thread="", replies="")
            yield here.checkpoint()

    def _thread(self, here: _Place, thread: _Thread, first: Future[Page] | None) -> Iterator[ReadItem]:
        cursor = here.replies if first is None else ""
        page = first.result() if first else self._replies_page(here.channel, thread.ts, cursor)
        seen = {cursor}
        while True:
            # The thread's first message is repeated; what it says here it said in the channel's history.
            replies = [reply for reply in self._checked(page.items) if reply["ts"] != thread.ts]
            yield Rows("messages", [message_row(here.channel, reply) for reply in replies])
            if not page.next_cursor:
                break
            if page.next_cursor in seen:
                raise misshapen("repeats a page's cursor", "messages")
            seen.add(page.next_cursor)
            yield replace(here, thread=thread.ts, replies=page.next_cursor).checkpoint()
            page = self._replies_page(here.channel, thread.ts, page.next_cursor)
        if thread.latest is not None and self._end_micros is not None and thread.latest < self._end_micros:
            yield ReplacedChildren("messages", "listed_in", [thread_place(here.channel, thread.ts)])

    def _threads_to_read(self, messages: Sequence[Item], *, every: bool) -> list[_Thread]:
        """Those that may have replies since the window's start, newest first."""
        found: dict[int, _Thread] = {}
        for message in messages:
            ts = microseconds(message["ts"])
            if ts is None or not (message.get("reply_count") or message.get("thread_ts") == message["ts"]):
                continue
            latest = microseconds(message.get("latest_reply"))
            if every or self._start_micros is None or latest is None or latest >= self._start_micros:
                found[ts] = _Thread(message["ts"], latest)
        return [found[ts] for ts in sorted(found, reverse=True)]

    def _is_own_arrival(self, message: Item) -> bool:
        if message.get("subtype") not in _JOINS:
            return False
        ts = microseconds(message["ts"])
        if ts is None or self._start_micros is None or ts < self._start_micros:
            return False
        if self._me is None:
            self._me = self._api.whoami().get("user_id")
        return bool(message.get("user") == self._me)

    def _checked(self, messages: Sequence[Item]) -> list[Item]:
        """The messages that were posted before the window's end. Raises ResponseInvalid for one without an id."""
        if not all(isinstance(message.get("ts"), str) for message in messages):
            raise misshapen("answered with a message without an id", "messages")
        times = [microseconds(message["ts"]) for message in messages]
        end = self._end_micros
        return [m for m, ts in zip(messages, times, strict=True) if ts is None or end is None or ts < end]

    def _history_page(self, here: _Place, cursor: str) -> Page:
        lower, end = (None, self._lower) if here.older else (self._lower, self._end)
        return self._page("conversations.history", _bounds(lower, end or self._end) | {"channel": here.channel}, cursor)

    def _replies_page(self, channel: str, ts: str, cursor: str) -> Page:
        asked = _bounds(None, self._end) | {"channel": channel, "ts": ts}
        return self._page("conversations.replies", asked, cursor)

    def _page(self, method: str, params: Mapping[str, Any], cursor: str) -> Page:
        return self._api.page(method, "messages", obj="messages", params=params, cursor=cursor)


def _bounds(lower: datetime | None, end: datetime) -> dict[str, Any]:
    """[lower, end) for Slack, which takes either both ends in or neither."""
    bounds: dict[str, Any] = {"latest": as_ts(end - _TICK), "inclusive": True}
    return bounds if lower is None else bounds | {"oldest": as_ts(lower)}


def _without_thread(channel: str, messages: Sequence[Item]) -> list[str]:
    """Where replies of the messages without any would be listed: whatever was there has been deleted."""
    return [thread_place(channel, m["ts"]) for m in messages if not m.get("reply_count") and not m.get("thread_ts")]


@contextmanager
def _workers() -> Iterator[Submit]:
    """Fetches pages beside the reader. What waits ends with the block, and with the waits of whoever submits."""
    ended = Event()
    pool = Workers(_AT_ONCE, thread_name_prefix="slack")

    def submit(fetch: Fetch) -> Future[Page]:
        def run() -> Page:
            with waits_end_with(ended):
                return fetch()

        return pool.submit(run)

    try:
        yield submit
    finally:
        ended.set()
        pool.shutdown(wait=False, cancel_futures=True)
