"""A time that a question names, and words that ask for one value per span.

Belongs here: the types. Does not belong here: which words name a time (`spans`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from sophia_assets.assistant.understanding.calendar_spans import Span, Unit


@dataclass(frozen=True)
class Time:
    """A time that a question names: `tokens` are the words it stands in.

    Either `span`, or `shift`: a time told by another one (`before` it, or the same a `year` before). `is_compared`:
    its words say that something is held against it. `problem` says why it means no days that have data. `is_now` stands
    for "now", which is no span of its own. `note` is said with the answer.
    """

    tokens: tuple[int, ...]
    span: Span | None = None
    shift: Literal["before", "year"] | None = None
    is_compared: bool = False
    is_now: bool = False
    point: date | None = None
    main: Span | None = None
    unit: Unit | None = None
    problem: str | None = None
    note: str | None = None


Grain = Literal["day", "week", "month", "quarter", "year"]


@dataclass(frozen=True)
class Rhythm:
    """Words that ask for one value per span: `monthly`, `per week`."""

    tokens: tuple[int, ...]
    grain: Grain
