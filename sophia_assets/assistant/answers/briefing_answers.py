"""The newest briefing as a source of answers: the facts it has published, its bottom line, and the stories it tells.

Belongs here: finding and reading the newest edition that somebody may read. Does not belong here: what is said of it.
What a briefing has said once is said again in the same figures, so that no two answers of a morning differ.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sophia_assets.access.principal import Principal
from sophia_assets.access.roles import EXECUTIVE
from sophia_assets.errors import SophiaError
from sophia_assets.metrics.facts import Fact
from sophia_assets.metrics.facts_frame import fact_from_json

if TYPE_CHECKING:
    from sophia_assets.insight.archive import BriefingArchive


@dataclass(frozen=True)
class ToldStory:
    """A story of the briefing with the sentences that tell it, verified when they were published."""

    id: str
    kind: str
    subject_type: str
    subject_id: str
    metrics: frozenset[str]
    fact_ids: tuple[str, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class NewestBriefing:
    """A briefing as far as its reader may see it. `digest` tells it from any other, and from itself written anew."""

    day: date
    digest: str
    bottom_line: str = ""
    bottom_line_facts: tuple[str, ...] = ()
    stories: tuple[ToldStory, ...] = ()
    facts: Mapping[tuple[str, str, tuple[tuple[str, str], ...]], Fact] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """`briefing of 2026-11-20`."""
        return f"briefing of {self.day.isoformat()}"

    def find(self, metric: str, period_key: str, entity: tuple[str, str] | None = None) -> Fact | None:
        """The fact that the briefing has of a metric, a period key and an entity (dimension, id)."""
        return self.facts.get((metric, period_key, (entity,) if entity else ()))

    def by_id(self, fact_id: str) -> Fact | None:
        """The fact with that id."""
        return next((fact for fact in self.facts.values() if fact.id == fact_id), None)

    def stories_of(self, metrics: Collection[str]) -> list[ToldStory]:
        """The stories about any of these metrics, in the briefing's order."""
        return [story for story in self.stories if story.metrics.intersection(metrics) and story.sentences]

    def stories_about(self, subject_type: str, subject_id: str) -> list[ToldStory]:
        """The stories about somebody."""
        wanted = (subject_type, subject_id)
        return [story for story in self.stories if (story.subject_type, story.subject_id) == wanted and story.sentences]


class NewestBriefings:
    """Reads the newest daily briefing of each edition once, and again when it is written anew. Thread-safe."""

    def __init__(self, archive: BriefingArchive) -> None:
        self._archive = archive
        self._kept: dict[str, NewestBriefing] = {}
        self._lock = threading.Lock()

    def for_reader(
        self, principal: Principal, may_read: Callable[[str], bool], may_see: Callable[[str], bool]
    ) -> NewestBriefing | None:
        """The newest edition of the principal's role, else the executive's where it may be read; None where there is
        none. `may_read` says it of an edition by its role, `may_see` of a metric. What cannot be read counts as none.

        What is no longer to be seen by today's rules is left out, with every sentence that rests on it.
        """
        if not principal.rows.is_everything:
            return None
        for role in dict.fromkeys((principal.role, EXECUTIVE)):
            if may_read(role) and (found := self._newest(role)) is not None:
                return seen_by(found, may_see)
        return None

    def _newest(self, role: str) -> NewestBriefing | None:
        try:
            days = self._archive.days(role=role)
            if not days:
                return None
            files = self._archive.files(days[-1], role=role)
            mark = files.manifest if files.manifest.exists() else files.json
            stat = mark.stat()
            digest = sha256(f"{role} {days[-1]} {stat.st_mtime_ns} {stat.st_size}".encode()).hexdigest()[:16]
            with self._lock:
                kept = self._kept.get(role)
            if kept is not None and kept.digest == digest:
                return kept
            found = from_json(self._archive.read(days[-1], role=role), digest)
        except (SophiaError, OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        with self._lock:
            self._kept[role] = found
        return found


def from_json(content: Mapping[str, Any], digest: str) -> NewestBriefing:
    """A briefing's public JSON as a source of answers. Raises KeyError, TypeError or ValueError where it is none."""
    facts = {fact.id: fact for fact in map(fact_from_json, content["facts"])}
    sentences = [
        sentence
        for part in [content["bottom_line_sentences"], *(section["sentences"] for section in content["sections"])]
        for sentence in part
    ]
    told: dict[str, list[str]] = {}
    for section in content["sections"]:
        for sentence in section["sentences"]:
            if sentence.get("story_id") and section["key"] != "actions":
                told.setdefault(sentence["story_id"], []).append(sentence["text"])
    used: dict[str, list[str]] = {}
    for sentence in sentences:
        if sentence.get("story_id"):
            used.setdefault(sentence["story_id"], []).extend(sentence.get("fact_ids") or ())
    return NewestBriefing(
        day=date.fromisoformat(content["date"]),
        digest=digest,
        bottom_line=str(content["bottom_line"]),
        bottom_line_facts=tuple(
            dict.fromkeys(
                fact_id for each in content["bottom_line_sentences"] for fact_id in each.get("fact_ids") or ()
            )
        ),
        stories=tuple(_story(story, facts, told, used) for story in content["stories"]),
        facts={(fact.metric, fact.period.key, tuple(sorted(fact.entity_ids.items()))): fact for fact in facts.values()},
    )


def _story(
    story: Mapping[str, Any],
    facts: Mapping[str, Fact],
    told: Mapping[str, list[str]],
    used: Mapping[str, list[str]],
) -> ToldStory:
    ids = tuple(dict.fromkeys([*story["fact_ids"], *used.get(story["id"], ())]))
    metrics = frozenset(facts[each].metric if each in facts else each.partition(".")[0] for each in ids)
    return ToldStory(
        id=story["id"],
        kind=story["kind"],
        subject_type=story["subject_type"],
        subject_id=str(story["subject_id"]),
        metrics=metrics,
        fact_ids=ids,
        sentences=tuple(told.get(story["id"], ())),
    )


def seen_by(briefing: NewestBriefing, may_see: Callable[[str], bool]) -> NewestBriefing:
    """The briefing without every fact, story and bottom line that rests on a metric that may not be seen."""
    seen: dict[str, bool] = {}

    def sees(metric: str) -> bool:
        if metric not in seen:
            seen[metric] = may_see(metric)
        return seen[metric]

    facts = {key: fact for key, fact in briefing.facts.items() if sees(fact.metric)}
    if len(facts) == len(briefing.facts) and all(sees(m) for story in briefing.stories for m in story.metrics):
        return briefing
    known = {fact.id for fact in facts.values()}
    is_whole = all(each in known for each in briefing.bottom_line_facts)
    return NewestBriefing(
        briefing.day,
        briefing.digest,
        briefing.bottom_line if is_whole else "",
        briefing.bottom_line_facts if is_whole else (),
        tuple(story for story in briefing.stories if all(map(sees, story.metrics))),
        facts,
    )
