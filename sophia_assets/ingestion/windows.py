"""Which span of cursor time a load reads."""

from __future__ import annotations

from datetime import datetime, timedelta

from sophia_assets.sources.declarations import Window
from sophia_assets.warehouse.interface import TableState

_DAY = timedelta(days=1)


def window_for(
    state: TableState | None,
    partition: Window,
    *,
    lookback: timedelta,
    history_start: datetime | None = None,
    now: datetime | None = None,
) -> Window:
    """The window to read for `partition`, a span of whole days with both ends given.

    - Never loaded: everything from `history_start` (None: from the beginning).
    - The newest days: from where loading has got to, or the partition's start if that is earlier, less
      `lookback` for what arrives late.
    - An older partition than the newest loaded one (a backfill): exactly the partition's span.

    The first two end at `now`, where that is given and later than the partition's end: a record that was
    touched after the day has ended must not be missing from the day. The end is fixed before reading.
    """
    end = max(partition.end, now) if now else partition.end
    if state is None:
        return Window(history_start, end)
    is_last_day = now is not None and partition.end + _DAY > now
    if partition.end < state.loaded_through and not is_last_day:
        return partition
    start = state.loaded_through if partition.start is None else min(state.loaded_through, partition.start)
    start -= lookback
    return Window(max(start, history_start) if history_start else start, end)
