"""What the words around a figure say that it is: a value, an earlier one, a difference, a share, whose it is."""

from __future__ import annotations

import re

from sophia_assets.insight import lexicon
from sophia_assets.insight.figures import Figure
from sophia_assets.insight.mentions import NAME_MASK, TREND, Reading, Span

_MOVE = "|".join(sorted([*lexicon.DIRECTIONS, *lexicon.JUDGEMENTS]))
_CHANGE_BEFORE = re.compile(
    rf"(?i)\b(?:(?:{_MOVE})(?:\s(?:by|of|another|a further))?|a (?:change|difference|move|shift) of)\s*$"
)
_CHANGE_AFTER = re.compile(r"(?i)^\s(?:higher|lower|more|fewer|less|up|down|better|worse)\b")
_PREVIOUS_BEFORE = re.compile(r"(?i)\b(?:from|against|versus|compared (?:with|to)|after|instead of)(?:\sthe)?\s*$")
_TARGET_BEFORE = re.compile(r"(?i)\b(?:target|goal)(?:\sof|\sis)?\s*$")
_RUN_RATE_BEFORE = re.compile(r"(?i)\brun-rate(?:\sof\s[a-z]+)?\s(?:of|is|stands at)\s*$")
#: What may stand between an earlier value and its time, and between its time and it.
_LOCATES = re.compile(r"(?i)^\s(?:(?:was|were)\s)?(?:recorded\s)?(?:at|in|on)\s$")
LOCATED = re.compile(r"(?i)^,?\s(?:(?:it|they|that|this)\s)?(?:was|were|stood at|had been)\s$")
#: A rank in front of the name that has it: `the 2nd-largest account, NAME`, `the largest account by revenue is NAME`.
RANKS_NEXT = re.compile(rf"(?i)^(?:\s[a-z]+){{1,4}},?\s(?=[{NAME_MASK}])")
_OWNER_BEFORE = re.compile(r"(?i)\b(?:owned by|owner is|owner:|looked after by)\s$")
_SHARE_AFTER = re.compile(r"(?i)^\sof\b")
_BELONGS_TO_NEXT = re.compile(rf"(?i)^\s(?:\w+\s){{0,2}}(?:from|with|at|for|in|by|of|to)\s(?:the\s)?(?={NAME_MASK})")


def roles_of(reading: Reading, figure: Figure) -> frozenset[str]:
    """What a figure can be, by the words around it."""
    if figure.unit in ("rank", TREND):
        return frozenset({figure.unit})
    previous = next((other for other in reversed(reading.figures) if other.end <= figure.start), None)
    floor = previous.end if previous else 0
    before, after = reading.rest[floor : figure.start], reading.rest[figure.end :]
    if _RUN_RATE_BEFORE.search(before):
        return frozenset({"run_rate"})
    if _CHANGE_BEFORE.search(before) or _CHANGE_AFTER.search(after):
        return frozenset({"delta", "change"})
    if previous is not None and before == " (" and "delta" in roles_of(reading, previous):
        return frozenset({"delta", "change"})
    if _TARGET_BEFORE.search(before):
        return frozenset({"target"})
    if _PREVIOUS_BEFORE.search(before):
        # `compared with $5 for NAME` sets two names side by side, not two times.
        return frozenset({"value" if belongs_to_next(reading, figure) else "previous"})
    if figure.unit == "percent" and _SHARE_AFTER.search(after):
        return frozenset({"share"})
    if _stands_in_the_past(reading, figure):
        return frozenset({"previous"})
    return frozenset({"value"})


def _stands_in_the_past(reading: Reading, figure: Figure) -> bool:
    """Whether the time beside a figure is one that something is compared to: `$5 on 18 February`."""
    for span in reading.periods:
        if _LOCATES.match(reading.text[figure.end : span.start]):
            return True
        led = reading.text[: span.start].lower().endswith(("at ", "in ", "on "))
        if led and LOCATED.match(reading.text[span.end : figure.start]):
            return True
    return False


def belongs_to_next(reading: Reading, figure: Figure) -> Span | None:
    """The name right behind a figure that it is said to belong to."""
    pattern = RANKS_NEXT if figure.unit == "rank" else _BELONGS_TO_NEXT
    following = pattern.match(reading.rest[figure.end :])
    start = figure.end + following.end() if following else -1
    return next((span for span in reading.names if span.start == start), None)


def is_set_beside(reading: Reading, figure: Figure) -> bool:
    """Whether a figure of one name is compared with that of another: `compared with $5 for NAME`."""
    led = _PREVIOUS_BEFORE.search(reading.rest[: figure.start])
    return bool(led) and belongs_to_next(reading, figure) is not None


def is_owner(reading: Reading, span: Span) -> bool:
    """Whether a name is said to be an owner's: `owned by NAME`."""
    return bool(_OWNER_BEFORE.search(reading.text[: span.start]))
