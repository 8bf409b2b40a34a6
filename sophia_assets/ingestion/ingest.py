"""One load: read a group of tables for a window, merge it, say what happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from hashlib import blake2b
from types import TracebackType
from typing import Any, Self

from sophia_assets.errors import ConfigurationError, ResponseInvalid
from sophia_assets.ingestion.prefetch import prefetched
from sophia_assets.ingestion.request_count import RequestCount
from sophia_assets.ingestion.waiting import WaitEnded
from sophia_assets.ingestion.windows import window_for
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Checkpoint, ReadItem, Source, Table, Window
from sophia_assets.warehouse.interface import Load, LoadKey, LoadResult, PendingLoad, Progress, Unfinished, Warehouse

_PAGES_AHEAD = 4
_STILL_CURRENT = timedelta(hours=1)


def group_window(
    system: str,
    group: str,
    partition: Window,
    warehouse: Warehouse,
    *,
    history_start: datetime | None = None,
    now: datetime | None = None,
    account: str = "",
) -> Window:
    """The window that loading `group` for `partition` should read, given what the warehouse already holds.

    A load of the same partition and account that an earlier process left unfinished is gone on with, in its window.
    Where one of the group's tables was never loaded, the whole group is read from the beginning. For `now` see
    `window_for`.
    """
    tables = _tables(system, group)
    with warehouse.session():
        states = [warehouse.table_state(table.qualified_name) for table in tables]
        lookback = max(table.lookback for table in tables)
        known = [state for state in states if state is not None]
        least = min(known, key=lambda state: state.loaded_through) if len(known) == len(states) else None
        window = window_for(least, partition, lookback=lookback, history_start=history_start, now=now)
        left = unfinished_load(LoadKey(system, group, partition, account), warehouse, window)
    return left.window if left else window


def unfinished_load(key: LoadKey, warehouse: Warehouse, window: Window) -> Unfinished | None:
    """The load of `key` that an earlier process left behind and that should be gone on with.

    One whose data was committed counts only while reading `window` would tell little more.
    """
    left = warehouse.unfinished(key, _tables(key.system, key.group))
    if left is not None and left.is_committed and window.end - left.window.end > _STILL_CURRENT:
        return None
    return left


def ingest_group(
    source: Source,
    group: str,
    window: Window,
    warehouse: Warehouse,
    *,
    run_id: str,
    progress: Progress | None = None,
    partition: Window | None = None,
    account: str = "",
) -> list[LoadResult]:
    """Reads `group` from `source` for `window` and merges it in one transaction; one result per table.

    See `begin_group`. Raises a SourceError or WarehouseBusy; the warehouse then holds what it held before.
    """
    with begin_group(source, group, window, warehouse, run_id=run_id, partition=partition, account=account) as pending:
        pending.read(progress)
        return pending.merge()


def begin_group(
    source: Source,
    group: str,
    window: Window,
    warehouse: Warehouse,
    *,
    run_id: str,
    partition: Window | None = None,
    account: str = "",
    before_page: Callable[[], None] = lambda: None,
) -> GroupLoad:
    """The load of `group` from `source` for `window`, to be read now and merged later.

    `partition` is the span that was asked for (default: the window itself). Where an earlier process was killed
    while loading the same group and partition of the same `account` (see `LoadKey`), its read is gone on with, in
    its window, behind its last checkpoint. Repeating a load under the same `run_id` after it was committed reads
    nothing and returns what was recorded. `before_page` is called before each page, and ends the read by raising.
    """
    key = LoadKey(source.system, group, partition or window, account)
    load_id = _load_id(run_id, key, window)
    left = unfinished_load(key, warehouse, window)
    if left is not None:
        window, load_id = left.window, left.load_id
    requests = RequestCount()
    load = Load(
        id=load_id,
        run_id=run_id,
        tables=_tables(source.system, group),
        window=window,
        requests=lambda: requests.number,
        key=key,
    )
    return GroupLoad(source, group, window, warehouse.begin(load), requests, before_page)


class GroupLoad:
    """One group's load between its read and its merge. Leaving its block keeps what was read for later, or frees it."""

    def __init__(
        self,
        source: Source,
        group: str,
        window: Window,
        pending: PendingLoad,
        requests: RequestCount,
        before_page: Callable[[], None],
    ) -> None:
        self._source, self._group, self._window = source, group, window
        self._pending = pending
        self._requests = requests
        self._before_page = before_page
        self.seconds = 0.0
        """How long it was read and merged, without what it waited in between."""

    @property
    def requests_made(self) -> int:
        """How many requests the read has made."""
        return self._requests.number

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Whoever had the read stopped wants to go on with it, which is no failure.
        failure = None if isinstance(error, WaitEnded) else error
        self._pending.__exit__(kind if failure else None, failure, traceback)

    def read(self, progress: Progress | None = None) -> None:
        """Reads onto disk. Raises a SourceError, or WaitEnded where the read is no longer wanted."""

        def items(position: Any) -> Generator[ReadItem, None, None]:
            with prefetched(self._pages(position), ahead=_PAGES_AHEAD) as found:
                yield from found

        with self._timed(), self._requests.of_this_read():
            self._pending.read(items, progress)

    def _pages(self, position: Any) -> Generator[ReadItem, None, None]:
        with closing(_read(self._source, self._group, self._window, position)) as found:
            for item in found:
                yield item
                if isinstance(item, Checkpoint):
                    self._before_page()

    def merge(self, run_id: str | None = None) -> list[LoadResult]:
        """See `PendingLoad.merge`."""
        with self._timed():
            return self._pending.merge(run_id)

    @contextmanager
    def _timed(self) -> Generator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds += time.monotonic() - began


def _read(source: Source, group: str, window: Window, position: Any) -> Generator[ReadItem, None, None]:
    """What the source yields; an answer that is shaped otherwise than its API promises becomes ResponseInvalid."""
    try:
        yield from source.read(group, window) if position is None else source.read(group, window, resume=position)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        # The message may quote a value of the answer, and this one reaches logs and the briefing.
        detail = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else type(error).__name__
        raise ResponseInvalid(
            f"an answer is not shaped as expected ({detail})",
            system=source.system,
            obj=group,
            remedy="Run again; if it lasts, compare the answer with the API's documentation",
        ).with_traceback(error.__traceback__) from error


def _tables(system: str, group: str) -> tuple[Table, ...]:
    try:
        return registry.groups(system)[group]
    except KeyError:
        raise ConfigurationError(
            f"{system} has no group {group!r}", remedy=f"Use one of {', '.join(registry.groups(system))}"
        ) from None


def _load_id(run_id: str, key: LoadKey, window: Window) -> str:
    start = window.start.isoformat() if window.start else ""
    text = "|".join((run_id, key.system, key.group, start, window.end.isoformat(), key.account))
    return blake2b(text.encode(), digest_size=16).hexdigest()
