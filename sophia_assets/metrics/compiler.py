"""Compiles a metric to one SQL query over all the periods that are wanted of it.

The query is written in Snowflake's dialect and transpiled for other engines. Times in `valid` columns
are UTC; periods are business days.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from sophia_assets.metrics.catalog import Dimension, Metric
from sophia_assets.metrics.facts import Period
from sophia_assets.metrics.filters import Filter

if TYPE_CHECKING:
    from sqlglot import Expr
    from sqlglot.expressions import Select


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


@dataclass(frozen=True)
class Narrowing:
    """Which rows count at all: those that meet every filter, and those that whoever asks may see.

    `condition` is SQL in Snowflake's dialect over the alias `t`; None lets all rows through.
    """

    filters: tuple[Filter, ...] = ()
    condition: str | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether every row counts."""
        return not self.filters and self.condition is None


EVERY_ROW = Narrowing()


def compile_metric(
    metric: Metric,
    dimension: Dimension | None,
    periods: Sequence[MeasuredPeriod],
    *,
    dialect: str,
    narrowing: Narrowing = EVERY_ROW,
    dimensions: Mapping[str, Dimension] | None = None,
    pretty: bool = False,
) -> CompiledMetric:
    """The query in `dialect` (`duckdb`, `snowflake`) for `metric`, whole or by `dimension`, for each of `periods`.

    `metric` is a flow or a stock; `dimensions` are those that the filters of `narrowing` name. `pretty` spreads the
    query over lines, for people.
    """
    # The periods read the same in both dialects; translating them anew each time would take longer than the query.
    head, body = f"WITH p AS ({_spans(periods)}) ", _body(metric, dimension)
    extra = narrowing_sql(narrowing, dimensions or {}, dialect)
    together = "".join([head, body, *extra])
    sql = _translated(head + body, dialect, extra, pretty=True) if pretty else head + _translated(body, dialect, extra)
    return CompiledMetric(sql=sql, hash=hashlib.sha256(together.encode()).hexdigest()[:16])


def compile_rows(
    metric: Metric,
    period: MeasuredPeriod,
    columns: Sequence[str],
    *,
    dialect: str,
    narrowing: Narrowing = EVERY_ROW,
    dimensions: Mapping[str, Dimension] | None = None,
    dimension: Dimension | None = None,
    order_by: Sequence[tuple[str, str]] = (),
    limit: int | None = None,
) -> str:
    """The rows that the metric counts in a period: `columns` of its table; without any, how many there are as `total`.

    With `dimension`, only those that belong to any of its entities. `order_by` are columns with how each is sorted
    (such as ` DESC`).
    """
    chosen = ", ".join(f"t.{column}" for column in columns) if columns else "COUNT(*) AS total"
    conditions = [*_row_conditions(metric), *([f"t.{dimension.id} IS NOT NULL"] if dimension else [])]
    select = f"SELECT {chosen} FROM p INNER JOIN {metric.table} AS t ON {' AND '.join(conditions)}"
    if columns and order_by:
        select += f" ORDER BY {', '.join(f't.{column}{way}' for column, way in order_by)}"
    if columns and limit is not None:
        select += f" LIMIT {limit:d}"
    extra = narrowing_sql(narrowing, dimensions or {}, dialect)
    return _translated(f"WITH p AS ({_spans([period])}) {select}", dialect, extra, pretty=True)


def narrowing_sql(narrowing: Narrowing, dimensions: Mapping[str, Dimension], dialect: str) -> tuple[str, ...]:
    """The conditions of a narrowing in `dialect`, over the alias `t`; values are quoted as literals.

    Raises KeyError for a filter by a dimension that is not among `dimensions`.
    """
    found = [_filter_sql(dimensions[each.dimension].id, each, dialect) for each in narrowing.filters]
    if narrowing.condition is not None:
        found.append(_condition_sql(narrowing.condition, dialect))
    return tuple(found)


def _spans(periods: Iterable[MeasuredPeriod]) -> str:
    return " UNION ALL ".join(
        f"SELECT {_literal(measured.period.key)} AS period_key, CAST('{measured.period.start}' AS DATE) AS "
        f"period_start, CAST('{measured.period.end}' AS DATE) AS period_end, "
        f"CAST('{measured.known_until.isoformat(sep=' ')}' AS TIMESTAMP) AS known_until"
        for measured in periods
    )


def _literal(key: str) -> str:
    """The key of a period, which reads the same in every dialect."""
    if not key.replace(".", "").replace("_", "").replace("-", "").isalnum() or not key.isascii():
        raise ValueError(f"{key!r} is no key of a period")
    return f"'{key}'"


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
def _translated(query: str, dialect: str, extra: tuple[str, ...] = (), *, pretty: bool = False) -> str:
    """A query of Snowflake's dialect in another one; `extra` are conditions in that one, which its rows must meet."""
    import sqlglot

    select: Select = _parsed(query).copy()
    for condition in extra:
        select = select.where(sqlglot.parse_one(condition, read=dialect), copy=False)
    return str(select.sql(dialect=dialect, pretty=pretty))


@lru_cache(maxsize=1024)
def _parsed(query: str) -> Select:
    import sqlglot
    from sqlglot import exp

    parsed = sqlglot.parse_one(query, read="snowflake")
    assert isinstance(parsed, exp.Select)
    return parsed


@lru_cache(maxsize=1024)
def _condition_sql(condition: str, dialect: str) -> str:
    """A condition of Snowflake's dialect in another one, as one operand."""
    import sqlglot
    from sqlglot import exp

    parsed: Expr = sqlglot.parse_one(condition, read="snowflake", into=exp.Condition)
    return exp.paren(parsed, copy=False).sql(dialect=dialect)


def _filter_sql(column: str, given: Filter, dialect: str) -> str:
    """One filter over the alias `t`: no value is ever a part of the SQL but as a literal of its dialect."""
    from sqlglot import exp

    by = exp.column(column, table="t")
    # No engine stores a text with a zero character, and none reads one.
    values = [exp.Literal.string(value) for value in given.ids if "\0" not in value]
    chosen: Expr = exp.In(this=by, expressions=values) if values else exp.false()
    if given.is_excluded:
        chosen = exp.or_(exp.not_(chosen), exp.Is(this=by.copy(), expression=exp.null())) if values else exp.true()
    return exp.paren(chosen).sql(dialect=dialect)


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
