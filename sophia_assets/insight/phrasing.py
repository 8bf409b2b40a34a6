"""How a sentence may be put together: what stands beside a figure or a name, what each part of it has to hold, marks.

A word that is harmless elsewhere can turn a true figure into a false one (`other than $5`, `$5 per seat`), and a part
without any figure can claim anything (`and the team is late`). So figures and names have known neighbours only, and a
part of a sentence that holds nothing of a fact may only lead over to one that does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sophia_assets.insight import lexicon
from sophia_assets.insight.lexicon import word_set
from sophia_assets.insight.mentions import MASK, NAME_MASK, Reading, Span
from sophia_assets.insight.nouns import catalog_nouns

_BEFORE = word_set(
    "across added adding after against and are at be been being book booked booking books bring bringing "
    "brings brought but by came close closed closes come comes coming completed completing contribute "
    "contributed contributes contributing count counts cost costs created delivered expansion for from "
    "get gets give gives go goes had has have having held hold holding holds in includes including "
    "invoiced is leave lose loses lost make makes mention moved name now number numbers of on or owe owed "
    "owes owing paid pay paying pays raised reach reached reaches received record recorded renew renews "
    "report reported reports represent represents saw score scored scores see sees show showed showing "
    "shown shows so spend spends stand standing stands stood sum take takes taking the then to took total "
    "totaled totalled totals us was were where which while whose win winning wins with won worth that "
    "took when its our their"
)
_AFTER = word_set(
    "a above across after against and are as at be below book booked but by churned close closed come "
    "comes compared completed created due each followed for from given go goes had has have held higher "
    "in into is leaving less lost lower mention mentioned more moved name named new newly now of on open "
    "or outstanding overdue owed paid past paying relative remain remains since so stalled stand stands "
    "still stood stuck than that the this through times to under waiting was went were when where which "
    "while who with won worth active fewer better worse stalled it its up down"
)
#: Words that make `of` something other than a plain link to a figure.
_LINKED = re.compile(r"(?i)(\S+)\s(of|to|on)\s$")
_TO = word_set(
    "came come comes coming amount amounts amounted moved went compared relative according brought grew added"
)
_MOVES = word_set("growth increase decrease drop rise fall decline gain reduction")
_ON = frozenset({"based", "rest", "rests"})
_OF_WHAT = word_set(
    "target goal run-rate rate value pipeline invoices revenue share score time change difference move shift bookings"
)
_TERM_BEFORE_NAME = re.compile(
    r"(?i)\b(?:pays|paid|pays us|owes|owed|scored|a month|renews in|renewal in|renewal"
    r"|brought in|brought|booked|added|worth)"
    rf"\s[{NAME_MASK}]"
)
_MISLED = re.compile(r"(?i)\b(?:(?:stalled|waiting|stuck) in|(?:owed|paid|owned|booked) by)\s$")
_ARTICLES = re.compile(r"(?i)\b(?:a|an|the)\s(?:a|an|the|is|are|was|were)\b")
_MONTH = re.compile(r"(?i)\ba month\b")
_IS_NAME = re.compile(rf"{MASK}\sis\s[{NAME_MASK}]")
_WHICH_PART = re.compile(r"(?i)\bin (?:total|all|full|part|that|this|these|those|each|every|our|their|some)\b")
_SCOPE = re.compile(rf"(?i)\b(?:includ(?:es?|ed|ing)|exclud(?:es?|ed|ing))\s(?![{MASK}{NAME_MASK}])")
_PLAIN_IS = re.compile(
    r"(?i)\b(?:is|are)\sto\s(?:leave|slip|churn|cost|pay|renew|go)\b"
    r"|\bof\s(?:higher|lower|more|less|from|in|at|than|to)\b"
)
_NO_SUBJECT = re.compile(
    rf"(?i)\b(?:come|comes|came|amounts?)\sto\s[{NAME_MASK}]|{MASK}\s(?:are|was|were)\s[{NAME_MASK}]"
    rf"|[{NAME_MASK}]\scomes?\sfrom\s{MASK}|\bclosed\s{MASK}+\sfor\s[{NAME_MASK}]|{MASK}\s(?:owes|pays|renews|scored|gave|brings|brought|took)\b"
)
#: What may follow the last figure, time or name of a part, beside what is measured and counted.
_ENDING = word_set(
    "account accounts customer customers stage stages deal deals team teams is are was were be been have "
    "has had in of the total to with it them us its their that who away received leave leaving cost "
    "costing pay paying later still go going cold slip slipping again costs won lost open stalled booked "
    "completed held past close date product forecast went higher lower than now times time money keep "
    "keeping waiting for its when at on a since from by "
)
_SCOPED = re.compile(r"(?i)\b(?:for|from|at|on|by|since|a|an|the|of|to|with|when|than)\s*$")
_HAS = re.compile(rf"{MASK}\s(?:has|have)\s(?!been\b|moved\b)")
_RANKS = re.compile(r"\s(?:accounts?|customers?|deals?|sellers?|stages?|competitors?|teams?)\b")
#: Stands for a term or a likelihood where only other words are looked at.
_TERM = "\ue002"
_PARTS = re.compile(r"[,;:()\u2014\u2013]|\s-\s|[.!?](?=\s|$)|\b(?:and|but|while|whereas|which|so|yet|or)\b")
#: Words that only name what a part is about.
_NAMING = word_set(
    "the a an at of for in from to with on by as its our their this that these those open new deal deals "
    "account accounts customer customers competitor stage team teams seller owner product use active "
    "paying also then still again too here today's unassigned figure company compared since against "
    "meanwhile delivery sales"
)
#: Metrics' words that are verbs by themselves.
_VERBS = word_set(
    "won lost closed left took churned stalled stuck waiting waited added expanded pays paid owes owed scored booked "
    "worth completed invoiced overdue"
)
_LEADING = re.compile(
    rf"(?i)(?:(?:we|the team|the teams|sales|it)\s)?(?:(?:has|have|was|were)\s)?(?:won|closed|left|churned"
    r"|leaves|leave)"
    rf"(?:\s[{NAME_MASK}]+)?"
    rf"|[{NAME_MASK}]+\s(?:has\s|was\s)?(?:left|churned|closed|won|leaves)"
    rf"|(?:(?:which|that)\s)?(?:keeps|keep|is|are)\sslipping|stays in the forecast"
    rf"|(?:is\s)?owned by\s[{NAME_MASK}]+|(?:whose|its|the)\sowner is\s[{NAME_MASK}]+|(?:the\s)?owner"
    rf"|at the current pace|open pipeline includes\s[{NAME_MASK}]+|customers named\s[{NAME_MASK}]+"
)
_DECIDING = re.compile(r"(?i)^(?:decide\s(?:on\s)?)?(?:how|whether|what|who)\b")
_LONE_MARKS = re.compile(
    r"[,;:.]\s*[,;:.]|\s[,;:.)]|\(\s|-{2,}|(?<!\S)-|-(?!\S)|[%$+]|^\s*[,;:)]|[(][^()]*$|^[^()]*[)]|[,;:(]\s*$|\s{2,}"
)


def strange_neighbours(reading: Reading) -> Iterator[Span]:
    """Words right before or behind a figure, or before a name, that may change what it says."""
    rest, inside = reading.rest, [(start, end) for start, end, _ in reading.terms]
    for figure in reading.figures:
        if figure.unit == "rank":
            if not (rest[: figure.start].lower().endswith("the ") and _RANKS.match(rest[figure.end :])):
                yield Span(figure.start, figure.end, figure.text)
            continue
        before = re.search(r"([^\W\d_]+)\s?\(?$", rest[: figure.start])
        counts_money = before and before[1].lower() in ("number", "numbers") and figure.unit != "number"
        if before and (counts_money or not _known(before[1], before.start(1), [], _BEFORE)):
            yield Span(before.start(1), before.end(1), before[1])
        elif before and (twisted := _twisted(reading, figure.start, inside)):
            yield twisted
        elif before and (led := _MISLED.search(rest[: figure.start])) and not _counts(rest[figure.end :]):
            yield Span(led.start(), figure.start, led.group().strip())
        # In accounts a figure in brackets is below zero; behind another figure it says the same in other terms.
        bracketed = rest[: figure.start].endswith("(") and rest[figure.end :].startswith(")")
        if bracketed and rest[: figure.start - 2][-1:] != MASK:
            yield Span(figure.start - 1, figure.end + 1, reading.text[figure.start - 1 : figure.end + 1])
        after = re.match(r"[\s-]?([^\W\d_]+)", rest[figure.end :])
        if after:
            start = figure.end + after.start(1)
            if not _counts(rest[figure.end :]) and not _known(after[1], start, inside, _AFTER):
                yield Span(start, start + len(after[1]), after[1])
    for pattern in (_TERM_BEFORE_NAME, _IS_NAME, _HAS, _SCOPE, _WHICH_PART, _ARTICLES, _PLAIN_IS, _NO_SUBJECT):
        for match in pattern.finditer(rest):
            yield Span(match.start(), match.end(), reading.text[match.start() : match.end()].strip())

    ends = {figure.end + 1 for figure in reading.figures}
    for match in _MONTH.finditer(rest):
        if match.start() not in ends:
            yield Span(match.start(), match.end(), match.group())


def _counts(behind: str) -> bool:
    """Whether a noun that a count can have stands behind a figure."""
    word = re.match(r"[\s-]?(?:(?:open|stalled|won|lost|new|active|paying|worried|urgent|overdue)\s)?([a-z]+)", behind)
    return bool(word) and word[1].removesuffix("s") in catalog_nouns().counted if word else False


def _twisted(reading: Reading, start: int, terms: list[tuple[int, int]]) -> Span | None:
    """`of` or `to` before a figure that links it to something else than what it measures or where it moved from."""
    link = _LINKED.search(reading.rest[:start])
    if link is None:
        return None
    word = link[1].strip(",;:()").lower()
    known = {"of": _OF_WHAT, "to": _TO, "on": _ON}[link[2].lower()]
    if link[2].lower() == "on" and word not in known:
        return Span(link.start(), start, link.group().strip())
    is_masked = not word or word[-1] in (MASK, NAME_MASK)
    is_term = any(begin <= link.end(1) - 1 < end for begin, end in terms)
    is_move = word in lexicon.DIRECTIONS or word in lexicon.JUDGEMENTS
    if is_masked or word in known or is_term or (is_move and link[2].lower() == "to") or word in _MOVES:
        return None
    return Span(link.start(), start, link.group().strip())


def _known(word: str, start: int, terms: list[tuple[int, int]], words: frozenset[str]) -> bool:
    low = word.lower()
    is_move = low in lexicon.DIRECTIONS or low in lexicon.JUDGEMENTS
    return low in words or is_move or any(begin <= start < end for begin, end in terms)


def idle_parts(reading: Reading, likelihoods: list[Span], is_decision: bool) -> Iterator[Span]:
    """Parts of a sentence that say something and hold nothing of a fact: no figure, no likelihood, no date."""
    rest = reading.rest
    for span in likelihoods:
        rest = rest[: span.start] + MASK * (span.end - span.start) + rest[span.end :]
    # `its team left` says something although `left` is a word for a metric.
    inside = [(start, end) for start, end, _ in reading.terms if rest[start:end].lower() not in _VERBS]
    position = 0
    for boundary in [*_PARTS.finditer(rest), None]:
        end = boundary.start() if boundary else len(rest)
        part, start = rest[position:end], position
        position = boundary.end() if boundary else end
        words = [
            match
            for match in re.finditer(r"[^\W\d_]+", part)
            if not any(begin <= start + match.start() < stop for begin, stop in inside)
        ]
        if MASK in part or all(match.group().lower() in _NAMING or _is_rank(match.group()) for match in words):
            continue
        if _LEADING.fullmatch(part.strip()) or (is_decision and _DECIDING.match(part.strip())):
            continue
        yield Span(start + len(part) - len(part.lstrip()), end, reading.text[start:end].strip())


def strange_endings(reading: Reading, likelihoods: list[Span]) -> Iterator[Span]:
    """What a part of a sentence adds behind its last figure, time or name: `... from partners`, `... a low point`."""
    rest = reading.rest
    for start, end in [*((span.start, span.end) for span in likelihoods), *(term[:2] for term in reading.terms)]:
        rest = rest[:start] + _TERM * (end - start) + rest[end:]
    position = 0
    for boundary in [*_PARTS.finditer(rest), None]:
        end = boundary.start() if boundary else len(rest)
        part, start = rest[position:end], position
        position = boundary.end() if boundary else end
        last = max(part.rfind(MASK), part.rfind(NAME_MASK))
        words = [match.group().lower() for match in re.finditer(r"[^\W\d_]+", part[last + 1 :])]
        counted = catalog_nouns().counted
        strange = [word for word in words if word not in _ENDING and word.removesuffix("s") not in counted]
        if last >= 0 and words and (strange or _SCOPED.search(part)):
            yield Span(start + last + 1, end, reading.text[start + last + 1 : end].strip())


def _is_rank(word: str) -> bool:
    return word.lower() in lexicon.FIRST_RANK


def lone_marks(reading: Reading) -> Iterator[Span]:
    """Marks where no sentence has them: doubled, before a word's end, in pairs that do not close."""
    for match in _LONE_MARKS.finditer(reading.rest):
        yield Span(match.start(), match.end(), reading.text[match.start() : match.end()])
    for figure in reading.figures:
        if figure.text.startswith("+"):
            yield Span(figure.start, figure.start + 1, "+")
    for match in re.finditer(r"['\u2019]", reading.rest):
        around = reading.rest[match.start() - 1 : match.start()], reading.rest[match.end() : match.end() + 1]
        if not (_is_letter(around[0]) and (_is_letter(around[1]) or around[0] in f"sz{NAME_MASK}")):
            yield Span(match.start(), match.end(), match.group())


def _is_letter(character: str) -> bool:
    return character.isalpha() or character == NAME_MASK
