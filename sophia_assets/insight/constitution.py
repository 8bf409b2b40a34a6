"""The constitution: six principles that every briefing is reviewed by, and the record of each review."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Principle(StrEnum):
    """The six principles, in the words that a reader sees."""

    HELPFUL = "Helpful, harmless and honest"
    CONFIDENTIAL = "Protects confidential business information"
    ACCURATE = "Accurate insights based on data"
    NO_SPECULATION = "No speculation without data"
    PRIVACY = "Privacy and data governance"
    ACTIONABLE = "Actionable"


@dataclass(frozen=True)
class Review:
    """One review of one principle: what was found where, by whom, and what was done about it.

    `round` is 0 for the first draft, then 1 and 2. `section` is `bottom_line` or a key of `SECTION_TITLES`, empty for
    the briefing as a whole. A principle without any finding has one review whose `finding` is empty.
    """

    principle: Principle
    by: Literal["code", "model"]
    round: int
    finding: str = ""
    section: str = ""
    sentence: int | None = None
    action: Literal["none", "revised", "dropped", "rewritten", "noted"] = "none"
