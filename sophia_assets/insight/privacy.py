"""Finds personal data and secrets that can be told by their form: addresses, numbers with check digits, keys.

Belongs here: what a pattern can recognise in any text. Does not belong here: names of people, which have no form and
are known from the data (`quotes`), and deciding what to do about what was found.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

PersonalKind = Literal[
    "secret", "email", "link", "iban", "payment_card", "ip_address", "national_id", "phone", "postal_address"
]


@dataclass(frozen=True)
class Span:
    """A stretch of a text that holds personal data or a secret."""

    start: int
    end: int
    text: str
    kind: PersonalKind


def personal_data(text: str) -> list[Span]:
    """Everything in a text that is personal or secret by its form, in order; of overlapping finds the surer kind wins.

    Kinds: secrets (keys, tokens, private keys, passwords in addresses), e-mail addresses, links, IBANs and payment
    cards with right check digits, IP addresses, national ids, phone numbers, postal addresses. Names are not looked
    for. Takes time in proportion to the text's length.
    """
    found: list[Span] = []
    for kind, pattern, is_right in _PATTERNS:
        for match in pattern.finditer(text):
            span = Span(match.start(), match.end(), match.group(), kind)
            if is_right(match.group()) and all(span.end <= f.start or span.start >= f.end for f in found):
                found.append(span)
    return sorted(found, key=lambda span: span.start)


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _is_card(text: str) -> bool:
    """Luhn's check over 13 to 19 digits that are not all the same."""
    digits = _digits(text)
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = (int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _is_iban(text: str) -> bool:
    """The check digits of ISO 13616."""
    compact = re.sub(r"\s", "", text).upper()
    if not 15 <= len(compact) <= 34:
        return False
    return int("".join(str(int(character, 36)) for character in compact[4:] + compact[:4])) % 97 == 1


def _is_ip(text: str) -> bool:
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _is_ssn(text: str) -> bool:
    """United States: no area 000, 666 or 9xx, no group 00, no serial 0000."""
    area, group, serial = re.split(r"[- ]", text)
    return area not in ("000", "666") and area[0] != "9" and group != "00" and serial != "0000"


_DATE = re.compile(r"(?:19|20)\d\d[-/. ]\d{1,2}[-/. ]\d{1,2}|\d{1,2}[-/. ]\d{1,2}[-/. ](?:19|20)?\d\d")


def _is_phone(text: str) -> bool:
    """Enough digits for a number that one can call, in groups, and no date."""
    number = re.split(r"(?i)\s*(?:x|ext\.?)\s*\d", text)[0]
    return 8 <= len(_digits(number)) <= 15 and not _DATE.fullmatch(text.strip())


def _always(text: str) -> bool:
    return True


_STREET = (
    r"(?:street|st|road|rd|avenue|ave|drive|dr|lane|ln|boulevard|blvd|court|ct|place|pl|square|sq|terrace|way|highway|hwy"
    r"|parkway|pkwy|crescent|close|alley|row|quay|rue|via|calle|avenida|rua|plaza|piazza|ulica|ul|utca|\u00fatja)"
)
_STREET_JOINED = (
    r"(?:stra(?:\u00df|ss)e|str|gasse|weg|allee|platz|ring|straat|laan|plein|gracht|gatan|v\u00e4gen|vej|gade|gata|katu"
    r"|tie|g\u00fcrtel)"
)
_W = r"[^\W\d_][\w'\u2019.-]{0,30}"
_PATTERNS: tuple[tuple[PersonalKind, re.Pattern[str], Callable[[str], bool]], ...] = (
    (
        "secret",
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[\s\S]{0,4000}?-----END [A-Z ]*PRIVATE KEY-----)?"),
        _always,
    ),
    ("secret", re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://[^\s/:@]{1,100}:[^\s/@]{1,100}@[^\s]+"), _always),
    (
        "secret",
        re.compile(
            r"\b(?:(?:sk|pk|rk)[-_](?:live|test|ant|proj)?[-_]?[A-Za-z0-9_-]{16,}|AKIA[0-9A-Z]{16}|ASIA[0-9A-Z]{16}"
            r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeprs]-[\w-]{10,}|AIza[\w-]{30,}"
            r"|ya29\.[\w-]{20,}|npm_[A-Za-z0-9]{30,}|pypi-[\w-]{30,}|SG\.[\w-]{16,}\.[\w-]{16,}|lin_api_\w{16,}"
            r"|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*|pcsk_\w{16,}|hf_[A-Za-z0-9]{20,}|dckr_pat_[\w-]{20,})"
        ),
        _always,
    ),
    (
        "secret",
        re.compile(
            r"(?i)\b(?:password|passwd|pwd|passphrase|secret|api[ _-]?key|access[ _-]?key|auth[ _-]?token|token"
            r"|bearer)\b"
            r"(?:\s(?:is|was))?\s?[:=]?\s?(?=[^\s]*[\d!#$%&*@^])[^\s,;.]{6,200}"
        ),
        _always,
    ),
    (
        "email",
        re.compile(r"(?i)(?<![\w.+-])[\w.+-]{1,64}\s?(?:@|\[at\]|\(at\))\s?(?:[\w-]{1,63}\.){1,8}[a-z]{2,24}\b"),
        _always,
    ),
    ("link", re.compile(r"(?i)\b(?:https?|ftp)://\S{1,2000}|\bwww\.[\w-]+(?:\.[\w-]+)+\S{0,500}"), _always),
    ("iban", re.compile(r"\b[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){2,7}(?:\s?[A-Z0-9]{1,3})?\b"), _is_iban),
    ("payment_card", re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d])"), _is_card),
    ("ip_address", re.compile(r"(?<![\w.:])(?:\d{1,3}\.){3}\d{1,3}(?![\w:]|\.\d)"), _is_ip),
    ("ip_address", re.compile(r"(?i)(?<![\w:.])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:.])"), _is_ip),
    ("national_id", re.compile(r"(?<![\d-])\d{3}[- ]\d{2}[- ]\d{4}(?![\d-])"), _is_ssn),
    (
        "national_id",
        re.compile(r"\b(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\s?(?:\d{2}\s?){3}[A-D]\b"),
        _always,
    ),
    ("national_id", re.compile(r"\b[A-Z]{6}\d{2}[A-EHLMPR-T]\d{2}[A-Z]\d{3}[A-Z]\b"), _always),
    ("national_id", re.compile(r"\b(?:\d{8}|[XYZ]\d{7})-?[TRWAGMYFPDXBNJZSQVHLCKE]\b"), _always),
    (
        "national_id",
        re.compile(r"(?<!\d)[12]\s?\d{2}\s?(?:0[1-9]|1[0-2])\s?\d{2}\s?\d{3}\s?\d{3}\s?\d{2}(?!\d)"),
        _always,
    ),
    (
        "phone",
        re.compile(
            r"(?i)(?<![\w.,$\u20ac\u00a3-])(?:\+|00)?\(?\d{1,4}\)?(?:[ .\-/]\(?\d{2,8}\)?){1,6}"
            r"(?:\s?(?:x|ext\.?)\s?\d{1,6})?(?![\w%]|[.,]\d)"
        ),
        _is_phone,
    ),
    ("phone", re.compile(r"(?<![\w.])(?:\+\d{8,15}|0\d{9,10})(?!\w|[.,]\d)"), _is_phone),
    (
        "postal_address",
        re.compile(rf"(?i)\b\d{{1,5}}[a-z]?,?(?:\s\d{{1,5}})?(?:\s{_W}){{1,4}}?\s{_STREET}\b\.?"),
        _always,
    ),
    (
        "postal_address",
        re.compile(rf"(?i)\b\d{{1,5}}\s(?:rue|via|calle|avenida|rua|ulica|avenue)(?:\s{_W}){{1,4}}"),
        _always,
    ),
    (
        "postal_address",
        re.compile(rf"(?i)\b(?:{_W}\s)?[^\W\d_][\w-]{{0,30}}?{_STREET_JOINED}\.?\s\d{{1,5}}[a-z]?\b"),
        _always,
    ),
    (
        "postal_address",
        re.compile(r"(?i)\b(?:apt|apartment|suite|unit|flat|p\.?\s?o\.?\s?box)\b\.?\s?#?\d{1,6}\b"),
        _always,
    ),
)
