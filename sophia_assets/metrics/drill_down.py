"""The rows behind a figure: those of the model that it counts, and where they come from.

Belongs here: what finds a figure's rows again, the rows, their origin, and rows as CSV. Does not belong here: which
rows and columns somebody may see (`access.policies`), measuring (`on_demand`).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

import orjson

from sophia_assets.errors import ConfigurationError
from sophia_assets.metrics.catalog import Catalog, Metric
from sophia_assets.metrics.compiler import Narrowing, compile_rows
from sophia_assets.metrics.descriptions import systems_of
from sophia_assets.metrics.facts import Fact, Period
from sophia_assets.metrics.filters import Filter
from sophia_assets.metrics.measuring import Measuring, divides_by_opening, opening
from sophia_assets.metrics.on_demand import Unmeasurable, refuse_unfit
from sophia_assets.plain_text import visible
from sophia_assets.sources import registry
from sophia_assets.warehouse.models import Model, load_models
from sophia_assets.warehouse.reading import Reading

MOST_ROWS = 10_000
"""More rows are never given at once."""
_MOST_FILTERS, _MOST_IDS, _MOST_CHARACTERS = 8, 200, 300
_NAMES = ("metric", "start", "end", "period_key", "dimension", "entity_id", "filters")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,79}")
_PERIOD_KEY = re.compile(r"[a-z][a-z0-9_.-]{0,79}")
# What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class EvidenceInvalid(ConfigurationError):
    """Parameters that do not find any figure's rows."""


@dataclass(frozen=True)
class Evidence:
    """What finds a figure's rows again. `start` and `end` are business days, both included.

    With a `dimension`, the rows are those of the entity `entity_id`, or where that is None, of any entity. Filters go
    by their ids alone: what they are called is not part of it.
    """

    metric: str
    start: date
    end: date
    period_key: str
    dimension: str | None = None
    entity_id: str | None = None
    filters: tuple[Filter, ...] = ()

    def __post_init__(self) -> None:
        bare = tuple(Filter(each.dimension, each.ids, each.ids, each.is_excluded) for each in self.filters)
        object.__setattr__(self, "filters", bare)

    @classmethod
    def of(cls, fact: Fact, filters: Sequence[Filter] = ()) -> Evidence:
        """That of a fact, which was narrowed by `filters`."""
        dimension = next(iter(fact.entity_ids), None) if fact.rank is not None else None
        entity_id = fact.entity_ids[dimension] if dimension else None
        period = fact.period
        return cls(fact.metric, period.start, period.end, period.key, dimension, entity_id, tuple(filters))

    def as_parameters(self) -> dict[str, str]:
        """The same as texts, for an address; what is not set is left out."""
        found = {
            "metric": self.metric,
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "period_key": self.period_key,
        }
        if self.dimension is not None:
            found["dimension"] = self.dimension
        if self.entity_id is not None:
            found["entity_id"] = self.entity_id
        if self.filters:
            plain = [[each.dimension, list(each.ids), each.is_excluded] for each in self.filters]
            found["filters"] = orjson.dumps(plain).decode()
        return found

    @classmethod
    def from_parameters(cls, given: Mapping[str, str]) -> Evidence:
        """From what `as_parameters` gave. Raises EvidenceInvalid for anything else, whoever sent it."""
        unknown = sorted(set(given) - set(_NAMES))
        if unknown:
            raise EvidenceInvalid(f"{_shown(unknown[0])} is no parameter of evidence", remedy=_use(_NAMES))
        missing = [name for name in _NAMES[:4] if not given.get(name)]
        if missing:
            raise EvidenceInvalid(f"{missing[0]} is missing", remedy=_use(_NAMES[:4]))
        dimension, entity_id = given.get("dimension"), given.get("entity_id")
        if entity_id is not None and dimension is None:
            raise EvidenceInvalid("entity_id is given without its dimension", remedy="Give both, or none")
        start, end = _day(given["start"], "start"), _day(given["end"], "end")
        if start > end:
            raise EvidenceInvalid("start is after end", remedy="Give the first and the last day of the period")
        return cls(
            metric=_matching(_NAME, given["metric"], "metric"),
            start=start,
            end=end,
            period_key=_matching(_PERIOD_KEY, given["period_key"], "period_key"),
            dimension=None if dimension is None else _matching(_NAME, dimension, "dimension"),
            entity_id=None if entity_id is None else _value(entity_id, "entity_id"),
            filters=_filters(given["filters"]) if "filters" in given else (),
        )

    @property
    def period(self) -> Period:
        """The period, labelled by its days."""
        return Period(self.period_key, self.start, self.end, f"{self.start} to {self.end}")


@dataclass(frozen=True)
class LineageStep:
    """One table on the way from a figure to the systems; `reads` are the tables one step further.

    `asset_key` is the table's in Dagster; `system` is that of a raw table, as people write it. What is not `is_needed`
    only lends names to the rows, or fills columns that the others do without.
    """

    table: str
    kind: Literal["mart", "staging", "raw"]
    reads: tuple[str, ...]
    asset_key: tuple[str, ...]
    is_needed: bool
    system: str | None = None


@dataclass(frozen=True)
class DrillDown:
    """The rows behind a figure, `total_rows` in all. Values are as the warehouse has them, times naive UTC.

    `sql` is what gave them, `tables` the models of the metric, `sources` its systems; `lineage` goes from the model to
    the raw tables. For a ratio the rows are those of what stands above the line, and `parts` finds the rows of both.
    """

    columns: tuple[str, ...]
    rows: list[dict[str, Any]]
    total_rows: int
    sql: str
    tables: tuple[str, ...]
    sources: tuple[str, ...]
    lineage: tuple[LineageStep, ...]
    parts: tuple[Evidence, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The public form; values of rows are as they are: days, moments and decimals among them."""
        return {
            "columns": list(self.columns),
            "rows": self.rows,
            "total_rows": self.total_rows,
            "sql": self.sql,
            "tables": list(self.tables),
            "sources": list(self.sources),
            "lineage": [asdict(step) for step in self.lineage],
            "parts": [part.as_parameters() for part in self.parts],
        }


def counted_metric(catalog: Catalog, metric: Metric) -> Metric:
    """The metric whose rows are shown: itself, for a ratio the one above the line."""
    return catalog.parts(metric)[0]


def rows_behind(
    reading: Reading,
    evidence: Evidence,
    *,
    condition: str | None,
    columns: Sequence[str],
    limit: int = 200,
) -> DrillDown:
    """The rows that a figure counts, of those that `condition` lets be seen (Snowflake's dialect, alias `t`).

    `columns` are those of the model that may be shown, in their order. Rows come in the order of their day, newest
    first, then of what makes them unique. Raises Unmeasurable where the metric cannot be had so, EvidenceInvalid where
    there is no such metric.
    """
    catalog, models = reading.catalog, load_models()
    metric = catalog.metrics.get(evidence.metric)
    if metric is None:
        raise EvidenceInvalid(f"there is no metric {_shown(evidence.metric)} with good data")
    refuse_unfit(catalog, metric, evidence.dimension, evidence.filters, condition)
    shown = counted_metric(catalog, metric)
    model = models[shown.table]
    unknown = [column for column in columns if column not in model.columns]
    if unknown or not columns:
        raise Unmeasurable(f"{model.qualified_name} has no column {_shown(unknown[0])}" if unknown else _NOTHING_SHOWN)
    sql, total = _queries(reading, shown, evidence, condition, columns, max(0, min(limit, MOST_ROWS)), model)
    found = reading.query(sql).rename_columns(list(columns))
    return DrillDown(
        columns=tuple(columns),
        rows=found.to_pylist(),
        total_rows=int(reading.query(total).column(0)[0].as_py()),
        sql=sql,
        tables=catalog.tables_of(metric),
        sources=tuple(systems_of(catalog, metric, models)),
        lineage=lineage_of(catalog.tables_of(metric), models),
        parts=_parts(catalog, metric, evidence),
    )


_NOTHING_SHOWN = "none of its columns may be shown to you"


def lineage_of(tables: Iterable[str], models: Mapping[str, Model]) -> tuple[LineageStep, ...]:
    """Every table from the models `tables` down to the raw ones, each once and before what it reads."""
    found: dict[str, None] = {}
    needed: set[str] = set()

    def walk(name: str, is_needed: bool) -> None:
        if is_needed:
            needed.add(name)
        model = models.get(name)
        for read in model.dependencies if model else ():
            walk(read, is_needed and read not in model.spared if model else False)
        found.setdefault(name)

    for table in tables:
        walk(table, True)
    return tuple(_step(name, models, name in needed) for name in reversed(found))


def as_csv(drill: DrillDown) -> str:
    """The rows as CSV with a line of names; no cell can be taken for a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([_cell(column) for column in drill.columns])
    writer.writerows([_cell(row[column]) for column in drill.columns] for row in drill.rows)
    return out.getvalue()


def _queries(
    reading: Reading,
    metric: Metric,
    evidence: Evidence,
    condition: str | None,
    columns: Sequence[str],
    limit: int,
    model: Model,
) -> tuple[str, str]:
    """The SELECT of the rows, and that of their number."""
    catalog, filters = reading.catalog, evidence.filters
    if evidence.dimension is not None and evidence.entity_id is not None:
        filters = (*filters, Filter(evidence.dimension, (evidence.entity_id,), (evidence.entity_id,)))
    measured = Measuring(reading, catalog, load_models(), reading.context).measured_period(metric, evidence.period)
    first = next((column for column in (metric.time, *(metric.covers or ()), *(metric.valid or ())) if column), None)
    order = {**({first: " DESC NULLS LAST"} if first else {}), **{name: "" for name in model.grain if name != first}}

    def written(chosen: Sequence[str]) -> str:
        return compile_rows(
            metric,
            measured,
            chosen,
            dialect=reading.dialect,
            narrowing=Narrowing(filters, condition),
            dimensions=catalog.dimensions,
            dimension=catalog.dimensions[evidence.dimension] if evidence.dimension else None,
            order_by=tuple(order.items()),
            limit=limit,
        )

    return written(columns), written(())


def _parts(catalog: Catalog, metric: Metric, evidence: Evidence) -> tuple[Evidence, ...]:
    """What finds the rows of both parts of a ratio."""
    if metric.kind != "ratio":
        return ()
    above, below = catalog.parts(metric)
    before = opening(evidence.period) if divides_by_opening(above, below) else evidence.period
    more = (evidence.dimension, evidence.entity_id, evidence.filters)
    return (
        Evidence(above.name, evidence.start, evidence.end, evidence.period_key, *more),
        Evidence(below.name, before.start, before.end, evidence.period_key, *more),
    )


def _step(name: str, models: Mapping[str, Model], is_needed: bool) -> LineageStep:
    key = tuple(name.split("."))
    if name in models:
        kind: Literal["mart", "staging"] = "mart" if key[0] == "marts" else "staging"
        return LineageStep(name, kind, models[name].dependencies, key, is_needed)
    return LineageStep(name, "raw", (), key, is_needed, registry.display_name(key[0]))


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    text = visible(value, keep="\t\r\n") if isinstance(value, str) else str(value)
    # A negative number is one, and no formula.
    return f"'{text}" if isinstance(value, str) and text.lstrip(" ").startswith(_FORMULA) else text


def _filters(text: str) -> tuple[Filter, ...]:
    wrong = EvidenceInvalid("filters is not written as it must be", remedy="Take it from the address of a figure")
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise wrong from None
    if not isinstance(given, list) or len(given) > _MOST_FILTERS:
        raise wrong
    found = []
    for entry in given:
        match entry:
            case [str() as dimension, [*ids], bool() as is_excluded] if len(ids) <= _MOST_IDS:
                values = tuple(_value(each, "filters") for each in ids)
                found.append(Filter(_matching(_NAME, dimension, "filters"), values, values, is_excluded))
            case _:
                raise wrong
    return tuple(found)


def _value(given: object, name: str) -> str:
    if not isinstance(given, str) or not 0 < len(given) <= _MOST_CHARACTERS or "\0" in given:
        raise EvidenceInvalid(f"{name} holds something that is no id", remedy="Take it from the address of a figure")
    return given


def _matching(pattern: re.Pattern[str], text: str, name: str) -> str:
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise EvidenceInvalid(f"{name} is {_shown(text)}, which is no name", remedy="Use small letters, digits and _")
    return text


def _day(text: str, name: str) -> date:
    try:
        if len(text) == 10:
            return date.fromisoformat(text)
    except (TypeError, ValueError):
        pass
    raise EvidenceInvalid(f"{name} is {_shown(text)}, which is not a date", remedy="Write it as YYYY-MM-DD")


def _shown(text: object) -> str:
    """What somebody sent, short and on one line."""
    return repr(str(text)[:60])


def _use(names: Sequence[str]) -> str:
    return f"Use {', '.join(names)}"
