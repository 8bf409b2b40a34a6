"""What people said, word for word, with a pointer to where they said it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Quote:
    """A verbatim span. `text` is as it stands in the source, `at` is UTC.

    `system`, `object` (`transcripts`, `messages`) and `source_id` point to the record; `start` and `end` bound the
    span within its text. `said_by` says on which side the speaker is, never who it was.
    """

    id: str
    text: str
    system: str
    object: str
    source_id: str
    start: int
    end: int
    at: datetime
    said_by: str
    account_id: str
