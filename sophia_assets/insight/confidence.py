"""How far a briefing can be relied on, and why: judged by rule from the systems' states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sophia_assets.insight.gaps import unanswered
from sophia_assets.insight.names import listed
from sophia_assets.insight.writing import BriefingRequest


@dataclass(frozen=True)
class Confidence:
    """`level` with its reason in one plain sentence, and the questions that stay open."""

    level: Literal["high", "moderate", "low"]
    reason: str
    unanswered: tuple[str, ...]


def judge_confidence(request: BriefingRequest) -> Confidence:
    """High where every connected system is up to date and sound, moderate where one is not, low where none is."""
    connected = [status for status in request.statuses if status.state != "off"]
    behind = [status.display_name for status in connected if status.state != "fresh"]
    open_questions = tuple(question.asks for question in unanswered(request))
    if not connected or len(behind) == len(connected):
        return Confidence("low", "No connected system is up to date.", open_questions)
    if behind:
        names = listed(behind)
        verb = "is" if len(behind) == 1 else "are"
        return Confidence("moderate", f"{names} {verb} not up to date; the other systems are.", open_questions)
    unsound = [status for status in connected if status.failed_checks]
    if unsound:
        tables = sorted({name.rsplit(".", 1)[0] for status in unsound for name in status.failed_checks})
        reason = f"Some data does not meet its checks: see {listed(tables)} before relying on figures from there."
        return Confidence("moderate", reason, open_questions)
    if open_questions:
        return Confidence(
            "moderate", "All connected systems are up to date, but some questions have no source.", open_questions
        )
    return Confidence(
        "high", "All connected systems are up to date, and every figure was checked against the facts it cites.", ()
    )
