"""How far a move stands out of what is usual: robust statistics on plain numbers, in units of ordinary noise.

Everything here answers in sigmas: 0 is what always happens, noise alone goes beyond `STANDS_OUT` less than once in
twenty times, and the sign is that of the move. What a metric is, and what a story is, belongs elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from math import copysign, log1p, sqrt
from statistics import fmean, median

#: Beyond this many sigmas a move is no noise.
STANDS_OUT = 2.1
#: Where only a rise is a story, noise goes beyond this about once in twenty times.
RISES = 1.6
#: Fewer values than this know nothing of what is usual.
LEAST_HISTORY = 6
#: Fewer others than this are no measure for one of them.
LEAST_PEERS = 8
#: Months of a quarter: sales and payments swing with it.
QUARTER = 3
#: No move is told to stand out by more than this.
LIMIT = 50.0

#: Scales the median absolute deviation, or the mean one, to the standard deviation of normal noise.
_MAD_TO_SIGMA = 1.4826
_MEAN_DEVIATION_TO_SIGMA = 1.2533
#: Values further from the middle than this many sigmas are pulled in, so that an outlier hides no other.
_PULLED_IN_AT = 2.5
#: What pulling in takes from the spread of normal noise.
_SPREAD_LOST = 1.04
#: A season is believed where it leaves no more than this part of the spread.
_SEASON_LEAVES = 0.5
#: How often each place of a season has to be known.
_SEASON_REPEATS = 3


@dataclass(frozen=True)
class Usual:
    """The middle of what was, its spread (a standard deviation that no outlier moves), and of how many values."""

    middle: float
    spread: float
    count: int


def usual(values: Sequence[float]) -> Usual | None:
    """What is usual among `values`; None for fewer than `LEAST_HISTORY`."""
    if len(values) < LEAST_HISTORY:
        return None
    middle = median(values)
    deviations = [abs(value - middle) for value in values]
    rough = _MAD_TO_SIGMA * median(deviations) or _MEAN_DEVIATION_TO_SIGMA * fmean(deviations)
    low, high = middle - _PULLED_IN_AT * rough, middle + _PULLED_IN_AT * rough
    pulled = [min(max(value, low), high) for value in values]
    centre = fmean(pulled)
    spread = sqrt(sum((value - centre) ** 2 for value in pulled) / (len(pulled) - 1))
    return Usual(centre, _SPREAD_LOST * spread, len(pulled))


def surprise(history: Sequence[float], recent: Sequence[float]) -> float:
    """How far the mean of `recent` lies from what is usual in `history`, in sigmas; 0 where too little is known.

    A few values give an uncertain spread, so the same distance is less of a surprise after a short history.
    """
    known = usual(history)
    if known is None or not recent:
        return 0.0
    return _sigmas(fmean(recent) - known.middle, known.spread * sqrt(1 / len(recent) + 1 / known.count), known.count)


def move_surprise(history: Sequence[float], move: float, months: float = 1.0) -> float:
    """How far a move stands out of those from month to month in `history` (whole months, oldest first), in sigmas.

    Where the same months of earlier quarters are known and matter, the move is judged against theirs. `months` is how
    long the periods are that were compared: the longer, the wider noise makes them differ.
    """
    moves = [after - before for before, after in pairwise(history)]
    known = usual(moves)
    if known is None:
        return 0.0
    expected, spread, count = known.middle, known.spread * sqrt(1 + 1 / known.count), known.count
    places = [moves[place::QUARTER] for place in range(QUARTER)]
    if min(map(len, places)) >= _SEASON_REPEATS:
        typical = [median(place) for place in places]
        left = usual([move - typical[number % QUARTER] for number, move in enumerate(moves)])
        guessed = len(moves) / (len(moves) - QUARTER) * (1 + 1 / min(map(len, places)))
        widened = left.spread * sqrt(guessed) if left else spread
        if widened < _SEASON_LEAVES * spread:
            expected, spread, count = typical[len(moves) % QUARTER], widened, count - QUARTER
    return _sigmas(move - expected * months, spread * sqrt(max(months, 1.0)), count)


def count_surprise(now: float, before: float) -> float:
    """How far a count stands out of one before over as long a time, by the square-root rule: 2 after 1 is nothing."""
    return 2**0.5 * (sqrt(max(now, 0.0) + 0.375) - sqrt(max(before, 0.0) + 0.375))


def ratio_surprise(now: float, cases: float, before: float, cases_before: float) -> float:
    """How far a ratio of `cases` (0..1) stands out of one before; a few cases make any ratio possible."""
    if cases <= 0 or cases_before <= 0:
        return 0.0
    pooled = (now * cases + before * cases_before + 1) / (cases + cases_before + 2)
    spread = sqrt(max(pooled * (1 - pooled), 0.0) * (1 / cases + 1 / cases_before))
    return 0.0 if spread <= 0 else max(-LIMIT, min(LIMIT, (now - before) / spread))


def among_peers(moves: Mapping[str, float]) -> dict[str, float]:
    """How far each of the moves of many alike stands out of the others', in sigmas; nothing for a handful."""
    known = usual(list(moves.values())) if len(moves) >= LEAST_PEERS else None
    if known is None:
        return {}
    return {name: _sigmas(move - known.middle, known.spread, known.count) for name, move in moves.items()}


def missing_days(end: date, known_to: datetime | None) -> int:
    """How many whole days up to `end` (included) are not in the data, which reaches to `known_to` (UTC).

    The business time zone may hide one day; None is data without an end.
    """
    if known_to is None:
        return 0
    behind = datetime.combine(end + timedelta(days=1), time(), UTC) - known_to
    return max(0, behind.days)


def is_whole_month(start: date, end: date) -> bool:
    """Whether a span is a calendar month from its first day to its last; one that still runs would look like a fall."""
    return start.day == 1 and (end + timedelta(days=1)).day == 1 and (start.year, start.month) == (end.year, end.month)


def weekdays_in(start: date, end: date) -> int:
    """Mondays to Fridays from `start` to `end`, both included: what a month of work is measured in."""
    weeks, rest = divmod((end - start).days + 1, 7)
    return weeks * 5 + sum((start + timedelta(days=day)).weekday() < 5 for day in range(rest))


def _sigmas(distance: float, spread: float, count: int) -> float:
    """A distance in units of a spread that was estimated from `count` values, as if the spread were known."""
    if not distance:
        return 0.0
    if spread <= 0:
        return copysign(LIMIT, distance)
    freedom = count - 1
    ratio = min(abs(distance) / spread, 1e6)
    # Wallace's approximation takes a value of Student's distribution to one of the normal.
    normal = (8 * freedom + 1) / (8 * freedom + 3) * sqrt(freedom * log1p(ratio * ratio / freedom))
    return copysign(min(normal, LIMIT), distance)
