"""An answer laid out for the page: its figures as a table and a chart, its evidence as links.

Belongs here: what of an answer is shown, and how. Does not belong here: answering (`assistant`), routes (`ask`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from markupsafe import Markup

from sophia_assets.assistant.interface import MOST_TURNS, Answer, Citation, Question
from sophia_assets.insight.charts import Chart, ChartPoint, Kind
from sophia_assets.insight.names import listed
from sophia_assets.insight.rendering.evidence import local_time
from sophia_assets.insight.rendering.svg import SHORT_SLOTS, draw
from sophia_assets.metrics.catalog import load_catalog

_MOST_BARS = 10
_MOST_POINTS = 26
_MOST_LABELS = 4
_MOST_UNFOLDED = 8
# What rows hold for programs, beside what is shown of the same thing.
_NOT_SHOWN = frozenset({"number", "start", "end", "id", "evidence", "fact_id"})
_FIGURE = re.compile(
    r"[-+\u2212]?[$\u20ac\u00a3]?[-\u2212]?\d[\d,.]*\s?(?:[KMB]|%|points?|days?|minutes?|hours?)?(?: a month)?"
)


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, and whether it holds figures, which stand to the right."""

    label: str
    is_number: bool


@dataclass(frozen=True)
class Shown:
    """A chart of an answer, drawn."""

    title: str
    svg: Markup
    is_wide: bool


def card(question: Question, answer: Answer, zone: ZoneInfo) -> dict[str, Any]:
    """What the template `answer.html` shows. Everything in it is text but for the chart."""
    columns, rows = table(answer.results)
    asks_back = answer.status == "clarify"
    return {
        "question": question.text,
        "status": answer.status,
        "response": answer.response,
        "understood": understood(answer.echo) if answer.status == "answered" else "",
        "columns": columns if len(rows) > 1 else [],
        "rows": rows if len(rows) > 1 else [],
        "chart": chart(question, answer),
        "folds_table": answer.type == "trend" and len(rows) > _MOST_UNFOLDED,
        "insights": answer.insights,
        "caveats": answer.caveats,
        "citations": [_citation(each, zone) for each in answer.citations],
        "choices": answer.follow_ups if asks_back else (),
        "follow_ups": () if asks_back else answer.follow_ups,
        "earlier": conversation(question),
        "origin": _origin(answer),
    }


def conversation(question: Question) -> list[str]:
    """The questions that the next one is asked after."""
    return [*question.earlier, question.text][-MOST_TURNS:]


def table(results: Sequence[Mapping[str, Any]]) -> tuple[list[Column], list[list[str]]]:
    """Rows of results as a table of text; columns without a value, or for programs alone, are left out."""
    results = [_with_way(row) for row in results]
    names = list(dict.fromkeys(name for row in results for name in row if name not in _NOT_SHOWN))
    cells = {name: [shown(row.get(name)) for row in results] for name in names}
    names = [name for name in names if any(cells[name])]
    # What is the same in every row stands in the sentence above.
    if len(results) > 1:
        names = [name for name in names if name not in ("metric", "period") or len(set(cells[name])) > 1]
    columns = [Column(heading(name), _is_number(name, cells[name])) for name in names]
    return columns, [[cells[name][place] or "\u2013" for name in names] for place in range(len(results))]


def _with_way(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row whose change says which way it went: `down 12%`."""
    way, change = row.get("direction"), row.get("change")
    if way is None or change is None:
        return row
    told = f"{way} {change}" if way in ("up", "down") else way or change
    return {name: told if name == "change" else value for name, value in row.items() if name != "direction"}


def shown(value: object) -> str:
    """A cell's text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.2f}".rstrip("0").rstrip(".")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return str(value)


def heading(name: str) -> str:
    """`part_of_move` as `Part of move`."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def understood(echo: Mapping[str, Any]) -> str:
    """What the question was taken to mean, on one line: `Bookings by owner, Q4 2026 to date, industry: Retail`."""
    parts = [_subject_of(echo)]
    if len(echo.get("metrics") or ()) > _MOST_LABELS:
        return parts[0]
    if isinstance(period := echo.get("period"), Mapping):
        parts.append(str(period.get("label", "")))
    if isinstance(before := echo.get("compared_to"), Mapping):
        parts.append(f"against {before.get('label', '')}")
    for each in echo.get("filters") or ():
        if isinstance(each, Mapping):
            names = ", ".join(map(str, each.get("names", ())))
            parts.append(f"{'without' if each.get('is_excluded') else 'only'} {each.get('dimension', '')}: {names}")
    return " \u00b7 ".join(part for part in parts if part)


def _subject_of(echo: Mapping[str, Any]) -> str:
    """`Bookings and Win rate by owner, month by month`."""
    labels = [str(each["label"]) for each in echo.get("metrics") or () if isinstance(each, Mapping) and "label" in each]
    if not labels:
        return ""
    told = listed(labels) if len(labels) <= _MOST_LABELS else f"{len(labels)} figures"
    by = f" by {echo['by']}" if echo.get("by") else ""
    grain = f", {echo['grain']} by {echo['grain']}" if echo.get("grain") else ""
    return f"{told}{by}{grain}"


def chart(question: Question, answer: Answer) -> Shown | None:
    """A drawing of what goes over time, or is ranked; None where there is nothing to see in one."""
    rows = [row for row in answer.results if isinstance(row.get("number"), int | float)]
    if len(rows) < 2 or len(rows) != len(answer.results) or answer.status != "answered":
        return None
    is_trend = answer.type == "trend"
    if not is_trend and answer.type not in ("ranking", "breakdown", "comparison"):
        return None
    label = "period" if is_trend else _subject(rows)
    if label is None or len({str(row.get(label)) for row in rows}) != len(rows):
        return None
    rows = rows[-_MOST_POINTS:] if is_trend else rows[:_MOST_BARS]
    if not is_trend and any(row["number"] < 0 for row in rows):
        return None
    points = tuple(
        ChartPoint(
            _short(str(row[label])) if is_trend else str(row[label]), float(row["number"]), str(row["value"]), "", i
        )
        for i, row in enumerate(rows)
    )
    mark = sha256(repr((question.text, question.earlier)).encode()).hexdigest()[:8]
    title = str(rows[0].get("metric") or _subject_of(answer.echo) or "Over time")
    kind = _kind(answer, points) if is_trend else "bars"
    drawn = draw(Chart(f"c{mark}", title, kind, "", points, "", "", len(points)))
    return Shown(title, drawn, kind == "bars" or len(points) > SHORT_SLOTS)


def _kind(answer: Answer, points: Sequence[ChartPoint]) -> Kind:
    """A line for what stands at a day's end and for shares and scores; columns for what adds up over a period."""
    named = [each.get("name") for each in answer.echo.get("metrics") or () if isinstance(each, Mapping)]
    metric = load_catalog().metrics.get(str(named[0])) if named else None
    is_flow = metric is None or (metric.kind == "flow" and metric.is_additive)
    return "columns" if is_flow and all(point.value >= 0 for point in points) else "line"


def _subject(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """The column that says whom a row is about."""
    known = ("rank", "metric", "period", "value", "previous", "change", "share", "target", "direction", "number")
    own = [name for name in rows[0] if name not in known and isinstance(rows[0][name], str)]
    units = {str(row.get("metric")) for row in rows}
    return own[0] if own and len(units) == 1 else None


def _short(period: str) -> str:
    """A period's label for an axis."""
    return period if len(period) <= 12 else period[:11] + "\u2026"


def _is_number(name: str, cells: Sequence[str]) -> bool:
    if name in ("rank", "value", "previous", "change", "share", "target", "part_of_move"):
        return True
    filled = [cell for cell in cells if cell]
    return bool(filled) and all(_FIGURE.fullmatch(cell) for cell in filled)


def _citation(citation: Citation, zone: ZoneInfo) -> dict[str, Any]:
    evidence = {str(name): str(value) for name, value in citation.evidence.items() if value is not None}
    return {
        "label": citation.label,
        "display": citation.display,
        "period": citation.period,
        "sources": citation.sources,
        "as_of": _moment(citation.as_of, zone),
        "address": f"/evidence?{urlencode(evidence)}" if "metric" in evidence else "",
    }


def _moment(text: str | None, zone: ZoneInfo) -> str:
    try:
        return local_time(datetime.fromisoformat(text), zone) if text else ""
    except ValueError:
        return ""


def _origin(answer: Answer) -> str:
    """`Answered from the briefing of 2026-11-20 in 12 ms.`"""
    where = listed([f"the {part}" for part in answer.answered_from.split(" and ") if part])
    how = "Answered" if answer.status == "answered" else "Looked up"
    wrote = f", phrased by {answer.writer}" if answer.writer not in ("", "offline") else ""
    cached = ", asked before" if answer.is_cached else ""
    took = f"{answer.latency_ms:,.0f} ms" if answer.latency_ms < 1000 else f"{answer.latency_ms / 1000:.1f} s"
    return f"{how}{f' from {where}' if where else ''} in {took}{wrote}{cached}."
