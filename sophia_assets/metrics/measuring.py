"""Measures a metric in the warehouse: one query for all periods that are wanted, exact decimals back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sophia_assets.errors import ConfigurationError, SophiaError
from sophia_assets.metrics import derived
from sophia_assets.metrics.catalog import Catalog, Metric
from sophia_assets.metrics.compiler import EVERY_ROW, CompiledMetric, MeasuredPeriod, Narrowing, compile_metric
from sophia_assets.metrics.facts import Period
from sophia_assets.sources import registry
from sophia_assets.warehouse.models import Model, required_tables
from sophia_assets.warehouse.reading import QueryRefused, Readable

MONDAY_TO_FRIDAY = frozenset(range(5))


@dataclass(frozen=True)
class FactContext:
    """For which day facts are computed, and on what ground.

    `loaded_through` gives, per raw table that has ever been loaded, up to when (UTC) it was read; a
    metric that rests on a table without one yields no fact, since nothing is known, not zero.
    `known_since` gives, per raw table that keeps versions, since when (UTC) it does: of a day that ended before,
    nothing is known that its system does not tell itself.
    `history_start` is the first day with data; nothing is compared to a time before it.
    `working_days` are weekdays, Monday is 0.
    """

    day: date
    timezone: str
    history_start: date
    loaded_through: Mapping[str, datetime]
    fiscal_year_start_month: int = 1
    working_days: frozenset[int] = MONDAY_TO_FRIDAY
    known_since: Mapping[str, datetime] | None = None

    @property
    def zone(self) -> ZoneInfo:
        """The business time zone."""
        return ZoneInfo(self.timezone)

    def end_of(self, day: date) -> datetime:
        """Midnight at the end of a business day, as naive UTC."""
        local = datetime.combine(day + timedelta(days=1), time(), self.zone)
        return local.astimezone(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class Row:
    """What a query gave for an entity; no `exact` where rows count, but none of them has a value: that is not zero."""

    entity: str
    exact: Decimal | None


Measured = tuple[CompiledMetric, dict[str, dict[Any, Row]]]
"""The query, and per period key the row of each entity id (None for the whole company)."""


class Measuring:
    """Measures the metrics of a catalog for one day's facts."""

    def __init__(
        self, warehouse: Readable, catalog: Catalog, models: Mapping[str, Model], context: FactContext
    ) -> None:
        self.catalog, self.context = catalog, context
        self._warehouse, self._models = warehouse, models
        self._versioned = {
            table.qualified_name for table in registry.tables() if table.keeps_versions and not table.carries_back
        }

    def sources(self, metric: Metric) -> tuple[str, ...]:
        """The raw tables without which the metric means nothing, sorted."""
        tables = self.catalog.tables_of(metric)
        return tuple(sorted({raw for table in tables for raw in required_tables(table, self._models)}))

    def unknown_since(self, metric: Metric, day: date) -> tuple[str, datetime] | None:
        """The table, and the moment (UTC) since which it is known, that keep a stock of `day` from being known."""
        since: dict[str, datetime] = {}
        end = self.context.end_of(day).replace(tzinfo=UTC)
        for part in self.catalog.parts(metric):
            tables = required_tables(part.table, self._models)
            if part.snapshot:
                read = {table: self.context.loaded_through[table] for table in tables or self.context.loaded_through}
                # What stands now is what stood on the newest day that was read, and on no day before.
                since |= {table: read_to for table, read_to in read.items() if read_to > end + timedelta(days=1)}
            elif part.kind == "stock":
                known = self.context.known_since or {}
                held = self._versioned.intersection(tables, known)
                since |= {table: known[table] for table in held if end <= known[table]}
        return max(since.items(), key=lambda item: (item[1], item[0]), default=None)

    def measured_period(self, metric: Metric, period: Period) -> MeasuredPeriod:
        """The period with the moment up to which changes count as known."""
        # What a flow counts is judged by what is known now; what a stock was, by what was known then.
        return MeasuredPeriod(period, self.context.end_of(self.context.day if metric.kind == "flow" else period.end))

    def measure(
        self, metric: Metric, dimension: str | None, periods: Sequence[Period], narrowing: Narrowing = EVERY_ROW
    ) -> Measured:
        """The metric's values of the rows that count, whole or by `dimension`, in each of `periods`.

        Raises ConfigurationError where the catalog's block cannot be computed.
        """
        if metric.kind == "ratio":
            return self._ratio(metric, dimension, periods, narrowing)
        query = compile_metric(
            metric,
            self.catalog.dimensions[dimension] if dimension else None,
            [self.measured_period(metric, period) for period in periods],
            dialect=self._warehouse.dialect,
            narrowing=narrowing,
            dimensions=self.catalog.dimensions,
        )
        found: dict[str, dict[Any, Row]] = {}
        try:
            result = self._warehouse.query(query.sql).rename_columns(["period_key", "entity_id", "entity", "value"])
        except QueryRefused as error:
            raise self._wrong_block(metric, error) from error
        except SophiaError:
            raise
        except Exception as error:
            raise self._wrong_block(metric, error) from error
        for row in result.to_pylist():
            exact = None if row["value"] is None else Decimal(str(row["value"]))
            name = " ".join(str(row["entity"]).split())
            found.setdefault(row["period_key"], {})[row["entity_id"]] = Row(name, exact)
        return query, found

    def _wrong_block(self, metric: Metric, error: Exception) -> ConfigurationError:
        return ConfigurationError(
            f"the metric {metric.name} cannot be computed: {str(error).splitlines()[0]}",
            remedy="`sophia metrics check` says what its block in the catalog may use",
        )

    def _ratio(
        self, metric: Metric, dimension: str | None, periods: Sequence[Period], narrowing: Narrowing
    ) -> Measured:
        above, below = self.catalog.parts(metric)
        by_opening = divides_by_opening(above, below)
        query_above, found_above = self.measure(above, dimension, periods, narrowing)
        query_below, found_below = self.measure(
            below, dimension, [opening(period) for period in periods] if by_opening else periods, narrowing
        )
        found: dict[str, dict[Any, Row]] = {}
        for period in periods:
            if by_opening and self.lacks_opening(below, period):
                continue
            over, under = found_above.get(period.key, {}), found_below.get(period.key, {})
            found[period.key] = {
                entity_id: Row(
                    (over.get(entity_id) or under.get(entity_id) or _NO_ROW).entity,
                    derived.ratio(_exact(above, over.get(entity_id)), _exact(below, under.get(entity_id))),
                )
                for entity_id in ({**under, **over} if dimension else {None: None})
            }
        together = hashlib.sha256(f"{query_above.hash} {query_below.hash}".encode()).hexdigest()[:16]
        return CompiledMetric(f"{query_above.sql};\n{query_below.sql}", together), found

    def lacks_opening(self, below: Metric, period: Period) -> bool:
        """Whether it is not known how the stock below a flow stood when the period began."""
        begins = period.start <= self.context.history_start
        return begins or self.unknown_since(below, opening(period).end) is not None


_NO_ROW = Row("", None)


def _exact(part: Metric, row: Row | None) -> Decimal | None:
    return row.exact if row else (Decimal(0) if part.is_additive else None)


def divides_by_opening(above: Metric, below: Metric) -> bool:
    """Whether a ratio measures what happened in a period by what stood before it."""
    return above.kind == "flow" and below.kind == "stock"


def opening(period: Period) -> Period:
    """The end of the day before a period, under the period's key: where a stock stood when the period began."""
    day = period.start - timedelta(days=1)
    return Period(period.key, day, day, period.label)
