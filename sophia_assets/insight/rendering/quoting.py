"""What people said, beneath the sentences that tell of them: word for word, in quotation marks, with where it was."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sophia_assets.insight.briefing import Briefing
from sophia_assets.insight.quotes import Quote
from sophia_assets.insight.slots import day_phrase
from sophia_assets.sources import registry

MOST_QUOTES = 3
MOST_CHARACTERS = 320
#: Where a story is told at length; the bottom line and the steps only name it.
_TOLD_IN = ("risks", "changes", "customers")
_PLACES = {"transcripts": "in a call", "calls": "in a call", "messages": "in chat"}


@dataclass(frozen=True)
class ShownQuote:
    """A quote as a reader sees it. `mark` is its number among the quotes: `Q1`."""

    mark: str
    text: str
    who: str
    system: str
    record: str
    story_id: str


def shown_quotes(briefing: Briefing) -> dict[tuple[str, int], ShownQuote]:
    """The quote beneath each sentence, by section key and place: one for a story, three in all."""
    request = briefing.request
    stories = {story.id: story for story in request.stories if story.subject_type == "account"}
    found: dict[tuple[str, int], ShownQuote] = {}
    told: set[str] = set()
    for section in sorted(briefing.sections, key=lambda section: (*_TOLD_IN, section.key).index(section.key)):
        if section.key not in _TOLD_IN:
            continue
        for place, sentence in enumerate(section.sentences):
            story = stories.get(sentence.story_id or "")
            if story is None or story.id in told or len(found) == MOST_QUOTES:
                continue
            quote = next((quote for quote in request.quotes.get(story.subject_id, ()) if _can_be_shown(quote)), None)
            if quote is not None:
                told.add(story.id)
                found[section.key, place] = _shown(quote, len(found) + 1, story.id, ZoneInfo(request.timezone))
    return found


def _can_be_shown(quote: Quote) -> bool:
    """Not one so long that it would have to be cut: it would be verbatim no more."""
    return 0 < len(quote.text.strip()) <= MOST_CHARACTERS


def _shown(quote: Quote, number: int, story_id: str, zone: ZoneInfo) -> ShownQuote:
    day = day_phrase(quote.at.astimezone(zone).date())
    where = _PLACES.get(quote.object, "in writing")
    return ShownQuote(
        mark=f"Q{number}",
        text=visible(quote.text),
        who=f"{_speaker(quote.said_by)}, {where} on {day}",
        system=registry.display_name(quote.system),
        record=f"{quote.object} {visible(quote.source_id)}, characters {quote.start} to {quote.end}",
        story_id=story_id,
    )


def _speaker(said_by: str) -> str:
    """`a customer`, `somebody of ours`: the side, never the name."""
    sides = {"customer": "a customer", "company": "somebody of ours", "us": "somebody of ours"}
    known = said_by.strip().lower()
    return sides.get(known) or (known if known in sides.values() else "somebody")


def visible(text: str) -> str:
    """The text on one line without what cannot be seen: control characters, overrides of direction, hidden tags."""
    kept = (" " if ch.isspace() else ch for ch in text if ch.isspace() or unicodedata.category(ch)[0] != "C")
    return " ".join("".join(kept).split())
