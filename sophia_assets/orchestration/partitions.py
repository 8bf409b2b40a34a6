"""Daily partitions in the business time zone, and the span of days that a run is for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import dagster as dg

from sophia_assets.sources.declarations import Window


def daily_partitions(start: date, timezone: str) -> dg.DailyPartitionsDefinition:
    """One partition per business day from `start` to the last complete day."""
    return dg.DailyPartitionsDefinition(start_date=start.isoformat(), timezone=timezone)


def span_of(context: dg.AssetExecutionContext) -> Window:
    """The cursor time (UTC) of the run's partition, or of its whole range of partitions."""
    window = context.partition_time_window
    return Window(window.start.astimezone(UTC), window.end.astimezone(UTC))


def last_day_of(context: dg.AssetExecutionContext) -> date:
    """The run's partition as a business day; the last one of a range."""
    last_moment: datetime = context.partition_time_window.end - timedelta(seconds=1)
    return last_moment.date()


def days_before(context: dg.AssetExecutionContext) -> list[str]:
    """The partition keys of all days before the run's first one."""
    keys = list(context.assets_def.partitions_def.get_partition_keys())
    return keys[: keys.index(context.partition_key_range.start)]
