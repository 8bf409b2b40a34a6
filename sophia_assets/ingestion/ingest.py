"""One load: read a group of tables for a window, merge it, say what happened."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from hashlib import blake2b

from sophia_assets.errors import ConfigurationError, ResponseInvalid
from sophia_assets.ingestion.prefetch import prefetched
from sophia_assets.ingestion.windows import window_for
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import ReadItem, Source, Table, Window
from sophia_assets.warehouse.interface import Load, LoadResult, Progress, Warehouse

_PAGES_AHEAD = 4


def group_window(
    system: str,
    group: str,
    partition: Window,
    warehouse: Warehouse,
    *,
    history_start: datetime | None = None,
    now: datetime | None = None,
) -> Window:
    """The window that loading `group` for `partition` should read, given what the warehouse already holds.

    Where one of the group's tables was never loaded, the whole group is read from the beginning. For
    `now` see `window_for`.
    """
    tables = _tables(system, group)
    states = [warehouse.table_state(table.qualified_name) for table in tables]
    lookback = max((table.lookback for table in tables if table.cursor), default=timedelta(0))
    known = [state for state in states if state is not None]
    least = min(known, key=lambda state: state.loaded_through) if len(known) == len(states) else None
    return window_for(least, partition, lookback=lookback, history_start=history_start, now=now)


def ingest_group(
    source: Source,
    group: str,
    window: Window,
    warehouse: Warehouse,
    *,
    run_id: str,
    progress: Progress | None = None,
) -> list[LoadResult]:
    """Reads `group` from `source` for `window` and merges it in one transaction; one result per table.

    Repeating it under the same `run_id` after it was committed reads nothing and returns what was
    recorded. Raises a SourceError or WarehouseBusy; the warehouse then holds what it held before.
    """
    requests_before = source.requests_made
    load = Load(
        id=_load_id(run_id, source.system, group, window),
        run_id=run_id,
        tables=_tables(source.system, group),
        window=window,
        requests=lambda: source.requests_made - requests_before,
    )
    with prefetched(_read(source, group, window), ahead=_PAGES_AHEAD) as items:
        return warehouse.load(load, items, progress)


def _read(source: Source, group: str, window: Window) -> Generator[ReadItem, None, None]:
    """What the source yields; an answer that is shaped otherwise than its API promises becomes ResponseInvalid."""
    try:
        yield from source.read(group, window)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        # The message may quote a value of the answer, and this one reaches logs and the briefing.
        detail = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else type(error).__name__
        raise ResponseInvalid(
            f"an answer is not shaped as expected ({detail})",
            system=source.system,
            obj=group,
            remedy="Run again; if it lasts, compare the answer with the API's documentation",
        ) from error


def _tables(system: str, group: str) -> tuple[Table, ...]:
    try:
        return registry.groups(system)[group]
    except KeyError:
        raise ConfigurationError(
            f"{system} has no group {group!r}", remedy=f"Use one of {', '.join(registry.groups(system))}"
        ) from None


def _load_id(run_id: str, system: str, group: str, window: Window) -> str:
    start = window.start.isoformat() if window.start else ""
    text = "|".join((run_id, system, group, start, window.end.isoformat()))
    return blake2b(text.encode(), digest_size=16).hexdigest()
