"""The interface between a briefing and whoever writes it: the request, and a draft that holds slots.

A draft never holds a value. It holds `{{fact:ID}}`, `{{fact:ID|aspect}}` or `{{story:ID|aspect}}`,
which `slots` fills, so that a writer cannot get a figure, a name or a direction wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, Protocol

from sophia_assets.errors import SophiaError
from sophia_assets.insight.constitution import Principle
from sophia_assets.insight.kinds import DAILY, BriefingKind
from sophia_assets.insight.last_time import LastBriefing
from sophia_assets.insight.quotes import Quote
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
    owns it, where the data knows one. `stories` is filled in by `build_briefing`. `facts` and all else holds only what
    `role` may see. `quotes` maps an account's id to what was said there, `last` is the reader's briefing before this.
    """

    company_name: str
    date: date
    timezone: str
    facts: FactSet
    statuses: tuple[SourceStatus, ...]
    generated_at: datetime
    owners: Mapping[str, str] = field(default_factory=dict)
    stories: tuple[Story, ...] = ()
    kind: BriefingKind = DAILY
    role: str = "executive"
    quotes: Mapping[str, tuple[Quote, ...]] = field(default_factory=dict)
    last: LastBriefing | None = None

    @property
    def key(self) -> str:
        """What this briefing is known by wherever one is named: kind, day and role."""
        return f"{self.kind.key}:{self.date}:{self.role}"


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
class ModelUse:
    """What a draft took of models: the one that wrote it, all calls' tokens and money, what its prompt left out and
    why, and what went wrong on the way, a line each."""

    provider: str | None = None
    model: str | None = None
    prompt_version: str | None = None
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    left_out: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()

    def plus(self, later: ModelUse) -> ModelUse:
        """Both as one: sums, everything left out, every trouble; provider and model of the later that has any."""
        return ModelUse(
            provider=later.provider or self.provider,
            model=later.model or self.model,
            prompt_version=later.prompt_version or self.prompt_version,
            calls=self.calls + later.calls,
            input_tokens=self.input_tokens + later.input_tokens,
            output_tokens=self.output_tokens + later.output_tokens,
            cost_usd=self.cost_usd + later.cost_usd,
            left_out=tuple(dict.fromkeys([*self.left_out, *later.left_out])),
            troubles=(*self.troubles, *later.troubles),
        )


@dataclass(frozen=True)
class Draft:
    """What a writer returns: at most 40 words of bottom line, and sections in any order.

    `used` is what its writing took; at its defaults for a writer that calls no model.
    """

    bottom_line: tuple[DraftSentence, ...]
    sections: tuple[DraftSection, ...]
    used: ModelUse = ModelUse()

    def section(self, key: str) -> tuple[DraftSentence, ...]:
        """The sentences drafted for a section, none if it was left out."""
        return tuple(sentence for section in self.sections if section.key == key for sentence in section.sentences)


class Writer(Protocol):
    """Puts a request's facts and stories into words."""

    name: str

    def draft(self, request: BriefingRequest) -> Draft:
        """Returns a draft in slots. It is checked sentence by sentence: nothing in it is trusted."""
        ...


@dataclass(frozen=True)
class Criticism:
    """Something that speaks against a drafted sentence: `section` is `bottom_line` or a key of `SECTION_TITLES`.

    `sentence` counts from 0 within the section; None is about the section, or the draft where that is empty.
    """

    principle: Principle
    section: str
    sentence: int | None
    problem: str


class RevisingWriter(Writer, Protocol):
    """A writer that can judge a draft and write it anew."""

    def criticise(self, request: BriefingRequest, draft: Draft) -> tuple[tuple[Criticism, ...], ModelUse]:
        """What speaks against a draft's helpfulness and tone, and what finding that out took."""
        ...

    def revise(self, request: BriefingRequest, draft: Draft, criticisms: Sequence[Criticism]) -> Draft:
        """A new draft in which the criticisms are met. Raises WriterUnavailable."""
        ...


class WriterUnavailable(SophiaError):
    """No model wrote: the offline writer takes over. `used` is what trying took."""

    def __init__(self, message: str, used: ModelUse | None = None, *, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.used = used or ModelUse()
