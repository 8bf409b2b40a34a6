"""The briefing as one HTML file that needs nothing else: style and charts inside, no script, no address."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from sophia_assets.insight.briefing import Briefing, Section, Sentence
from sophia_assets.insight.names import safe_name
from sophia_assets.insight.rendering.evidence import Evidence, freshness_rows, local_time, verification_sentence
from sophia_assets.insight.rendering.segments import action_text, segments
from sophia_assets.insight.rendering.svg import draw
from sophia_assets.insight.slots import day_phrase, due_phrase
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
    evidence, request = Evidence(briefing), briefing.request
    return _template().render(
        company=request.company_name,
        title=briefing.title,
        day=f"{request.date:%A}, {day_phrase(request.date)}",
        iso_day=request.date.isoformat(),
        bottom_line=[_sentence(briefing, sentence, evidence) for sentence in briefing.bottom_line],
        sections=[_section(briefing, section, evidence) for section in briefing.sections],
        charts=[{"chart": chart, "svg": draw(chart) if chart.points else None} for chart in briefing.charts],
        confidence=briefing.confidence,
        freshness=freshness_rows(briefing),
        likelihoods=_likelihoods(briefing),
        verification=verification_sentence(briefing),
        evidence=evidence.rows,
        generated=local_time(request.generated_at, ZoneInfo(request.timezone)),
        timezone=request.timezone,
        writer=briefing.writer,
    )


def _section(briefing: Briefing, section: Section, evidence: Evidence) -> dict[str, Any]:
    sentences = [
        _sentence(briefing, sentence, evidence, is_action=section.key == "actions") for sentence in section.sentences
    ]
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
