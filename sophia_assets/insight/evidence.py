"""The evidence that a stored briefing carries: enough to verify it again without the warehouse, and its seal.

Belongs here: what is stored for that, the manifest, and rebuilding a briefing from its JSON. Does not belong here: what
is found wrong with a stored briefing (`reverification`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from sophia_assets.insight.briefing import Briefing, Rejection, Section, Sentence, Verification
from sophia_assets.insight.charts import Chart
from sophia_assets.insight.confidence import Confidence
from sophia_assets.insight.constitution import Review
from sophia_assets.insight.gaps import QUESTIONS
from sophia_assets.insight.kinds import KINDS
from sophia_assets.insight.last_time import LastBriefing, since_last_from_json
from sophia_assets.insight.quotes import Quote
from sophia_assets.insight.stories import Story
from sophia_assets.insight.verification import Finding
from sophia_assets.insight.writing import BriefingRequest, SourceStatus
from sophia_assets.metrics.facts import Fact, FactSet, Unknown, fact_as_json
from sophia_assets.metrics.facts_frame import fact_from_json

MANIFEST = "manifest.json"
#: To be raised whenever slots, gaps or rules of verification change so that older briefings would no longer stand.
FORMAT = 1
_Value = TypeVar("_Value")


def evidence_of(briefing: Briefing) -> dict[str, Any]:
    """What the public keys of a briefing's JSON leave out and verifying it again needs.

    `grounds` are facts that no sentence cites: they show which questions could be answered, and what is known of the
    stories of the last briefing, so that the same gaps come of them.
    """
    request = briefing.request
    cited = {fact.id for fact in briefing.cited_facts()}
    return {
        "format": FORMAT,
        "release": release(),
        "grounds": [fact_as_json(fact) for fact in _grounds(request, cited)],
        "unknown": [
            {**asdict(entry), "day": entry.day.isoformat(), "since": entry.since.isoformat()}
            for entry in request.facts.unknown
        ],
        "shares": request.facts.shares,
        "rollouts": {status.system: asdict(status.rollout) for status in request.statuses},
        "quotes": {
            account: [{**asdict(quote), "at": quote.at.isoformat()} for quote in quotes]
            for account, quotes in request.quotes.items()
        },
        "last": _last_as_json(request.last, cited),
    }


def _grounds(request: BriefingRequest, cited: Collection[str]) -> Iterator[Fact]:
    """One fact, where none is cited, of each metric by which gaps are judged, of each that the last briefing's stories
    rested on, and of those with a target."""
    asked = {metric for question in QUESTIONS for metric in question.metrics}
    then = request.last.stories.values() if request.last else ()
    told = {str(fact_id).split(".")[0] for story in then for fact_id in story.get("fact_ids") or ()}
    shown: set[tuple[str, str]] = set()
    for fact in sorted(request.facts, key=lambda fact: fact.id not in cited):
        whole = ("whole", fact.metric) if fact.metric in asked and not fact.dimensions else None
        any_of = ("any", fact.metric) if fact.metric in told else None
        target = ("target", "") if fact.target is not None else None
        new = {what for what in (whole, any_of, target) if what} - shown
        shown |= new
        if new and fact.id not in cited:
            yield fact


def _last_as_json(last: LastBriefing | None, cited: Iterable[str]) -> dict[str, Any] | None:
    """The briefing before, as far as what is told of it rests on it; None where there was none."""
    if last is None:
        return None
    return {
        "date": last.date.isoformat(),
        "facts": {fact_id: dict(last.facts[fact_id]) for fact_id in sorted(cited) if fact_id in last.facts},
        "told_story_ids": sorted(last.told_story_ids),
        "stories": {
            story_id: {key: story.get(key) for key in ("id", "subject_name", "fact_ids")}
            for story_id, story in last.stories.items()
        },
        "systems": dict(last.systems),
    }


@cache
def release() -> str:
    """What tells the code that writes and shows briefings, and the catalog whose words it uses, from any other."""
    package = Path(__file__).parents[1]
    folders = [package / "insight", package / "metrics"]
    files = sorted(
        file
        for folder in folders
        for file in folder.rglob("*")
        if file.suffix in (".py", ".yaml", ".j2", ".css") and file.is_file()
    )
    content = [(file.relative_to(package).as_posix(), sha256(file.read_bytes()).hexdigest()) for file in files]
    return sha256(json.dumps(content).encode()).hexdigest()[:16]


def manifest_of(content: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, Any]:
    """The seal of a briefing: the SHA-256 of each file's content by its name, and of the evidence alone."""
    return {
        "format": FORMAT,
        "kind": content["kind"],
        "role": content["role"],
        "date": content["date"],
        "files": {name: sha256(text).hexdigest() for name, text in sorted(files.items())},
        "evidence": evidence_digest(content),
    }


def seal_digest(manifest: bytes) -> str:
    """What the register holds of a published briefing: the SHA-256 of its manifest, as it lies on the disk."""
    return sha256(manifest).hexdigest()


def evidence_digest(content: Mapping[str, Any]) -> str:
    """The SHA-256 of everything that a briefing's sentences rest on, however its JSON is laid out."""
    parts = [content.get(key) for key in ("facts", "stories", "freshness", "evidence")]
    return sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def is_kept(content: Mapping[str, Any]) -> bool:
    """Whether a briefing's JSON carries evidence at all."""
    return isinstance(content.get("evidence"), dict) and "format" in content["evidence"]


def rebuilt(content: Mapping[str, Any]) -> Briefing:
    """The briefing that a stored JSON tells of, with the facts, stories and states that were kept with it.

    Raises KeyError, TypeError, ValueError or AttributeError where the JSON does not hold what was stored.
    """
    evidence = content["evidence"]
    request = BriefingRequest(
        company_name=content["company"],
        date=date.fromisoformat(content["date"]),
        timezone=content["timezone"],
        facts=_facts(content["facts"], evidence),
        statuses=tuple(_status(item, evidence["rollouts"][item["system"]]) for item in content["freshness"]),
        generated_at=datetime.fromisoformat(content["generated_at"]),
        stories=_kept(tuple[Story, ...], content["stories"]),
        kind=KINDS[content["kind"]],
        role=content["role"],
        quotes=_kept(dict[str, tuple[Quote, ...]], evidence["quotes"]),
        last=None if evidence["last"] is None else _kept(LastBriefing, evidence["last"]),
    )
    checked = content["verification"]
    return Briefing(
        request=request,
        writer=content["writer"],
        bottom_line=tuple(map(_sentence, content["bottom_line_sentences"])),
        sections=tuple(
            Section(section["key"], section["title"], tuple(map(_sentence, section["sentences"])))
            for section in content["sections"]
        ),
        charts=_kept(tuple[Chart, ...], content["charts"]),
        since_last=since_last_from_json(content.get("since_last")),
        confidence=_kept(Confidence, content["confidence"]),
        verification=Verification(
            sentences=checked["sentences"],
            figures=checked["figures"],
            rejected=tuple(map(_rejection, checked["rejected"])),
            rewritten=tuple(checked["rewritten_sections"]),
            shortened=checked["shortened"],
        ),
        usage=dict(content["usage"]),
        reviews=_kept(tuple[Review, ...], content["reviews"]),
        fallback=content["fallback"] or "",
    )


def _facts(cited: Sequence[dict[str, Any]], evidence: Mapping[str, Any]) -> FactSet:
    unknown = [
        Unknown(**{**entry, "day": date.fromisoformat(entry["day"]), "since": datetime.fromisoformat(entry["since"])})
        for entry in evidence["unknown"]
    ]
    return FactSet(map(fact_from_json, [*cited, *evidence["grounds"]]), unknown, evidence["shares"])


def _kept(of: type[_Value], given: object) -> _Value:
    """A stored value in its own type again; keys that the type does not know are for readers only."""
    return TypeAdapter(of).validate_json(json.dumps(given), strict=True)


def _status(given: Mapping[str, Any], rollout: Mapping[str, Any]) -> SourceStatus:
    return _kept(SourceStatus, {**given, "not_asked": given["not_asked"] or "", "rollout": rollout})


def _rejection(given: Mapping[str, Any]) -> Rejection:
    """A refused sentence without its words, which are kept nowhere."""
    findings = (Finding(0, 0, "", item["kind"], item["message"]) for item in given["findings"])
    return Rejection(given["section"], "", tuple(findings))


def _sentence(given: Mapping[str, Any]) -> Sentence:
    return Sentence(given["text"], given["template"] or "", tuple(given["fact_ids"]), given["story_id"])
