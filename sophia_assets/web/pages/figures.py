"""A figure with everything behind it: its value, its rows, its origin, and what it means.

Belongs here: gathering that for one figure, as the reader may see it. Does not belong here: routes (`evidence`), the
rules (`access.policies`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from sophia_assets.access import policies
from sophia_assets.access.principal import Principal
from sophia_assets.errors import AccessDenied, SophiaError
from sophia_assets.insight.names import safe_name
from sophia_assets.insight.rendering.evidence import comparison
from sophia_assets.insight.slots import day_phrase
from sophia_assets.metrics.catalog import Catalog, Metric, load_catalog
from sophia_assets.metrics.descriptions import definition
from sophia_assets.metrics.drill_down import MOST_ROWS, DrillDown, Evidence, EvidenceInvalid, LineageStep, lineage_of
from sophia_assets.metrics.facts import Fact, Period
from sophia_assets.metrics.filters import Filter
from sophia_assets.metrics.on_demand import Unmeasurable, measure
from sophia_assets.metrics.periods import period_for
from sophia_assets.plain_text import visible
from sophia_assets.warehouse.models import load_models
from sophia_assets.web.pages.cards import Column, heading, shown
from sophia_assets.web.pages.data_status import last_day
from sophia_assets.web.pages.lineage import asset_address, draw_lineage, lineage_to

if TYPE_CHECKING:
    from sophia_assets.desk import Desk
    from sophia_assets.services import Services
    from sophia_assets.warehouse.reading import Reading

ROWS_A_PAGE = 50
_MOST_NAMES = 20
_WORD = re.compile(r"[a-z_][a-z0-9_]*")
_KEYS = ("qtd", "last_7d", "last_30d", "last_60d", "as_of")


@dataclass(frozen=True)
class Gathered:
    """What the page of a figure shows. `drill` is None, with why, where no row may be shown."""

    figure: dict[str, Any]
    drill: DrillDown | None
    refusal: str
    lineage: Markup | None
    sources: list[dict[str, str]]
    sql: str
    query_hash: str


def gather(
    services: Services, desk: Desk, principal: Principal, evidence: Evidence, told: Fact | None, rows: int
) -> Gathered:
    """A figure as it is measured now; `told` is the fact of a briefing that it was reached from. `rows` are read.

    Raises AccessDenied, and EvidenceInvalid for a metric that there is none of.
    """
    catalog, models = load_catalog(), load_models()
    metric = catalog.metrics.get(evidence.metric)
    if metric is None:
        raise EvidenceInvalid("there is no such figure", remedy="Open it from a briefing or an answer")
    denied = policies.deny_metric(principal, metric, models)
    services.audit.record(
        principal, "evidence.read", metric.name, "denied" if denied else "allowed", evidence.as_parameters()
    )
    if denied:
        raise AccessDenied(denied, remedy=f"It is for those who see {_areas(metric)}")
    reading = services.readings.current(principal.role)
    fact, refusal = _measured(reading, principal, metric, evidence)
    shown_fact = told or fact
    drill, no_rows = _rows(desk, principal, evidence, rows) if not refusal or told else (None, refusal)
    steps = drill.lineage if drill else lineage_of(catalog.tables_of(metric), models)
    dagster = services.settings.web.dagster_url if policies.may_see_platform(principal) else ""
    return Gathered(
        figure=_figure(catalog, metric, evidence, shown_fact, fact if told else None, reading, principal),
        drill=drill,
        refusal=no_rows,
        lineage=draw_lineage(lineage_to(metric.label, steps, catalog.tables_of(metric), dagster)),
        sources=_sources(steps, reading, dagster),
        sql=drill.sql if drill else "",
        query_hash=shown_fact.query_hash if shown_fact else "",
    )


def evidence_of(fact: Fact) -> Evidence:
    """What finds a briefing's fact again; the rows of its entity, where it is about one."""
    found = Evidence.of(fact)
    if found.dimension is None and fact.entity_ids:
        dimension, entity_id = next(iter(fact.entity_ids.items()))
        return replace(found, dimension=dimension, entity_id=entity_id)
    return found


def cells(drill: DrillDown, metric: Metric, start: int) -> tuple[list[Column], list[list[str]]]:
    """A page of rows as text: what a row is first, then what is counted of it, and ids, which tell least, last."""
    page = drill.rows[start : start + ROWS_A_PAGE]
    counted = {*_WORD.findall(metric.expression), metric.time}
    plain = [name for name in drill.columns if not name.endswith("_id")]
    names = sorted(drill.columns, key=lambda name: (name not in plain[:1], name.endswith("_id"), name not in counted))
    columns = [Column(heading(name), _is_number(name, [row[name] for row in page])) for name in names]
    return columns, [[_cell(row[name]) for name in names] for row in page]


def _measured(reading: Reading, principal: Principal, metric: Metric, evidence: Evidence) -> tuple[Fact | None, str]:
    """The figure as the data gives it now, of the rows that the reader may see; else why there is none."""
    try:
        part = reading.catalog.parts(metric)[0]
        condition = policies.row_condition(principal, load_models()[part.table].columns)
        period, before = _periods(reading, evidence)
        by = evidence.dimension if evidence.entity_id else None
        # Among all entities, so that its share and its rank are those of the whole.
        facts = measure(reading, metric, period, before, dimension=by, filters=evidence.filters, condition=condition)
        if by:
            facts = [fact for fact in facts if fact.entity_ids.get(by) == evidence.entity_id]
    except (Unmeasurable, KeyError) as error:
        return None, str(error.args[0] if error.args else error)
    return (facts[0], "") if facts else (None, "")


def _periods(reading: Reading, evidence: Evidence) -> tuple[Period, Period | None]:
    """The period of the evidence, with its comparison where its key has one."""
    if evidence.period_key in _KEYS:
        period, before = period_for(evidence.period_key, evidence.end, reading.context.fiscal_year_start_month)
        if (period.start, period.end) == (evidence.start, evidence.end):
            return period, before
    return evidence.period, None


def _rows(desk: Desk, principal: Principal, evidence: Evidence, rows: int) -> tuple[DrillDown | None, str]:
    try:
        return desk.evidence(principal, evidence, limit=min(rows, MOST_ROWS)), ""
    except (Unmeasurable, EvidenceInvalid) as error:
        return None, f"{error.message[:1].upper()}{error.message[1:]}."


def _figure(
    catalog: Catalog,
    metric: Metric,
    evidence: Evidence,
    fact: Fact | None,
    now: Fact | None,
    reading: Reading,
    principal: Principal,
) -> dict[str, Any]:
    """What the head of the page shows. `now` is the figure of today where `fact` is a briefing's."""
    subject = safe_name(fact.subject) if fact and fact.subject else ""
    compared = comparison(fact) if fact else ""
    tone = {True: "good", False: "bad", None: ""}[fact.is_good if fact else None]
    notes = []
    if now is not None and fact is not None and now is not fact:
        same = now.display == fact.display
        notes.append(
            "Measured again from the data of today, it is the same."
            if same
            else f"Measured again from the data of today, it is {now.display}: records were added or changed since."
        )
    if not principal.rows.is_everything:
        notes.append("Of your own accounts alone.")
    return {
        "what": f"{metric.label}, {subject}" if subject else metric.label,
        "value": fact.display if fact else "",
        "comparison": compared[:1].upper() + compared[1:],
        "tone": tone,
        "period": _days(evidence),
        "notes": notes,
        "description": metric.description,
        "definition": definition(catalog, metric),
        "filters": _filters(reading, principal, metric, evidence),
        "caveats": fact.caveats if fact else ("No value can be measured for it.",),
    }


def _days(evidence: Evidence) -> str:
    if evidence.start == evidence.end:
        return day_phrase(evidence.start)
    start, end = day_phrase(evidence.start), day_phrase(evidence.end)
    return f"{start if evidence.start.year != evidence.end.year else start.rpartition(' ')[0]} to {end}"


def _filters(reading: Reading, principal: Principal, metric: Metric, evidence: Evidence) -> list[str]:
    """`Industry: Retail, Energy`, `not Owner: ...`: by name, as the data has them."""
    found = []
    for each in evidence.filters:
        names = _names(reading, principal, metric, replace(evidence, dimension=None, entity_id=None), each)
        listed = ", ".join(safe_name(names.get(entity, entity)) for entity in each.ids[:_MOST_NAMES])
        found.append(f"{'not ' if each.is_excluded else ''}{heading(each.dimension)}: {listed}")
    return found


def _names(
    reading: Reading, principal: Principal, metric: Metric, evidence: Evidence, wanted: Filter
) -> Mapping[str, str]:
    """What entities are called, by id, of those that the reader may see."""
    try:
        condition = policies.row_condition(principal, load_models()[reading.catalog.parts(metric)[0].table].columns)
        only = Filter(wanted.dimension, wanted.ids, wanted.ids)
        facts = measure(
            reading, metric, evidence.period, None, dimension=wanted.dimension, filters=(only,), condition=condition
        )
    except (SophiaError, KeyError):
        return {}
    return {
        fact.entity_ids[wanted.dimension]: fact.subject or "" for fact in facts if wanted.dimension in fact.entity_ids
    }


def _sources(steps: Sequence[LineageStep], reading: Reading, dagster: str) -> list[dict[str, str]]:
    """The raw tables without which it means nothing, with up to when each was read."""
    reached = reading.context.loaded_through
    return [
        {
            "table": step.table,
            "system": step.system or "",
            "reaches": last_day(reached[step.table], reading.context.zone) if step.table in reached else "never read",
            "address": asset_address(dagster, step.table),
        }
        for step in sorted(steps, key=lambda step: step.table)
        if step.kind == "raw" and step.is_needed
    ]


def _areas(metric: Metric) -> str:
    return " or ".join(metric.access)


def _cell(value: object) -> str:
    if isinstance(value, Decimal):
        return shown(float(value))
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return visible(shown(value)) or "\u2013"


def _is_number(name: str, values: Sequence[object]) -> bool:
    held = [value for value in values if value is not None]
    is_figure = all(isinstance(value, int | float | Decimal) and not isinstance(value, bool) for value in held)
    return bool(held) and is_figure and not name.endswith("_id")
