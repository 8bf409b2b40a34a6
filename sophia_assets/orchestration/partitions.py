"""Daily and weekly partitions in the business time zone, and the span of days that a run is for."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import dagster as dg

from sophia_assets.sources.declarations import Window


def daily_partitions(start: date, timezone: str) -> dg.DailyPartitionsDefinition:
    """One partition per business day from `start` to the last complete day."""
    return dg.DailyPartitionsDefinition(start_date=start.isoformat(), timezone=timezone)


def weekly_partitions(start: date, timezone: str) -> dg.WeeklyPartitionsDefinition:
    """One partition per whole week from the first Monday on or after `start`: its key is the Monday."""
    return dg.WeeklyPartitionsDefinition(start_date=start.isoformat(), timezone=timezone, day_offset=1)


def days_of(context: dg.AssetExecutionContext) -> list[str]:
    """The run's partition keys: one, or a whole range, oldest first."""
    return list(context.partition_keys)


def last_day_of(context: dg.AssetExecutionContext) -> date:
    """The run's partition as a business day; the last one of a range."""
    last_moment: datetime = context.partition_time_window.end - timedelta(seconds=1)
    return last_moment.date()


def days_before(context: dg.AssetExecutionContext) -> list[str]:
    """The partition keys of all days before the run's first one."""
    keys = list(context.assets_def.partitions_def.get_partition_keys())
    return keys[: keys.index(context.partition_key_range.start)]


def days_between(context: dg.AssetExecutionContext, span: Window) -> list[str]:
    """The run's partition keys that lie in `span`."""
    partitions = context.assets_def.partitions_def
    assert isinstance(partitions, dg.TimeWindowPartitionsDefinition)
    starts = ((day, partitions.time_window_for_partition_key(day).start) for day in days_of(context))
    return [day for day, start in starts if (span.start is None or span.start <= start) and start < span.end]
