"""What the labels of recorded series may hold, where that is a list of words.

Belongs here: the words. Other labels hold names that are declared elsewhere: systems and tables (`sources.registry`,
`table` without its system; models with their schema as `source`), circuits, flags, roles, kinds of briefings, and of
language models those that settings name. None ever holds free text or anything about a person.
"""

from __future__ import annotations

from typing import Final

FETCH_KINDS: Final = (
    "connection",
    "authentication",
    "permission",
    "quota",
    "validation",
    "schema_drift",
    "source",
    "configuration",
    "warehouse",
    "unexpected",
)
"""How reading a system fails. A read that a circuit or a flag holds back has not failed."""
ROW_CHANGES: Final = ("new", "changed", "deleted", "unchanged")
SEVERITIES: Final = ("error", "warn", "not_run")
"""Of a check that did not pass; `not_run` is one that could not be made, which says nothing about the data."""
CACHES: Final = ("answer", "facts", "model_answer")
"""Answers to questions, a day's facts, and answers of language models."""
HIT: Final = "hit"
MISS: Final = "miss"
CACHE_OUTCOMES: Final = (HIT, MISS)
CALL_ANSWERED: Final = "answered"
"""The outcome of a call to a language model that gave a usable answer; others say how it failed."""
TOKEN_DIRECTIONS: Final = ("input", "output", "cached")
"""Cached tokens are among those of the input."""
SENTENCE_OUTCOMES: Final = ("kept", "revised", "refused", "shortened")
"""`kept` are published, `refused` did not stand against the facts, `shortened` stood and were too many; `revised` ones
were mended after a review, and are kept or refused as well."""
REVIEW_OUTCOMES: Final = ("passed", "none", "noted", "revised", "rewritten", "dropped")
"""What became of a finding; `passed` where a principle has none, `none` where nothing was done about it."""
QUESTION_STATUSES: Final = ("answered", "abstained", "clarify", "denied", "failed")
"""`failed` is a fault of the platform's own, whatever its reader was told."""
ASSISTANT: Final = "assistant"
QUESTION: Final = "questions"
"""The `source` and `table` of questions that nothing was found for."""
NO_CHANNEL: Final = "none"
"""The channel of an edition that could not be delivered by any."""
