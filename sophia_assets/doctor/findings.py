"""What a check has found, as data: about what, how that stands, what is so, and what to do."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from urllib.parse import unquote, urlsplit

from sophia_assets.errors import SophiaError
from sophia_assets.plain_text import visible

_SECRET = re.compile(r"KEY|TOKEN|PASSWORD|SECRET|PASSPHRASE|DSN")
_NO_SECRET = re.compile(r"_(PATH|FILE)$")
# A shorter text would be found in words that are no secret.
_SHORTEST_SECRET = 6
_HIDDEN = "(hidden)"


class Standing(StrEnum):
    """How something stands; the worst first. What was `skipped` was not looked at, and the finding says why."""

    PROBLEM = "problem"
    WARNING = "warning"
    SKIPPED = "skipped"
    OK = "ok"


ORDER: tuple[Standing, ...] = tuple(Standing)


@dataclass(frozen=True)
class Finding:
    """One finding. `told` and `remedy` are plain English, a line each; only what is well needs no remedy."""

    area: str
    subject: str
    standing: Standing
    told: str
    remedy: str = ""

    def as_json(self) -> dict[str, str]:
        """Its fields as plain values."""
        return asdict(self) | {"standing": self.standing.value}


class Findings:
    """Makes findings of one area, so that a check reads as what it says."""

    def __init__(self, area: str) -> None:
        self.area = area

    def ok(self, subject: str, told: str) -> Finding:
        """It is as it should be."""
        return Finding(self.area, subject, Standing.OK, told)

    def warning(self, subject: str, told: str, remedy: str) -> Finding:
        """It works, and will not for ever, or not as well as it could."""
        return Finding(self.area, subject, Standing.WARNING, told, remedy)

    def problem(self, subject: str, told: str, remedy: str) -> Finding:
        """It does not work."""
        return Finding(self.area, subject, Standing.PROBLEM, told, remedy)

    def skipped(self, subject: str, why: str, remedy: str = "") -> Finding:
        """It was not looked at."""
        return Finding(self.area, subject, Standing.SKIPPED, why, remedy)

    def failed(self, subject: str, error: SophiaError, standing: Standing = Standing.PROBLEM) -> Finding:
        """What an error of ours says, in its own words."""
        where = f"{error.obj}: " if error.obj else ""
        request = f" (request {error.request_id})" if error.request_id else ""
        remedy = error.remedy or "Run this again; if it lasts, see what the message names"
        return Finding(self.area, subject, standing, f"{where}{error.message}{request}", remedy)


def secrets_in(environment: Mapping[str, str]) -> frozenset[str]:
    """The values of an environment that nobody may see: keys and tokens, and the passwords within addresses."""
    found = set()
    for name, value in environment.items():
        if _SECRET.search(name) and not _NO_SECRET.search(name):
            found |= {value, *(part.strip() for part in value.split(","))}
        if "://" in value:
            try:
                password = urlsplit(value).password
            except ValueError:
                password = value
            found |= {password or "", unquote(password or "")}
    return frozenset(each for each in found if len(each) >= _SHORTEST_SECRET)


def shown(finding: Finding, secrets: Collection[str]) -> Finding:
    """The finding as it may be shown: on one line each, without what a terminal obeys, and without any secret."""
    return replace(
        finding,
        subject=_clean(finding.subject, secrets),
        told=_clean(finding.told, secrets),
        remedy=_clean(finding.remedy, secrets),
    )


def _clean(text: str, secrets: Collection[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return " ".join(visible(text).split())
