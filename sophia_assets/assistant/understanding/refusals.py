"""Questions that no data of a business can answer, told by their form: before anything of them is read.

Belongs here: what is refused whatever the catalog holds, and why. Does not belong here: words that nothing in the data
is called (`understanding` accounts for them).
"""

from __future__ import annotations

import re
import unicodedata

from sophia_assets.assistant.interface import MOST_CHARACTERS, NotRead
from sophia_assets.assistant.understanding.vocabulary import FOREIGN, FUNCTION_WORDS
from sophia_assets.assistant.understanding.words import Token

ASK = "Ask for a figure, such as bookings this quarter, or say “help” to see what there is."
_EMPTY = "There is no question."
_TOO_LONG = f"A question may have up to {MOST_CHARACTERS} characters."
_FUTURE = "The data tells what was and what is; nothing is predicted."
_PRIVATE = "Private data of people and secrets are not part of what is answered."
_DOES_NOTHING = "Questions are answered here; nothing is written, sent or changed."
_SQL = "SQL is not read as a question."
_OPINION = "What should be done is for people to decide; the data tells what was and what is."
_SUM = "Sums are not worked out here."

_SQL_TEXT = re.compile(
    r"(?is)\bselect\b.+\bfrom\b|\b(?:drop|alter|truncate|create)\s+(?:table|schema|view|database|user)\b"
    r"|\binsert\s+into\b"
    r"|\bdelete\s+from\b|\bupdate\s+\S+\s+set\b|\bunion\s+(?:all\s+)?select\b|;\s*--|<\s*script|\bwith\s+\w+\s+as\s*\("
)
_SUM_TEXT = re.compile(
    r"(?:^|[\s(])\d+(?:\.\d+)?\s*[*x×^+]\s*\d|(?:^|[\s(])\d+\s*/\s*\d+(?!\d*/)|\b\d+ (?:times|plus|minus|divided "
    r"by|multiplied by) \d+|square root"
)
_PRIVATE_TEXT = re.compile(
    r"\b(?:salar(?:y|ies)|wages?|e-?mail(?: address(?:es)?)?|phone|telephone|mobile number|home address|address(?:es)?"
    r"|birthdays?|date of birth|social security|passports?|passwords?|passcodes?|api[ -]?keys?|tokens?"
    r"|credentials?|secrets?"
    r"|environment variables|religio(?:n|us)|married|pregnan\w*|ethnicity|gender|bank accounts?|credit cards?|iban"
    r"|private (?:messages?|chats?|life)|direct messages|performance reviews?|sick|ill|health record"
    r"|fire(?:d)?\b(?= |$))\b"
)
_FUTURE_TEXT = re.compile(
    r"\b(?:predict\w*|prediction|foresee|forecasts? (?!pipeline)\w+|will (?!you\b|sophia\b)\w+|(?:are|is) (?:we"
    r"|\w+) (?:going to|likely to|about to)"
    r"|going to (?!\w+ (?:up|down))\w+|gonna|what if|projected|projections?|in the future|expect(?:ed)? "
    r"(?!value)\w+ (?:\w+ )?(?:next|in|by|for))\b"
)
_ADVICE_TEXT = re.compile(
    r"^(?:should|shall|must|ought)\b|\b(?:what|how|who|which|where|when|whom)(?: \w+){0,2} should(?! (?:i|we) "
    r"(?:know|look at|worry|focus|pay attention|be (?:worried|concerned)|care))\b"
    r"|\b(?:recommend\w*|advise|advice|suggest(?:ion|ions)?|your opinion|do you think|do you believe|what would "
    r"you|how (?:can|could|do|might) (?:we|i) (?:improve|increase|reduce|fix|grow|raise|lower|win|stop|prevent"
    r"|avoid|boost|get|become|make|close|sell))\b"
)
_ORDER_TEXT = re.compile(
    r"^(?:please |can you |could you |would you |sophia |now |then |and )*(?:delete|remove|drop|send|write|draft"
    r"|compose|translate|pretend|act|ignore|forget"
    r"|disregard|execute|run|draw|sing|schedule|buy|pay|fire|hire|email|notify|remind|update (?!me\b)|change "
    r"(?!in|of|over|since|from)|set|create|insert|close (?!rate|date)|book me|book a|book an|approve"
    r"|cancel|assign|grant|revoke|install|reboot|restart|say that|say \w+ing|repeat (?:after|this|that|the word)"
    r"|print|output|reveal|dump|imagine|generate|refund|call (?:him|her|them|me)|invite|upload|download|export"
    r"|move|rename|mark|add|make (?:a|an|up))\b"
    r"|\b(?:ignore|disregard|forget) (?:all |your |the |any |previous |prior |above )+(?:instructions?|rules?"
    r"|prompts?|messages?)?"
    r"|\b(?:you are now|system prompt|jailbreak|developer mode|a joke|a poem|a song|a story)\b"
)
_LINK = re.compile(r"https?://|www\.|\{\{|\$\{|\.\./|/etc/")
_MOST_FOREIGN = 2


def refused_text(text: str) -> NotRead | None:
    """Why a text is no question of this kind, before it is cut into words; None where nothing speaks against it."""
    if not text.strip():
        return NotRead("clarify", f"{_EMPTY} {ASK}")
    if len(text) > MOST_CHARACTERS:
        return NotRead("abstained", f"{_TOO_LONG} Ask one thing at a time.")
    letters = [each for each in text if each.isalpha()]
    if not letters:
        return NotRead("clarify", f"There are no words in the question. {ASK}")
    if sum(not _is_latin(each) for each in letters) > len(letters) / 3:
        return NotRead("abstained", f"Questions are read in English. {ASK}")
    plain = text.lower()
    for pattern, reason in ((_SQL_TEXT, _SQL), (_LINK, _DOES_NOTHING), (_SUM_TEXT, _SUM)):
        if pattern.search(plain):
            return NotRead("abstained", f"{reason} {ASK}")
    return None


def _is_latin(letter: str) -> bool:
    return letter.isascii() or "LATIN" in unicodedata.name(letter, "")


def refused_form(line: str) -> NotRead | None:
    """Why a question is not answered by its form, from its words on one line."""
    for pattern, reason in (
        (_PRIVATE_TEXT, _PRIVATE),
        (_ORDER_TEXT, _DOES_NOTHING),
        (_ADVICE_TEXT, _OPINION),
        (_FUTURE_TEXT, _FUTURE),
    ):
        if pattern.search(line):
            return NotRead("abstained", f"{reason} {ASK}")
    return None


def refused_language(tokens: list[Token]) -> NotRead | None:
    """Why a question in another language is not read: it has more of that one's small words than of English ones."""
    words = [token.folded for token in tokens if token.is_word]
    english = sum(word in FUNCTION_WORDS for word in words)
    for language, small in FOREIGN.items():
        foreign = sum(word in small and word not in FUNCTION_WORDS for word in words)
        if foreign >= _MOST_FOREIGN and foreign >= english:
            return NotRead("abstained", f"Questions are read in English; this one looks {language}. {ASK}")
    return None
