"""What changed since the reader's last briefing: the same facts, then and now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any


@dataclass(frozen=True)
class LastBriefing:
    """The briefing of the same kind and role before this one: its day, its facts' JSON by id, the stories it told."""

    date: date
    facts: Mapping[str, Mapping[str, Any]]
    told_story_ids: frozenset[str]
