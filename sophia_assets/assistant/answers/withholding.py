"""What may be told of a question that was not read: asking back must name nothing that the reader may not see.

Belongs here: leaving out choices, and sentences that name figures or names of others. Does not belong here: what is
asked back (`understanding.asking_back`), or who may see what (`access.policies`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import replace

from sophia_assets.assistant.interface import NotRead, Reading
from sophia_assets.metrics.catalog import Catalog
from sophia_assets.metrics.catalog.entries import Metric, all_words

_WHICH = "That can be read in more than one way; which of these is meant?"
_NOT_READ = "The question cannot be answered as it stands. Say “help” to see what can be asked."


def fit_for_reader(
    found: NotRead,
    question: str,
    catalog: Catalog,
    may_see: Callable[[str], bool],
    read: Callable[[str], Reading | None],
) -> NotRead | None:
    """What is asked back, as far as whoever asks may hear it; None where the question is about what is denied.

    `read` reads a choice as a question of the same reader.
    """
    hidden = [metric for name, metric in catalog.metrics.items() if not may_see(name)]
    if not hidden:
        return found
    seen = [metric for name, metric in catalog.metrics.items() if may_see(name)]
    dimensions = {dimension for metric in seen for dimension in metric.dimensions}
    if _is_about(question, hidden, seen):
        return None
    kept = tuple(each for each in found.choices if _may_hear(read(each), may_see, dimensions))
    if found.choices and not kept:
        return replace(found, status="abstained", reason=_NOT_READ, choices=())
    if "account" not in dimensions and "account or person" in found.reason:
        return replace(found, reason=_NOT_READ, choices=())
    if len(kept) < len(found.choices) or _names_one(found.reason, question, hidden):
        return replace(found, reason=_WHICH if kept else _NOT_READ, choices=kept)
    return found


def _may_hear(reading: Reading | None, may_see: Callable[[str], bool], dimensions: Collection[str]) -> bool:
    """Whether a choice is a question about figures and names that may be seen."""
    if reading is None:
        return False
    return all(map(may_see, reading.metrics)) and {each.dimension for each in reading.filters} <= {
        *dimensions,
        "country",
    }


def _is_about(question: str, hidden: Collection[Metric], seen: Collection[Metric]) -> bool:
    """Whether the longest words for a figure in a question mean only figures that are not to be seen."""
    text = _plain(question)
    theirs = {word for metric in hidden for word in all_words(metric) if _says(text, word)}
    own = {word for metric in seen for word in all_words(metric) if _says(text, word)}
    return any(not any(word in longer for longer in own) for word in theirs)


def _names_one(reason: str, question: str, hidden: Collection[Metric]) -> bool:
    """Whether a sentence names a figure that the question itself did not."""
    text, asked = _plain(reason), _plain(question)
    words = (word for metric in hidden for word in (metric.label.lower(), metric.spoken.lower()))
    return any(_says(text, word) and not _says(asked, word) for word in words)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _says(text: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None
