"""Lengths of time as operators write them: `90s`, `30m`, `2h`, `1d`."""

from __future__ import annotations

import re
from datetime import timedelta

from sophia_assets.errors import ConfigurationError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST_DURATION = timedelta(days=366)


def parse_duration(text: str, what: str = "the ttl") -> timedelta:
    """The length that `text` names; `what` names the argument in the error. Raises ConfigurationError."""
    remedy = "Write a whole number and s, m, h or d, such as 30m; at most 366d"
    found = re.fullmatch(r"(\d{1,9})([smhd])", text.strip().lower(), re.ASCII)
    if not found:
        raise ConfigurationError(f"{what} is {text!r}", remedy=remedy)
    length = timedelta(**{_UNITS[found[2]]: int(found[1])})
    if not timedelta() < length <= LONGEST_DURATION:
        raise ConfigurationError(f"{what} is {text!r}", remedy=remedy)
    return length
