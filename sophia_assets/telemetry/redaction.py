"""What no log line may hold, taken out of it: secrets by their value and by their shape, and addresses of people.

Belongs here: finding them in a text, and telling of an exception without what was in its variables. Does not belong
here: which settings are secret (`settings.logs`), or how a line is written (`logs`).
"""

from __future__ import annotations

import json
import re
import sys
import traceback
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Collection, Iterable
from itertools import chain
from typing import Final
from urllib.parse import quote, quote_plus

from sophia_assets.errors import SophiaError
from sophia_assets.plain_text import visible

SECRET: Final = "[secret]"
EMAIL: Final = "[e-mail]"
#: A text in a line is no longer than that.
LONGEST_TEXT = 8_000
LONGEST_TRACEBACK = 32_000
_LONGEST_NAME = 200
_MOST_NAMES = 1_000
_MOST_FRAMES = 60
_MOST_CAUSES = 5
#: Parts of which every shape has at least one, in small letters: most texts have none, and are looked at once.
_HINTS = (
    *("bearer", "basic ", "sophia_", "xox", "xapp-", "hapi", "pat-", "sk-", "lin_", "pcsk_", "pul-", "akia", "eyj"),
    *("private key", "passw", "secret", "token", "key", "authorization", "passphrase", "@"),
)
_SHAPES = re.compile(
    r"""
    -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----.*?(?:-----END\ [A-Z ]*-----|\Z)
    | \b(?:[Bb]earer|BEARER|[Bb]asic|BASIC)\s+[A-Za-z0-9+/=._~-]{8,}
    | \bsophia_(?=[A-Za-z0-9_-]*[A-Z0-9])[A-Za-z0-9_-]{16,}  # no name of a series, which has small letters only
    | \bxox[a-z]-[A-Za-z0-9-]{4,} | \bxapp-[A-Za-z0-9-]{4,}
    | \bhapi[-_.]?[A-Za-z0-9-]{8,} | \bpat-[a-z0-9]{2,4}-[A-Za-z0-9-]{8,}
    | \bsk-[A-Za-z0-9_-]{8,}
    | \blin_(?:api|oauth)_[A-Za-z0-9]{4,}
    | \bpcsk_[A-Za-z0-9_]{4,}
    | \bpul-[A-Za-z0-9]{16,}
    | \bAKIA[A-Z0-9]{12,}
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{2,}(?:\.[A-Za-z0-9_-]*)?
    """,
    re.VERBOSE | re.DOTALL,
)
#: A name and what it is set to, as in addresses, connection strings, and JSON.
_NAMED = re.compile(
    r"(?i)\b((?:[a-z0-9]+[_-])*(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|passphrase"
    r"|authorization))(['\"]?\s*=\s*['\"]?|['\"]\s*:\s*['\"])(?!\[secret\])[^\s'\"&,;)}]{3,}"
)
_USER_OF_ADDRESS = re.compile(r"://[^\s/?#@'\"]+@")
_EMAIL = re.compile(r"[\w.!#$%&'*+=?^`{|}~-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_ESCAPED = re.compile(r"%[0-9A-F]{2}")
#: Messages of these speak of the program and the machine; those of others may repeat a name or a text of the data.
_SPEAKING = (OSError, ImportError, NameError, AttributeError, TypeError, MemoryError, NotImplementedError)
_OF_PYTHON = ("builtins", "socket", "ssl")


class Redaction:
    """Takes secrets out of texts. `learn` adds values that are known to be secret; safe for threads."""

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()
        self._literals: tuple[str, ...] = ()
        self._names: dict[str, str] = {}

    def learn(self, secrets: Collection[str]) -> None:
        """Adds these values, in every way in which they may be written."""
        new = frozenset(secrets) - self._known
        if new:
            self._known |= new
            written = set(chain.from_iterable(map(_ways_to_write, self._known)))
            # The longest first, so that nothing is left of one that holds another.
            self._literals = tuple(sorted(written, key=lambda text: (-len(text), text)))
            self._names = {}

    def is_clean(self, text: str) -> bool:
        """Whether there is certainly nothing to be taken out: fast, and right for most texts."""
        if any(literal in text for literal in self._literals):
            return False
        small = text.lower()
        return not any(hint in small for hint in _HINTS)

    def is_secret(self, text: str) -> bool:
        """Whether the whole of a text is a value that is known to be secret."""
        return text in self._known

    def name(self, text: str) -> str:
        """The name of a field or of a logger: on one line, and as clean as what it holds."""
        known = self._names
        if text not in known:
            if len(known) >= _MOST_NAMES:
                known.clear()
            known[text] = visible(self.cleaned(text))[:_LONGEST_NAME]
        return known.get(text, SECRET)

    def cleaned(self, text: str) -> str:
        """The text without secrets and addresses."""
        for literal in self._literals:
            if literal in text:
                text = text.replace(literal, SECRET)
        text = _NAMED.sub(rf"\1\2{SECRET}", _SHAPES.sub(SECRET, text))
        if "@" in text:
            text = _EMAIL.sub(EMAIL, _USER_OF_ADDRESS.sub(f"://{SECRET}@", text))
        return text


def _ways_to_write(secret: str) -> Iterable[str]:
    encoded = secret.encode("utf-8", "surrogatepass")
    in_address = {quote(encoded, safe=""), quote(encoded), quote_plus(encoded)}
    small = {_ESCAPED.sub(lambda found: found[0].lower(), text) for text in in_address}
    once = {*_as_literal(secret), repr(encoded)[2:-1]}
    # What a library logs is often the text of a text: a body within a message, a message within a list.
    twice = set(chain.from_iterable(map(_as_literal, once)))
    return {secret, *in_address, *small, *once, *twice, encoded.hex(), *_in_base64(encoded)}


def _as_literal(text: str) -> Iterable[str]:
    return (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1])


def _in_base64(encoded: bytes) -> Iterable[str]:
    return (b64encode(encoded).decode().rstrip("="), urlsafe_b64encode(encoded).decode().rstrip("="))


def told(error: BaseException) -> str:
    """An exception as one line: its type, and its message unless it may repeat data, which is no log's business."""
    kind = type(error).__qualname__
    is_plain = isinstance(error, _SPEAKING) and type(error).__module__ in _OF_PYTHON
    if not (is_plain or isinstance(error, SophiaError)):
        return kind
    try:
        message = str(error)
    except Exception:
        return kind
    return f"{kind}: {message}" if message else kind


def traceback_of(error: BaseException) -> str:
    """The way that an exception and its causes came, oldest first, without the values of any variable."""
    told_of: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(seen) < _MOST_CAUSES:
        seen.add(id(current))
        frames = traceback.extract_tb(current.__traceback__, limit=-_MOST_FRAMES)
        told_of.append("".join([*traceback.format_list(frames), told(current)]))
        if isinstance(current, BaseExceptionGroup):
            told_of += [traceback_of(each) for each in current.exceptions[:_MOST_CAUSES]]
        hides = current.__suppress_context__
        current = current.__cause__ or (None if hides else current.__context__)
    return "\nwhich led to\n".join(reversed(told_of))


def exception_in(given: object) -> BaseException | None:
    """The exception that `exc_info` of a log call means."""
    if given is True:
        return sys.exc_info()[1]
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple) and len(given) == 3 and isinstance(given[1], BaseException):
        return given[1]
    return None


def shortened(text: str, most: int = LONGEST_TEXT) -> str:
    """A text that is not longer than `most` characters; to be called once secrets are taken out."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text) - most:,} characters more)"
