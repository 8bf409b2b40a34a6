"""Metrics in words and as the objects that programs read: what they rest on, how they are computed, how they read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sophia_assets.encryption.files import facts_file
from sophia_assets.encryption.vault import PLAIN, Vault
from sophia_assets.metrics.catalog import Catalog, Metric
from sophia_assets.metrics.compiler import MeasuredPeriod, compile_metric
from sophia_assets.metrics.facts import Period
from sophia_assets.metrics.measuring import FactContext, divides_by_opening, opening
from sophia_assets.metrics.periods import period_for, series_periods
from sophia_assets.sources import registry
from sophia_assets.warehouse.models import Model, required_tables

ENGINES = ("snowflake", "duckdb")


def raw_tables(catalog: Catalog, metric: Metric, models: Mapping[str, Model]) -> list[str]:
    """The raw tables without which the metric means nothing, sorted."""
    return sorted({raw for table in catalog.tables_of(metric) for raw in required_tables(table, models)})


def systems_of(catalog: Catalog, metric: Metric, models: Mapping[str, Model]) -> list[str]:
    """The systems that the metric rests on, as people write them; none for the platform's own record."""
    systems = dict.fromkeys(table.split(".")[0] for table in raw_tables(catalog, metric, models))
    return [registry.display_name(system) for system in systems]


def summary(catalog: Catalog, metric: Metric, models: Mapping[str, Model]) -> dict[str, Any]:
    """One metric's line in the list of all."""
    return {
        "name": metric.name,
        "label": metric.label,
        "area": metric.area,
        "kind": metric.kind,
        "unit": metric.unit,
        "good": metric.good,
        "tables": list(catalog.tables_of(metric)),
        "systems": systems_of(catalog, metric, models),
        "owner": metric.owner,
        "access": list(metric.access),
        "sensitivity": metric.sensitivity,
    }


def details(
    catalog: Catalog, metric: Metric, models: Mapping[str, Model], context: FactContext, newest: dict[str, Any] | None
) -> dict[str, Any]:
    """Everything about one metric. `newest` is its newest fact as JSON, where there is one."""
    return {
        **summary(catalog, metric, models),
        "description": metric.description,
        "definition": definition(catalog, metric),
        "expression": metric.expression or None,
        "where": metric.where,
        "grain": metric.grain,
        "dimensions": list(metric.dimensions),
        "periods": list(metric.periods),
        "series": list(metric.series),
        "breakdowns": dict(metric.breakdowns),
        "target": metric.target,
        "format": metric.format,
        "run_rate": metric.run_rate,
        "noun": metric.spoken,
        "synonyms": list(metric.synonyms),
        "sources": raw_tables(catalog, metric, models),
        "sql": {engine: sql_of(catalog, metric, context, engine) for engine in ENGINES},
        "newest": newest,
    }


def definition(catalog: Catalog, metric: Metric) -> str:
    """How the metric comes about, in one or two plain sentences."""
    if metric.kind == "ratio":
        when = "as it stood when the period began" if divides_by_opening(*catalog.parts(metric)) else "at the same time"
        return f"{metric.of} over {metric.per} {when}, both of the whole company."
    text = f"{metric.expression} over {metric.table}"
    if metric.where:
        text += f", of the rows with {metric.where}"
    if metric.kind == "flow":
        known = ", as the rows are known now" if metric.valid else ""
        return f"{text}; a row counts on its {metric.time}{known}."
    if metric.valid:
        return f"{text}; of each row the version that was known at the end of the day."
    if metric.covers:
        first, after_last = metric.covers
        return (
            f"{text}; a row counts from its {first}{f' until the day before its {after_last}' if after_last else ''}."
        )
    return f"{text}; the table holds only what stands now."


def sql_of(catalog: Catalog, metric: Metric, context: FactContext, engine: str) -> str:
    """The query for the metric's first period of the context's day, as it is sent to an engine."""
    period = _first_period(metric, context)
    queries = []
    parts = catalog.parts(metric)
    for place, part in enumerate(parts):
        shown = opening(period) if place == 1 and divides_by_opening(*parts) else period
        measured = MeasuredPeriod(shown, context.end_of(context.day if part.kind == "flow" else shown.end))
        queries.append(compile_metric(part, None, [measured], dialect=engine, pretty=True).sql)
    return ";\n\n".join(queries)


def _first_period(metric: Metric, context: FactContext) -> Period:
    key = next(iter([*metric.periods, *metric.breakdowns.values()]), None)
    if key is not None:
        return period_for(key, context.day, context.fiscal_year_start_month)[0]
    return series_periods(metric.series[0], context.day, context.fiscal_year_start_month)[-1]


def newest_fact(folder: Path, metric: Metric, vault: Vault = PLAIN) -> dict[str, Any] | None:
    """The metric's value for the whole company on the newest day whose facts lie in `folder`, as JSON; else None."""
    import pyarrow.parquet as pq

    for path in sorted(folder.glob("*.parquet"), reverse=True):
        rows = pq.read_table(
            facts_file(vault, path), columns=["period", "dimension", "fact"], filters=[("metric", "=", metric.name)]
        )
        whole = [row for row in rows.to_pylist() if row["dimension"] is None and row["period"] in metric.periods]
        if whole:
            whole.sort(key=lambda row: metric.periods.index(row["period"]))
            return {"day": path.stem, **json.loads(whole[0]["fact"])}
    return None
