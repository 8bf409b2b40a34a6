"""The JSON form of a briefing, which programs and readers rely on: its keys stay stable."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sophia_assets.insight.briefing import Briefing, Sentence
from sophia_assets.insight.evidence import evidence_of
from sophia_assets.insight.gaps import excluded_sources, exclusion_reason
from sophia_assets.insight.last_time import since_last_as_json
from sophia_assets.insight.stories import story_as_json
from sophia_assets.insight.writing import SourceStatus
from sophia_assets.metrics.facts import fact_as_json


def briefing_as_json(briefing: Briefing) -> dict[str, Any]:
    """A dict that `json.dumps` takes; `facts` holds every fact that a sentence, a story or a chart cites.

    Names are as `names.safe_name` gives them, in texts and in the facts of a published briefing; whoever shows them
    escapes them for where they are shown.
    """
    request, told = briefing.request, briefing.told_story_ids()
    return {
        "kind": request.kind.key,
        "role": request.role,
        "date": request.date.isoformat(),
        "covers": request.kind.covered(request.date),
        "company": request.company_name,
        "title": briefing.title,
        "timezone": request.timezone,
        "generated_at": request.generated_at.isoformat(),
        "writer": briefing.writer,
        "bottom_line": briefing.bottom_line_text,
        "since_last": since_last_as_json(briefing.since_last),
        "bottom_line_sentences": [_sentence(sentence) for sentence in briefing.bottom_line],
        "sections": [
            {
                "key": section.key,
                "title": section.title,
                "sentences": [_sentence(sentence) for sentence in section.sentences],
            }
            for section in briefing.sections
        ],
        "stories": [{**story_as_json(story), "told": story.id in told} for story in request.stories],
        "charts": [asdict(chart) for chart in briefing.charts],
        "facts": [fact_as_json(fact) for fact in briefing.cited_facts()],
        "freshness": [_status(status) for status in request.statuses],
        "excluded_sources": [
            {"system": status.system, "display_name": status.display_name, "reason": exclusion_reason(status)}
            for status in excluded_sources(request)
        ],
        "confidence": {
            "level": briefing.confidence.level,
            "reason": briefing.confidence.reason,
            "unanswered": list(briefing.confidence.unanswered),
        },
        "verification": _verification(briefing),
        "reviews": [asdict(review) for review in briefing.reviews],
        "fallback": briefing.fallback or None,
        "usage": dict(briefing.usage),
        "evidence": evidence_of(briefing),
    }


def _sentence(sentence: Sentence) -> dict[str, Any]:
    return {
        "text": sentence.text,
        "fact_ids": list(sentence.fact_ids),
        "story_id": sentence.story_id,
        "template": sentence.template or None,
    }


def _status(status: SourceStatus) -> dict[str, Any]:
    return {
        "system": status.system,
        "display_name": status.display_name,
        "state": status.state,
        "last_loaded_at": status.last_loaded_at.isoformat() if status.last_loaded_at else None,
        "newest_data": status.newest_data.isoformat() if status.newest_data else None,
        "rows": status.rows,
        "message": status.message,
        "not_asked": status.not_asked or None,
        "failed_checks": list(status.failed_checks),
        "served_percent": status.rollout.percent,
        "switched_off_by": status.rollout.switched_off_by or None,
        "held_back": {table: day.isoformat() if day else None for table, day in status.held_back.items()},
    }


def _verification(briefing: Briefing) -> dict[str, Any]:
    checked = briefing.verification
    return {
        "status": "verified",
        "sentences": checked.sentences,
        "figures": checked.figures,
        # What was refused is never shown: its words are not known to be safe or true.
        "rejected": [
            {
                "section": item.section,
                "findings": [{"kind": finding.kind, "message": finding.message} for finding in item.findings],
            }
            for item in checked.rejected
        ],
        "rewritten_sections": list(checked.rewritten),
        "shortened": checked.shortened,
    }
