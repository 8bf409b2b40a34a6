"""Which span of cursor time a load reads."""

from __future__ import annotations

from datetime import datetime, timedelta

from sophia_assets.sources.declarations import Window
from sophia_assets.warehouse.interface import TableState


def window_for(
    state: TableState | None,
    partition: Window,
    *,
    lookback: timedelta,
    history_start: datetime | None = None,
) -> Window:
    """The window to read for `partition`, a span of whole days with both ends given.

    - Never loaded: everything from `history_start` (None: from the beginning) to the partition's end.
    - An older partition than the newest loaded one (a backfill): exactly the partition's span.
    - Otherwise: from where loading has got to, or the partition's start if that is earlier, less
      `lookback` for what arrives late, to the partition's end.
    """
    if state is None:
        return Window(history_start, partition.end)
    if partition.end < state.loaded_through:
        return partition
    start = state.loaded_through if partition.start is None else min(state.loaded_through, partition.start)
    start -= lookback
    return Window(max(start, history_start) if history_start else start, partition.end)
