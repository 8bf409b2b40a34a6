"""The area `clock`: this machine's clock against all others that were met, and the data of time zones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sophia_assets.doctor.findings import Finding, Findings
from sophia_assets.doctor.patient import Skew

if TYPE_CHECKING:
    from sophia_assets.doctor.patient import Patient

AREA = "clock"
_about = Findings(AREA)
_TOLERATED, _WRONG = 10.0, 120.0
_SOME_ZONE = "Europe/Berlin"
_SET = "Set this machine's clock, and have it kept right: `timedatectl set-ntp true`"


def check_zones(patient: Patient) -> Iterator[Finding]:
    """Whether time zones are known here."""
    try:
        for name in (patient.settings.timezone, _SOME_ZONE):
            ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield _about.problem("time zones", "this Python knows no time zones", "Install the package tzdata")
        return
    local = patient.now.astimezone(patient.settings.tzinfo)
    yield _about.ok("time zones", f"in {patient.settings.timezone} it is {local:%Y-%m-%d %H:%M}")


def check_clock(patient: Patient) -> Iterator[Finding]:
    """Compares the clocks that other checks have met."""
    yield from compared(patient.skews, datetime.now(UTC))


def compared(skews: Sequence[Skew], now: datetime) -> Iterator[Finding]:
    """Where most other clocks agree that it is another time, this one is wrong; where one is alone, that one is."""
    if not skews:
        yield _about.skipped("this machine", "no other clock was met to compare with")
        return
    usual = median(skew.seconds for skew in skews)
    within = max(skew.within for skew in skews)
    off = [skew for skew in skews if abs(skew.seconds) > _TOLERATED + skew.within]
    if abs(usual) > _TOLERATED + within and len(off) * 2 > len(skews):
        names = ", ".join(sorted(skew.name for skew in off))
        told = f"this machine's clock is {_length(usual)} {'behind' if usual > 0 else 'ahead of'} that of {names}"
        if len(skews) == 1:
            told += ", the only other one that was met"
        make = _about.problem if abs(usual) > _WRONG else _about.warning
        yield make("this machine", f"{told} (it says {now:%Y-%m-%d %H:%M:%S} UTC)", _SET)
        return
    for skew in off:
        agreeing = sum(abs(other.seconds) <= _TOLERATED + other.within for other in skews)
        yield _about.warning(
            skew.name,
            f"its clock is {_length(skew.seconds)} {'ahead of' if skew.seconds > 0 else 'behind'} this machine's, "
            f"with which {agreeing} others agree",
            "See what answers in its place: a proxy on the way may keep old answers. What is new may come late",
        )
    if not off:
        names = f"{len(skews)} others" if len(skews) > 1 else skews[0].name
        yield _about.ok("this machine", f"its clock agrees with {names} to within {_TOLERATED:g} s")


def _length(seconds: float) -> str:
    seconds = abs(seconds)
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.0f} hours"
