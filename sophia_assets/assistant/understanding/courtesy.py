"""What people say around a question: greetings, politeness, what they need the answer for.

Belongs here: phrases that ask for nothing themselves. Does not belong here: single words without a meaning of their own
(`vocabulary.FUNCTION_WORDS`), anything that narrows what is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sophia_assets.assistant.understanding.words import Line

_KNOW = r"(?:know|see|have|understand|hear|learn|find out|get|figure out|be told|look at)"
_YOU = r"(?:would|could|can|will|might) (?:you|someone|anybody|anyone)"
_OCCASION = (
    r"(?:call|meeting|visit|review|board meeting|board call|presentation|qbr|offsite|all hands|1 1|standup|check in"
    r"|conversation|appointment|lunch|dinner|trip)"
)
_MORE_TO_COME = r"(?= (?:i|we|would|want|need|wonder|like|could|can|what|how|which|who|please|was|am))"

_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        r"^(?:(?:good )?(?:morning|afternoon|evening)|good day|greetings|hi|hiya|hello|hey|dear)"
        r"(?: (?:there|sophia|team|all|everyone))?"
        r"(?= .)",
        rf"\b{_YOU} (?:please |kindly |possibly |perhaps )*(?:be (?:so|very) (?:kind|good|nice) (?:as )?to"
        r"|be able to|mind|do me (?:a|the) favou?r and)\b",
        rf"\b{_YOU} (?:please |kindly )*(?:(?:tell|show|give|let|provide|share with) (?:me|us)"
        r"(?: (?:know|see|have|with))?|share|provide)\b",
        r"\b(?:sorry|apologies) (?:to|for) (?:bother|disturb|bothering|disturbing|ask|asking)(?: (?:you|again))*"
        r"(?: but)?\b",
        r"\b(?:take|takes|took|taken|taking) place\b",
        rf"\b(?:{_YOU} )?(?:please |kindly )?(?:help|enable|allow|remind) (?:me|us)(?: to)? "
        rf"(?:understand|see|{_KNOW}|with|of|figure out|work out|make sense of)\b",
        rf"\b(?:i|we) (?:would|should) (?:really |very much |also |just )*(?:love|appreciate|be (?:glad|happy|grateful"
        rf"|thankful|interested)|enjoy|be curious)(?: it)?(?: if you (?:could|would|can))?(?: (?:to|in) "
        rf"(?:{_KNOW}|knowing|seeing|understanding))?\b",
        rf"\bwould (?:love|appreciate|like|be (?:glad|happy|grateful))(?: to {_KNOW})?\b",
        rf"\b(?:i|we) (?:am|are|was|were) (?:just |only |also )*(?:wondering|curious|interested|trying|looking|keen)"
        rf"(?: (?:to|in|about|if|whether|for)(?: {_KNOW}| knowing| seeing)?)?\b",
        r"\bif (?:it|that|this) (?:is|would be|does|were) not (?:too much |a |any |cause |be )*(?:trouble|bother|work"
        r"|problem|hassle)\b",
        r"\bif (?:(?:it|that|this) is |at all |that were )?possible\b",
        r"\bif you (?:do not|would not) mind\b",
        r"\b(?:when|whenever|if) you (?:have|get|find) (?:a|one|some) (?:moment|minute|second|chance|time)\b",
        r"\b(?:for|in preparation (?:for|of)) (?:my|our|the|a|an|tomorrow s|today s) (?:next )?" + _OCCASION + r"\b",
        r"\b(?:before|ahead of|going into|prior to) (?:my|our|the|a|an|his|her|their) (?:next )?"
        + _OCCASION + r"(?: (?:with|at|to))?\b",
        r"^(?:i|we) (?:am|are) (?:preparing|getting ready|working|writing|presenting|meeting|about to)(?: [^ ]+){1,8}? "
        r"(?:and|so)" + _MORE_TO_COME,
        r"\bin (?:one|a|a single|two|three|a few|a couple of) (?:short |brief )?(?:paragraph|sentence|sentences|line"
        r"|lines|word|words|nutshell)\b",
        r"\bin (?:brief|short|plain english|plain words|simple terms)\b|\bat a glance\b",
        r"\b(?:thank you|thanks|many thanks|cheers)(?: (?:so much|a lot|very much|in advance))?\b",
        r"\b(?:as soon as possible|asap|real quick|quick question|just curious|by the way|btw)\b",
    )
)  # fmt: skip


def courtesies_in(line: Line) -> Iterator[tuple[int, ...]]:
    """The tokens of each phrase that asks for nothing itself."""
    for pattern in _PATTERNS:
        for match in pattern.finditer(line.text):
            yield line.covered(*match.span())
