"""How far a briefing can be relied on, and why: judged by rule from the systems' states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sophia_assets.control.rollouts import EVERYTHING
from sophia_assets.insight.gaps import unanswered
from sophia_assets.insight.names import listed
from sophia_assets.insight.writing import BriefingRequest, SourceStatus


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
    unsound = _unsound(connected)
    if behind:
        verb = "is" if len(behind) == 1 else "are"
        reason = f"{listed(behind)} {verb} not up to date; the other systems are."
        return Confidence("moderate", " ".join([reason, *unsound]), open_questions)
    if unsound:
        return Confidence("moderate", " ".join(unsound), open_questions)
    if open_questions:
        return Confidence(
            "moderate", "All connected systems are up to date, but some questions have no source.", open_questions
        )
    return Confidence(
        "high", "All connected systems are up to date, and every figure was checked against the facts it cites.", ()
    )


def _unsound(connected: Sequence[SourceStatus]) -> list[str]:
    """What is held back by its checks, and what serves although it does not meet them; a sentence each."""
    held = sorted(table for status in connected for table in status.held_back)
    failing = {name.rsplit(".", 1)[0] for status in connected for name in status.failed_checks}
    tables = sorted(failing.difference(held))
    told = []
    if partial := [status.display_name for status in connected if status.rollout.percent < EVERYTHING]:
        told.append(f"Only a part of {listed(partial)} is served, or none.")
    if held:
        told.append(f"Some data does not meet its checks and is held back: {listed(held)}.")
    if tables:
        told.append(f"Some data does not meet its checks: see {listed(tables)} before relying on figures from there.")
    return told
