"""Compiles a metric to one SQL query over all the periods that are wanted of it.

The query is written in Snowflake's dialect and transpiled for other engines. Times in `valid` columns
are UTC; periods are business days.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sophia_assets.metrics.catalog import Dimension, Metric
from sophia_assets.metrics.facts import Period


@dataclass(frozen=True)
class MeasuredPeriod:
    """A period, and the moment (naive UTC) up to which changes count as known."""

    period: Period
    known_until: datetime


@dataclass(frozen=True)
class CompiledMetric:
    """A query that gives `period_key`, `entity_id`, `entity`, `value`; `hash` identifies it in evidence."""

    sql: str
    hash: str


def compile_metric(
    metric: Metric,
    dimension: Dimension | None,
    periods: Sequence[MeasuredPeriod],
    *,
    dialect: str,
    pretty: bool = False,
) -> CompiledMetric:
    """The query in `dialect` (`duckdb`, `snowflake`) for `metric`, whole or by `dimension`, for each of `periods`.

    `metric` is a flow or a stock; `pretty` spreads the query over lines, for people.
    """
    spans = " UNION ALL ".join(
        f"SELECT '{measured.period.key}' AS period_key, CAST('{measured.period.start}' AS DATE) AS period_start, "
        f"CAST('{measured.period.end}' AS DATE) AS period_end, "
        f"CAST('{measured.known_until.isoformat(sep=' ')}' AS TIMESTAMP) AS known_until"
        for measured in periods
    )
    # The periods read the same in both dialects; translating them anew each time would take longer than the query.
    head, body = f"WITH p AS ({spans}) ", _body(metric, dimension)
    return CompiledMetric(
        sql=_translated(head + body, dialect, pretty=True) if pretty else head + _translated(body, dialect),
        hash=hashlib.sha256((head + body).encode()).hexdigest()[:16],
    )


def _body(metric: Metric, dimension: Dimension | None) -> str:
    """The query over `p`, the periods, in Snowflake's dialect."""
    entity_id = f"t.{dimension.id}" if dimension else "NULL"
    entity = f"MIN(t.{dimension.column})" if dimension else "NULL"
    conditions = [*_row_conditions(metric), *([f"t.{dimension.id} IS NOT NULL"] if dimension else [])]
    grouping = f"p.period_key, {entity_id}" if dimension else "p.period_key"
    return (
        f"SELECT p.period_key, {entity_id} AS entity_id, {entity} AS entity, {metric.expression} AS value "
        f"FROM p INNER JOIN {metric.table} AS t ON {' AND '.join(conditions)} "
        f"GROUP BY {grouping}"
    )


@lru_cache(maxsize=1024)
def _translated(query: str, dialect: str, *, pretty: bool = False) -> str:
    """A query of Snowflake's dialect in another one."""
    import sqlglot

    return str(sqlglot.parse_one(query, read="snowflake").sql(dialect=dialect, pretty=pretty))


def _row_conditions(metric: Metric) -> list[str]:
    conditions = []
    if metric.time:
        conditions.append(f"t.{metric.time} BETWEEN p.period_start AND p.period_end")
    if metric.valid:
        since, until = metric.valid
        conditions.append(f"t.{since} < p.known_until AND (t.{until} IS NULL OR t.{until} >= p.known_until)")
    if metric.covers:
        first, after_last = metric.covers
        conditions.append(f"t.{first} <= p.period_end")
        if after_last:
            conditions.append(f"(t.{after_last} IS NULL OR t.{after_last} > p.period_end)")
    if metric.where:
        conditions.append(f"({metric.where})")
    return conditions or ["TRUE"]
