"""Facts as a bounded frame, one row a fact, for the assets that keep and show them."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sophia_assets.metrics.facts import Fact, FactSet, Period, Unknown, fact_as_json

if TYPE_CHECKING:
    import pandas as pd

_UNKNOWN, _SHARES = "unknown", "shares"
COLUMNS = (
    "id",
    "metric",
    "period",
    "dimension",
    "entity",
    "value",
    "unit",
    "display",
    "previous",
    "delta",
    "direction",
    "as_of",
    "query_hash",
    "fact",
)


def facts_to_frame(facts: FactSet) -> pd.DataFrame:
    """One row a fact.

    `fact` holds the whole of it as JSON, `as_of` is UTC. What is unknown, or served in part, is in `attrs`.
    """
    import pandas as pd

    rows = [
        {
            "id": fact.id,
            "metric": fact.metric,
            "period": fact.period.key,
            "dimension": next(iter(fact.dimensions), None),
            "entity": fact.subject,
            "value": fact.value,
            "unit": fact.unit,
            "display": fact.display,
            "previous": fact.previous,
            "delta": fact.delta,
            "direction": fact.direction,
            "as_of": fact.as_of,
            "query_hash": fact.query_hash,
            "fact": json.dumps(fact_as_json(fact)),
        }
        for fact in facts
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    frame = frame.astype({"value": "float64", "previous": "float64", "delta": "float64"})
    # A row without a value would be no fact; Parquet keeps attributes beside the rows.
    frame.attrs[_UNKNOWN] = [
        {**asdict(entry), "day": entry.day.isoformat(), "since": entry.since.isoformat()} for entry in facts.unknown
    ]
    frame.attrs[_SHARES] = facts.shares
    return frame


def facts_from_frame(frame: pd.DataFrame) -> FactSet:
    """The facts that `facts_to_frame` wrote, in the same order."""
    unknown = [
        Unknown(**{**entry, "day": date.fromisoformat(entry["day"]), "since": datetime.fromisoformat(entry["since"])})
        for entry in frame.attrs.get(_UNKNOWN, ())
    ]
    return FactSet((fact_from_json(json.loads(text)) for text in frame["fact"]), unknown, frame.attrs.get(_SHARES))


def fact_from_json(given: dict[str, Any]) -> Fact:
    """The fact that `fact_as_json` wrote."""
    values = dict(given)
    values["period"] = _period(given["period"])
    values["previous_period"] = _period(given["previous_period"])
    values["as_of"] = datetime.fromisoformat(given["as_of"]) if given["as_of"] else None
    values["sources"] = tuple(given["sources"])
    values["caveats"] = tuple(given["caveats"])
    return Fact(**values)


def _period(given: dict[str, str] | None) -> Any:
    if given is None:
        return None
    return Period(given["key"], date.fromisoformat(given["start"]), date.fromisoformat(given["end"]), given["label"])
