"""How one setting is read from its text, and how it is told that the text is wrong.

Belongs here: a reader per kind of value. Does not belong here: which settings there are (`settings`).

Every reader raises ConfigurationError naming the setting, its value and what is allowed. Addresses are the exception:
they may hold a password, so that their value is never told.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from math import isfinite
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sophia_assets.access.roles import EXECUTIVE
from sophia_assets.errors import ConfigurationError
from sophia_assets.sources import registry

DEFAULT_EDITIONS = (EXECUTIVE, "sales_leader", "engineering_leader")
WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


def choice(environment: Mapping[str, str], name: str, allowed: tuple[str, ...], default: str) -> str:
    """One of a few words, in any case."""
    value = (environment.get(name) or default).strip().lower()
    if value not in allowed:
        raise ConfigurationError(f"{name} is {value!r}", remedy=f"Allowed: {', '.join(allowed)}")
    return value


def integer(environment: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """A whole number from `low` to `high`, both included."""
    text = environment.get(name) or str(default)
    if not text.strip().isdecimal() or not low <= int(text) <= high:
        raise ConfigurationError(f"{name} is {text!r}", remedy=f"Allowed: a whole number from {low} to {high}")
    return int(text)


def number(environment: Mapping[str, str], name: str, default: float, low: float, high: float) -> float:
    """A number from `low` to `high`, both included."""
    text = environment.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value) or not low <= value <= high:
        raise ConfigurationError(f"{name} is {text!r}", remedy=f"Allowed: a number from {low:g} to {high:g}")
    return value


def address(environment: Mapping[str, str], name: str, schemes: tuple[str, ...], example: str) -> str | None:
    """A URL with one of `schemes`, or None where it is not set."""
    text = (environment.get(name) or "").strip()
    if not text:
        return None
    try:
        parts = urlsplit(text)
        is_right = parts.scheme in schemes and parts.port != 0  # a port that is no number is a ValueError
    except ValueError:
        is_right = False
    if not is_right:
        raise ConfigurationError(
            f"{name} is no address of {' or '.join(f'{allowed}://' for allowed in schemes)}",
            remedy=f"Write it as {example}",
        )
    return text


def day(environment: Mapping[str, str], name: str) -> date | None:
    """A calendar date, or None where it is not set."""
    text = environment.get(name)
    return parse_date(text, name) if text else None


def parse_date(text: str, what: str) -> date:
    """A calendar date from YYYY-MM-DD; `what` names the setting or option in the error."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{what} is {text!r}, which is not a date", remedy="Write it as YYYY-MM-DD, for example 2026-03-31"
        ) from None


def columns(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Columns of raw tables, as `system.table.column` separated by commas."""
    given = tuple(part.strip() for part in (environment.get(name) or "").split(",") if part.strip())
    known = {f"{table.qualified_name}.{column}" for table in registry.tables() for column in table.column_names}
    for column in given:
        if column not in known:
            raise ConfigurationError(
                f"{name} names {column!r}, which is no column", remedy="Write system.table.column, separated by commas"
            )
    return given


def editions(environment: Mapping[str, str], name: str, allowed: Collection[str]) -> tuple[str, ...]:
    """Roles separated by commas, each once; the executive's edition is always written, and comes first."""
    text = environment.get(name)
    given = [part.strip().lower() for part in text.split(",") if part.strip()] if text else list(DEFAULT_EDITIONS)
    for role in given:
        if role not in allowed:
            raise ConfigurationError(
                f"{name} names {role!r}, which is no role", remedy=f"Allowed: {', '.join(allowed)}, separated by commas"
            )
    return tuple(dict.fromkeys([EXECUTIVE, *given]))


def timezone(environment: Mapping[str, str]) -> str:
    """The IANA name of the business time zone."""
    name = environment.get("SOPHIA_TIMEZONE") or "UTC"
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones, such as "Europe", is an OSError
        raise ConfigurationError(
            f"SOPHIA_TIMEZONE is {name!r}, which is not a time zone", remedy="Use an IANA name such as Europe/Berlin"
        ) from None
    return name


def working_days(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The working days in the week's order."""
    text = environment.get("SOPHIA_WORKING_DAYS") or "MON,TUE,WED,THU,FRI"
    days = tuple(day.strip().upper() for day in text.split(",") if day.strip())
    if not days or any(day not in WEEKDAYS for day in days):
        raise ConfigurationError(
            f"SOPHIA_WORKING_DAYS is {text!r}", remedy=f"Allowed: a comma-separated list of {', '.join(WEEKDAYS)}"
        )
    return tuple(day for day in WEEKDAYS if day in days)
