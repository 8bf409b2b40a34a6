"""Random streams, days and clock times: everything that must not depend on when somebody looks."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from random import Random
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sophia_assets.errors import ConfigurationError

_HOLIDAYS = {(1, 1), (12, 24), (12, 25), (12, 26), (12, 31)}


class Streams:
    """Independent random streams, each named by a key; equal keys give equal streams on every machine."""

    def __init__(self, seed: int, start: date, scale: float) -> None:
        self._root = f"{seed}|{start.isoformat()}|{float(scale)!r}"

    def of(self, *key: object) -> Random:
        """The stream of `key`, from its beginning."""
        text = "|".join((self._root, *map(str, key)))
        return Random(int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big"))


class Clock:
    """Turns business days (proleptic ordinals) and local times of day into UTC moments."""

    def __init__(self, timezone: str) -> None:
        self._zone = zone(timezone)
        self._noon_offset: dict[int, timedelta] = {}

    @property
    def timezone(self) -> str:
        """The business time zone's name."""
        return self._zone.key

    def moment(self, day: int, milliseconds: int) -> datetime:
        """UTC moment of `milliseconds` after midnight on `day`; meant for daytime, when clocks do not change."""
        offset = self._noon_offset.get(day)
        if offset is None:
            noon = datetime.combine(date.fromordinal(day), datetime.min.time(), self._zone) + timedelta(hours=12)
            offset = self._noon_offset[day] = noon.utcoffset() or timedelta(0)
        midnight = datetime.combine(date.fromordinal(day), datetime.min.time(), UTC)
        return midnight - offset + timedelta(milliseconds=milliseconds)

    def midnight(self, day: int) -> datetime:
        """UTC moment at which `day` begins in the business time zone."""
        return datetime.combine(date.fromordinal(day), datetime.min.time(), self._zone).astimezone(UTC)


def zone(timezone: str) -> ZoneInfo:
    """The named time zone. Raises ConfigurationError when there is none of that name."""
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigurationError(
            f"unknown time zone {timezone!r}", remedy="Use an IANA name such as Europe/Berlin or UTC."
        ) from error


def is_business_day(day: int) -> bool:
    """Whether people work on `day`."""
    when = date.fromordinal(day)
    return when.weekday() < 5 and (when.month, when.day) not in _HOLIDAYS


def business_day_from(day: int) -> int:
    """`day` itself, or the first business day after it."""
    while not is_business_day(day):
        day += 1
    return day


def quarter_end(day: int) -> int:
    """The last day of the calendar quarter of `day`."""
    when = date.fromordinal(day)
    month = (when.month - 1) // 3 * 3 + 3
    following = date(when.year + month // 12, month % 12 + 1, 1)
    return following.toordinal() - 1


def add_months(day: int, months: int, day_of_month: int) -> int:
    """The `day_of_month` (1..28) of the month `months` after that of `day`."""
    when = date.fromordinal(day)
    index = when.year * 12 + when.month - 1 + months
    return date(index // 12, index % 12 + 1, day_of_month).toordinal()


def poisson(stream: Random, mean: float) -> int:
    """A Poisson count; exact below a mean of 30, rounded normal above."""
    if mean > 30:
        return max(0, round(stream.gauss(mean, math.sqrt(mean))))
    limit, count, product = math.exp(-mean), 0, stream.random()
    while product > limit:
        count += 1
        product *= stream.random()
    return count


def between(stream: Random, median: float, spread: float, low: float, high: float) -> float:
    """A log-normal amount around `median`, kept within [low, high]."""
    return min(high, max(low, median * math.exp(spread * stream.gauss(0.0, 1.0))))
