"""The words that verification knows: directions, number words, vague magnitudes, hedges, and how sentences open."""

from __future__ import annotations

import re


def _words(text: str) -> list[str]:
    return text.split()


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


#: Direction words that claim a sign: +1 for more than before, -1 for less.
DIRECTIONS: dict[str, int] = {
    **dict.fromkeys(
        _words(
            "up rose rise rises rising risen grew grow grows growing grown growth increase increases "
            "increased increasing climb climbs climbed climbing jump jumps jumped jumping gain gains "
            "gained gaining higher more surge surged surging advanced upward upwards soared rebounded "
            "recovered widened expanded"
        ),
        1,
    ),
    **dict.fromkeys(
        _words(
            "down fell fall falls falling fallen dropped drop drops dropping decline declines "
            "declined declining decrease decreases decreased decreasing shrank shrink shrinks "
            "shrinking slid slide slides sliding sank sinks sinking dipped dip dips lower fewer less "
            "reduced reduces reduction plunged plunge tumbled eased softened slipped downward "
            "downwards narrowed contracted weakened slumped"
        ),
        -1,
    ),
}
#: Words that judge a move: +1 for the welcome direction of the metric, -1 for the unwelcome one.
JUDGEMENTS: dict[str, int] = {
    **dict.fromkeys(_words("improved improves improving improvement better stronger healthier"), 1),
    **dict.fromkeys(_words("worsened worsens worsening worse weaker deteriorated deteriorating"), -1),
}
UNCHANGED = frozenset(_words("unchanged flat stable steady level"))

NUMBER_WORDS: dict[str, int] = {
    word: value
    for value, word in enumerate(
        _words(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
            "fifteen sixteen seventeen eighteen nineteen twenty"
        )
    )
} | {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}

#: Quantities that no fact can be held to; refused wherever a slot did not make them.
VAGUE = frozenset(
    _words(
        "hundred hundreds thousand thousands million millions billion billions dozen dozens couple "
        "pair several many few most mostly majority minority half halves halved third thirds double "
        "doubles doubled doubling twofold triple tripled tripling threefold quadruple quadrupled fold "
        "twice thrice once both all every each none nothing record records nearly almost roughly "
        "approximately around circa significant significantly substantial substantially considerable "
        "considerably sharp sharply dramatic dramatically huge massive massively slight slightly "
        "marginal marginally modest modestly vast vastly enormous strong strongly robust solid weak "
        "unprecedented exceptional exceptionally major minor numerous countless bulk lots plenty much "
        "little rapid rapidly soaring plummeting skyrocketing skyrocketed first second fourth fifth "
        "sixth seventh eighth ninth tenth only just even always usually typically often rarely entire "
        "entirely whole overwhelming overwhelmingly handful"
    )
)
#: Words that belong to a step or a decision; in a statement they judge.
PLANNING = frozenset(
    _words("plan plans back risk risks missing miss protect secure problem problems retain missed review reviews")
)
#: Words that judge, place or soften, and that no fact bears out.
OPINIONS = word_set(
    "segment segments region regions market markets planned overall usual far ahead well strategic early "
    "late worried key main sole single special key average averages normal alone respectively combined "
    "extra net mere good bad happy unhappy ready healthy per approved failing wrong right else matter "
    "matters track average fully further near specific relevant related recent "
)
#: Words that turn a true statement into its opposite.
NEGATIONS = frozenset(
    _words(
        "not no never neither nor without cannot hardly barely scarcely isn't aren't wasn't didn't "
        "doesn't don't won't can't nobody except despite although unless excluding fails failed"
    )
)
#: Words that explain, predict or guess; no fact carries a cause or a future.
SPECULATION = frozenset(
    _words(
        "because due caused causes causing since-then thanks owing driven therefore hence "
        "consequently reason reasons explains explain explained attributed attributable reflects "
        "reflecting suggests suggesting indicates indicating may might could would should will shall "
        "expect expects expected forecasted predict predicted predicts projected projection probably "
        "possibly perhaps maybe presumably apparently seemingly appears seems likely unlikely chance "
        "certain certainly definitely surely believe believes think thinks feel feels hope hopes fear "
        "fears intends guarantee guaranteed if assuming estimate estimated outlook anticipate "
        "anticipated"
    )
)
#: Comparisons between things, which need a rank.
FIRST_RANK = frozenset(_words("largest biggest highest top leading leads led lead greatest best"))
OTHER_RANK = frozenset(
    _words(
        "smallest lowest worst bottom least above below exceeds exceeded exceeding beats beat beating "
        "outperformed outperforms ahead behind surpassed surpasses versus under beyond"
    )
)

MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
#: Points and spans in time that are not the exact words for a fact's period.
LOOSE_TIME = re.compile(
    rf"(?i)\b(?:\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}[/.]\d{{1,2}}[/.]\d{{2,4}}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?\s(?:of\s)?{_MONTH}\b(?:,?\s\d{{4}})?|{_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\s\d{{4}})?"
    rf"|(?-i:January|February|March|April|May|June|July|August|September|October|November|December)\b(?:\s\d{{4}})?"
    r"|q[1-4](?:\s\d{4})?|h[12]\s\d{4}|fy\s?\d{2,4}|(?:19|20)\d{2}"
    r"|today|yesterday|tomorrow|tonight|now-adays|recently|lately|this morning"
    r"|mondays?|tuesdays?|wednesdays?|thursdays?|fridays?|saturdays?|sundays?"
    r"|(?:so far\s)?(?:this|last|next|previous|past|prior|coming|same|each|every|per|these|those|other|some|few|a|the)"
    r"\s(?:\w+\s){0,2}"
    r"(?:days?|weeks?|months?|quarters?|years?|fortnights?|decades?)(?:\s(?:ago|before|earlier|later))?"
    r"|(?:annual|yearly|quarterly|weekly|daily)(?:ly)?|(?:year|month|week|quarter)[- ](?:to|on|over)[- ]\w+(?:[- ]\w+)?"
    r"|ago|overnight|(?:year|quarter|week|month|decade|fortnight)s?)\b"
)

#: How a sentence may open without naming anybody; the nouns of metrics come on top.
OPENERS = frozenset(
    _words(
        "a an the this that these those it its they their there we our us he she at in on of by for "
        "from to with across among after before while when where which who what how as and but so yet "
        "still also then here meanwhile together agree set review thank ask give call hand decide "
        "find out explain plan prepare schedule check confirm meet send update keep move close open "
        "start stop bring talk speak write raise resolve chase escalate assign share visit invite "
        "churned offer propose customers customer deals deal sales team revenue pipeline bookings overdue "
        "recurring monthly average weighted new win calls satisfaction invoices invoicing time "
        "stalled value number accounts account renewals renewal competitors use product teams delivery"
    )
)
#: Capitalised words that name nobody.
CAPITALS_ALLOWED = frozenset({"MRR", "CRM", "USD", "I"})
