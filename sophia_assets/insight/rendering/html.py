"""The briefing as one HTML file that needs nothing else: style and charts inside, no script, no address."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from sophia_assets.insight.briefing import Briefing, Section, Sentence
from sophia_assets.insight.charts import Chart
from sophia_assets.insight.names import safe_name
from sophia_assets.insight.rendering.evidence import (
    Evidence,
    EvidenceRow,
    freshness_rows,
    local_time,
    verification_sentence,
)
from sophia_assets.insight.rendering.provenance import provenance
from sophia_assets.insight.rendering.quoting import ShownQuote, shown_quotes
from sophia_assets.insight.rendering.segments import action_text, segments
from sophia_assets.insight.rendering.svg import SHORT_SLOTS, draw
from sophia_assets.insight.slots import due_phrase
from sophia_assets.insight.stories import LIKELIHOOD_SCALE, UNASSIGNED


@cache
def _template() -> Template:
    """The template; everything put into it is escaped unless it is `Markup` made here."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("briefing.html.j2")


def render_html(briefing: Briefing) -> str:
    """The whole briefing as a page, for a screen of any size and for paper."""
    return _template().render(**shown(briefing))


def shown(briefing: Briefing) -> dict[str, Any]:
    """What a page shows of a briefing, by the names that templates use; plain text but for the charts' `Markup`."""
    evidence, request, quotes = Evidence(briefing), briefing.request, shown_quotes(briefing)
    anchors = _Anchors(evidence)
    bottom_line = [_sentence(briefing, sentence, evidence) for sentence in briefing.bottom_line]
    bottom_anchor = anchors.next([row for sentence in bottom_line for row in sentence["evidence"]])
    return {
        "company": request.company_name,
        "title": briefing.title,
        "day": request.kind.covered(request.date),
        "iso_day": request.date.isoformat(),
        "bottom_line": bottom_line,
        "bottom_anchor": bottom_anchor,
        "since": briefing.since_last,
        "sections": [_section(briefing, section, evidence, quotes, anchors) for section in briefing.sections],
        "charts": [_chart(chart) for chart in briefing.charts],
        "confidence": briefing.confidence,
        "freshness": freshness_rows(briefing),
        "likelihoods": _likelihoods(briefing),
        "verification": verification_sentence(briefing),
        "provenance": provenance(briefing),
        "evidence": evidence.rows,
        "quotes": list(quotes.values()),
        "anchors": anchors.of_fact,
        "generated": local_time(request.generated_at, ZoneInfo(request.timezone)),
        "timezone": request.timezone,
    }


class _Anchors:
    """Gives every sentence with evidence an anchor, so that the evidence leads back to where it is first told."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._count = 0
        self.of_fact: dict[int, str] = {}

    def next(self, rows: list[EvidenceRow]) -> str:
        self._count += 1
        for row in rows:
            self.of_fact.setdefault(row.number, f"s{self._count}")
        return f"s{self._count}"


def _chart(chart: Chart) -> dict[str, Any]:
    is_breakdown = chart.kind == "bars"
    return {
        "chart": chart,
        "svg": draw(chart) if chart.points else None,
        "is_wide": chart.slots > SHORT_SLOTS or is_breakdown,
        "head": "Stage" if is_breakdown else "Week from" if chart.id.endswith("_week") else "Month",
    }


def _section(
    briefing: Briefing,
    section: Section,
    evidence: Evidence,
    quotes: Mapping[tuple[str, int], ShownQuote],
    anchors: _Anchors,
) -> dict[str, Any]:
    sentences = []
    for place, sentence in enumerate(section.sentences):
        shown = _sentence(briefing, sentence, evidence, is_action=section.key == "actions")
        sentences.append(shown | {"anchor": anchors.next(shown["evidence"]), "quote": quotes.get((section.key, place))})
    return {"key": section.key, "title": section.title, "sentences": sentences}


def _sentence(briefing: Briefing, sentence: Sentence, evidence: Evidence, *, is_action: bool = False) -> dict[str, Any]:
    story = next((story for story in briefing.request.stories if story.id == sentence.story_id), None)
    shown: dict[str, Any] = {
        "segments": segments(briefing, sentence),
        "evidence": evidence.rows_of(sentence),
        "is_gap": not sentence.template,
        "owner": None,
    }
    if is_action and story is not None:
        shown |= {
            "segments": segments(briefing, sentence, action_text(sentence, story)),
            "owner": safe_name(story.action.owner),
            "unassigned": story.action.owner == UNASSIGNED,
            "due": due_phrase(story.action.due),
            "due_iso": story.action.due.isoformat(),
        }
    return shown


def _likelihoods(briefing: Briefing) -> list[str]:
    """What each likelihood word in use means: `likely: 55 to 80%`."""
    told = briefing.told_story_ids()
    used = {story.likelihood for story in briefing.request.stories if story.id in told and story.likelihood}
    return [
        f"{word}: {low * 100:.0f} to {high * 100:.0f}%"
        for word, (low, high) in LIKELIHOOD_SCALE.items()
        if word in used
    ]
