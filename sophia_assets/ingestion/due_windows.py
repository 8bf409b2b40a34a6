"""Which days a system still has to be read for, and when days that were asked for in vain are asked for again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

# Reading begins this long before the briefing is written.
READ_BEFORE_BRIEFING = timedelta(minutes=30)
# What was missed longer ago is for a backfill, which somebody asks for.
MOST_DAYS_BACK = 31

_ASK_HOURLY = timedelta(hours=1)
_FIRST_WAIT = timedelta(minutes=5)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class DayRange:
    """Business days from `first` to `last`, both included."""

    first: date
    last: date

    @property
    def is_one_day(self) -> bool:
        """Whether it is a single day."""
        return self.first == self.last

    def days(self) -> list[str]:
        """The days (ISO), oldest first."""
        return [(self.first + _DAY * place).isoformat() for place in range((self.last - self.first).days + 1)]

    def __str__(self) -> str:
        return f"{self.first}" if self.is_one_day else f"{self.first} to {self.last}"


@dataclass(frozen=True)
class Asked:
    """Days were asked for, and the run ended `at` (UTC). `circuit` told the state of the circuit when it was asked."""

    at: datetime
    circuit: str


def read_time(day: date, briefing_hour: int, timezone: ZoneInfo) -> datetime:
    """When (UTC) a business day is due to be read: on the next day, before the briefing is written."""
    briefing = datetime.combine(day + _DAY, time(briefing_hour), timezone).astimezone(UTC)
    return briefing - READ_BEFORE_BRIEFING


def last_day_due(now: datetime, briefing_hour: int, timezone: ZoneInfo) -> date:
    """The last complete business day whose read time has come at `now` (UTC)."""
    day = now.astimezone(timezone).date() - _DAY
    return day if read_time(day, briefing_hour, timezone) <= now else day - _DAY


def next_range(earliest: date, last: date, filled: Sequence[Collection[str]]) -> DayRange | None:
    """The days to read next, None where every table has them all; `earliest` and `last` are those that may be read.

    `filled` holds, for each table, the days (ISO) that it was read for. The newest missing days come first, as far
    as they hang together: they are read in one go. A table that was never read gets its whole history with one day.
    """
    earliest = max(earliest, last - (MOST_DAYS_BACK - 1) * _DAY)
    missing = [
        day
        for day in (last - back * _DAY for back in range((last - earliest).days + 1))
        if not all(day.isoformat() in days for days in filled)
    ]
    if not missing:
        return None
    newest = first = missing[0]
    if all(filled):
        for day in missing[1:]:
            if day != first - _DAY:
                break
            first = day
    return DayRange(first, newest)


def ask_again_at(asked: Sequence[Asked], circuit: str, *, does_not_answer: bool = False) -> datetime | None:
    """When (UTC) to ask again for days that were asked for, oldest first; None where they never were.

    Where the circuit has changed since, it was its doing, and the days are asked for at once; from the second time on
    after a wait that doubles, since a system may answer a probe and fail with every read. One that `does_not_answer`,
    and whose circuit has not opened yet, is asked after such a wait, too. Else it is the days that fail, and an hour
    passes.
    """
    if not asked:
        return None
    latest = asked[-1]
    if latest.circuit == circuit and not does_not_answer:
        return latest.at + _ASK_HOURLY
    doublings = len(asked) - (1 if latest.circuit == circuit else 2)
    if doublings < 0:
        return latest.at
    return latest.at + min(_FIRST_WAIT * (1 << min(doublings, 10)), _ASK_HOURLY)
