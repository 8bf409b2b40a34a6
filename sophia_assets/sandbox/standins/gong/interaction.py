"""What Gong measures of how people talk in a call, worked out from its transcript."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise
from statistics import fmean
from typing import Any, NamedTuple

from sophia_assets.sandbox.company_data import GongCall

_MOST_INTERACTIVE = 10.0


class _Stretch(NamedTuple):
    """One speaker's talking until somebody else speaks; times in milliseconds, pauses left out of `talked`."""

    is_host: bool
    began: int
    ended: int
    talked: int


def speakers(call: GongCall) -> list[dict[str, Any]]:
    """How long each participant spoke, by the participant's id."""
    parties = {party.get("speakerId"): party for party in call.parties}
    spent: dict[str, int] = {}
    for speaker, _, start, end, _ in call.sentences:
        spent[speaker] = spent.get(speaker, 0) + end - start
    return [
        {
            "id": parties.get(speaker, {}).get("id") or speaker,
            "userId": parties.get(speaker, {}).get("userId"),
            "talkTime": talked / 1000,
        }
        for speaker, talked in spent.items()
    ]


def measures(call: GongCall) -> dict[str, float]:
    """The host's figures by Gong's names; none for a call that nobody transcribed. Durations are in seconds."""
    stretches = list(_stretches(call))
    if not stretches:
        return {}
    own = [stretch.talked for stretch in stretches if stretch.is_host]
    others = [stretch.talked for stretch in stretches if not stretch.is_host]
    waits = [after.began - before.ended for before, after in pairwise(stretches) if after.is_host]
    switches_a_minute = (len(stretches) - 1) / max(call.duration_s / 60, 1)
    return {
        "Talk Ratio": round(sum(own) / max(sum(own) + sum(others), 1), 4),
        "Longest Monologue": max(own, default=0) / 1000,
        "Longest Customer Story": max(others, default=0) / 1000,
        "Interactivity": round(min(switches_a_minute * 10, _MOST_INTERACTIVE), 2),
        "Patience": round(max(fmean(waits), 0) / 1000, 2) if waits else 0.0,
    }


def questions(call: GongCall) -> dict[str, int]:
    """How many questions the company's people and the others asked."""
    inside = {party.get("speakerId") for party in call.parties if party.get("affiliation") == "Internal"}
    asked = [speaker in inside for speaker, *_, text in call.sentences if text.rstrip().endswith("?")]
    return {"companyCount": sum(asked), "nonCompanyCount": len(asked) - sum(asked)}


def _stretches(call: GongCall) -> Iterator[_Stretch]:
    host = next((party.get("speakerId") for party in call.parties if party.get("userId") == call.primary_user_id), None)
    for speaker, spoken in groupby(call.sentences, key=lambda sentence: sentence[0]):
        passages = [(start, end) for _, _, start, end, _ in spoken]
        talked = sum(end - start for start, end in passages)
        yield _Stretch(speaker == host, passages[0][0], passages[-1][1], talked)
