"""The interface between a briefing and whoever writes it: the request, and a draft that holds slots.

A draft never holds a value. It holds `{{fact:ID}}`, `{{fact:ID|aspect}}` or `{{story:ID|aspect}}`,
which `slots` fills, so that a writer cannot get a figure, a name or a direction wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, Protocol

from sophia_assets.insight.stories import Story
from sophia_assets.metrics.facts import FactSet

SourceState = Literal["fresh", "stale", "failed", "off", "empty"]

#: The sections of a briefing, in the order in which every briefing has them.
SECTION_TITLES: dict[str, str] = {
    "performance": "How we did",
    "targets": "Against target",
    "customers": "What customers experienced",
    "product": "Product and delivery",
    "changes": "What changed",
    "risks": "Risks",
    "actions": "Next steps",
}
MAX_BOTTOM_LINE_WORDS = 40
MAX_BODY_WORDS = 350
SECTION_LIMITS: dict[str, int] = {
    "performance": 5,
    "targets": 3,
    "customers": 4,
    "product": 3,
    "changes": 5,
    "risks": 3,
    "actions": 4,
}


@dataclass(frozen=True)
class Rollout:
    """What operators have set of a system: which `percent` of its `entities` (such as calls) is served.

    `switched_off_by` names the flag that keeps it from being read, `has_changed` says that the figures at hand were
    computed while another share was served.
    """

    percent: int = 100
    entities: str = "records"
    switched_off_by: str = ""
    has_changed: bool = False

    @property
    def is_withheld(self) -> bool:
        """Whether nothing of the system is served."""
        return self.percent == 0


@dataclass(frozen=True)
class SourceStatus:
    """How a business system's data stands: `last_loaded_at` is UTC, `newest_data` a business day.

    `off` means not connected, `empty` connected but without any data, `failed` that the last load
    did not succeed and older data serves. `held_back` names the tables that broke a rule (`system.name`), each with the
    last day of the good data that serves instead; None where there is none. `not_asked` says since or until when the
    system is not asked, and why, while its circuit is open.
    """

    system: str
    display_name: str
    state: SourceState
    last_loaded_at: datetime | None = None
    newest_data: date | None = None
    rows: int = 0
    message: str = ""
    failed_checks: tuple[str, ...] = ()
    held_back: Mapping[str, date | None] = field(default_factory=dict)
    not_asked: str = ""
    rollout: Rollout = Rollout()


@dataclass(frozen=True)
class BriefingRequest:
    """Everything a briefing is made of. `date` is a business day in `timezone`; `generated_at` is UTC.

    `owners` maps `subject_type:subject_id` (`account:1001`, `deal:77`) to the name of the person who
    owns it, where the data knows one. `stories` is filled in by `build_briefing`.
    """

    company_name: str
    date: date
    timezone: str
    facts: FactSet
    statuses: tuple[SourceStatus, ...]
    generated_at: datetime
    owners: Mapping[str, str] = field(default_factory=dict)
    stories: tuple[Story, ...] = ()


@dataclass(frozen=True)
class DraftSentence:
    """One statement whose values are slots; `story_id` names the story it tells, if it tells one."""

    text: str
    story_id: str | None = None


@dataclass(frozen=True)
class DraftSection:
    """The sentences of one section; `key` is a key of `SECTION_TITLES`."""

    key: str
    sentences: tuple[DraftSentence, ...]


@dataclass(frozen=True)
class Draft:
    """What a writer returns: at most 40 words of bottom line, and sections in any order.

    `model`, `input_tokens`, `output_tokens` and `cost_usd` stay at their defaults for a writer that
    calls no model.
    """

    bottom_line: tuple[DraftSentence, ...]
    sections: tuple[DraftSection, ...]
    model: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0

    def section(self, key: str) -> tuple[DraftSentence, ...]:
        """The sentences drafted for a section, none if it was left out."""
        return tuple(sentence for section in self.sections if section.key == key for sentence in section.sentences)


class Writer(Protocol):
    """Puts a request's facts and stories into words."""

    name: str

    def draft(self, request: BriefingRequest) -> Draft:
        """Returns a draft in slots. It is checked sentence by sentence: nothing in it is trusted."""
        ...
