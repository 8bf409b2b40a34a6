"""Where in a drafted sentence each kind of slot may stand, so that what is filled in makes sense there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sophia_assets.insight.slots import SLOT
from sophia_assets.insight.writing import DraftSentence

#: What has to stand before a slot of an aspect that is no figure.
_PLACES = {
    "moved": re.compile(r"^(?!.*\b(?:(?<!spoken )to|from|at|by|in|on|of|since|than|with|pays|is|are|shows?)\s$).+\s$"),
    "compared": re.compile(r"\}\}\s$"),
    "trend": re.compile(r"(?:^|\b(?:shows?|showing|(?<!ompared )with|has|have|[Tt]here is)\s)$"),
    "previous_period": re.compile(
        r"(?i)(?:^|\b(?:since|from|at|in|on|with|than|against|to|of)\s)$(?<!\}\} to )(?<!spoken to )"
        r"(?<!stands at )(?<!stand at )(?<!stood at )(?<!come to )"
    ),
    "period": re.compile(
        r"^(?!.*\b(?:shows?|is|are|was|were|to|from|of|at|by|us|now|than|added|pays|owes|worth|a|the|rose)\s$)"
    ),
    "owner": re.compile(r"(?i)(?:owned by|owner is|owner:|looked after by|:)\s$"),
    "likelihood": re.compile(r"(?i)\b(?:is|are|be|a|an|has|have)\s$"),
    "due": re.compile(r"(?i)\bby\s$"),
}
_OWNER_PLACE = re.compile(r"(?i)\b(?:owned by|owner is|owner:|looked after by)\s$")
_DUE_PLACE = re.compile(r"(?i)(?:^|\b(?:decide|needed|decision) )by\s$")
_BEHIND_PERIOD = re.compile(
    r"$|[,.;:)]|\s(?:and|but|while|with|is|are|was|were|from|against|compared|at|in|than|which|on|for|after|put|shows?)\b|\s\{\{"
)


def misplaced_slots(sentence: DraftSentence) -> Iterator[tuple[re.Match[str], str]]:
    """Slots that belong to another story, or that stand where their kind cannot make sense."""
    slots = list(SLOT.finditer(sentence.text))
    for match, following in zip(slots, [*slots[1:], None], strict=False):
        before, after = sentence.text[: match.start()], sentence.text[match.end() :]
        gap = sentence.text[match.end() : following.start()] if following else after
        aspect = match["aspect"] or ("value" if match["kind"] == "fact" else "subject")
        if match["kind"] == "story" and match["id"] != sentence.story_id:
            yield match, "the slot is about another story than the sentence"
        if aspect in _PLACES and not _PLACES[aspect].search(before):
            yield match, f"a slot for the {aspect} does not stand behind such words"
        if aspect == "direction" and not (following and _turns(match, following, gap)):
            yield (
                match,
                "a direction stands right before the delta or change of its own fact, or `from` its previous value",
            )
        is_own = following is not None and following["id"] == match["id"]
        if aspect == "moved" and not (is_own and gap in (" ", " by ", " to ", " from ")):
            yield match, "this word stands before how much it was, `to` what, or `from` what"
        if aspect in ("moved", "compared") and gap == " " and following and not _moves_with(match, following):
            yield match, "only the delta or change of its own fact may follow this word"
        if aspect == "compared" and not gap.startswith(" than "):
            yield match, "this word stands before `than`"
        if aspect == "rank" and not (before.lower().endswith("the ") and re.match(r" [a-z]", gap)):
            yield match, "a rank stands between `the` and a noun"
        if aspect == "period" and before and not _BEHIND_PERIOD.match(after):
            yield match, "a period ends a part of the sentence"
        if aspect != "due" and _DUE_PLACE.search(before):
            yield match, "only the day by which it is due may stand here"
        if aspect != "owner" and _OWNER_PLACE.search(before):
            yield match, "only the owner may stand here"
        if gap == " " and following and not _may_touch(match, following):
            yield following, "the slot stands right behind another one"


def _turns(match: re.Match[str], following: re.Match[str], gap: str) -> bool:
    """Whether a slot is what a direction may stand before: `up $5`, `up from $5`."""
    is_from = gap == " from " and following["id"] == match["id"] and following["aspect"] == "previous"
    return is_from or (gap == " " and _moves_with(match, following))


def _moves_with(match: re.Match[str], following: re.Match[str]) -> bool:
    return following["id"] == match["id"] and following["aspect"] in ("delta", "change")


def _may_touch(match: re.Match[str], following: re.Match[str]) -> bool:
    """Whether two slots may stand side by side: a word of direction with its figure, anything with a period."""
    return (
        following["aspect"] in ("period", "previous_period")
        or (match["aspect"] == "subject" and following["aspect"] in ("moved", "direction"))
        or (match["aspect"] in ("direction", "moved") and _moves_with(match, following))
        or (match["aspect"] in ("delta", "change") and following["aspect"] == "compared")
    )
