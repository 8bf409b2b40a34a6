"""What the product counts in its Redis: daily use per account, the state of each account, the newest events.

Use follows the subscriptions. Customers who will leave or shrink use less weeks before, unhappy ones
fade while they are unhappy, and those who will grow fill their seats first.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import date
from itertools import accumulate, pairwise
from operator import attrgetter
from random import Random
from time import gmtime, strftime
from typing import Any

from sophia_assets.sandbox.company.history import (
    FADES_BEFORE_LEAVING,
    FADES_BEFORE_SHRINKING,
    FADES_BEFORE_TROUBLE,
    FILLS_BEFORE_GROWING,
    History,
    works,
)
from sophia_assets.sandbox.company.model import Account, Note, Subscription, Term
from sophia_assets.sandbox.company.world import texts
from sophia_assets.sandbox.company_data import RedisData

_RAMP_UP, _RECOVERY, _GROWS_INTO_SEATS = 45, 50, 60
# The stream is capped, as a producer with MAXLEN caps it.
_STREAM_LENGTH = 40_000
_EVENTS_PER_ACTION = 0.003
_RECENT_DAYS = 30
_OPENS_S, _CLOSES_S = 7 * 3600, 18 * 3600

_Knots = list[tuple[int, float]]


@dataclass
class _Bend:
    """A change of the curve from `begins` on, through `points`: users, or shares of the level at its beginning.

    Until the day `until` a change of seats does not show, because people stay away.
    """

    begins: int
    points: _Knots
    relative: bool = False
    until: int = 0


@dataclass
class _Tally:
    """What one subscription amounted to by the end of the last day."""

    actions: int = 0
    recent_actions: int = 0
    recent_peak: int = 0
    last_seen: int = 0


@dataclass
class _Counts:
    """Every day's hash and what the counters sum up to."""

    daily: list[dict[str, str]]
    active: list[list[tuple[str, int, int]]] = field(default_factory=list)
    totals: dict[str, int] = field(default_factory=lambda: {"active_user_days": 0, "sessions": 0, "actions": 0})


def redis(history: History) -> RedisData:
    """The product's counters at the end of the last day.

    `usage:daily:<day>` maps `<account_id>:<counter>` to a count (a day without use has no field),
    `usage:account:<account_id>` describes today's customers, `usage:total:<name>` counts since the first
    day, and the stream `usage:events` keeps the newest events. Days are those of the business time zone.
    """
    counts = _Counts([{} for _ in history.days], [[] for _ in history.days])
    accounts: dict[str, dict[str, str]] = {}
    troubles = _troubles(history)
    for subscription in history.world.subscriptions:
        if subscription.terms[0].valid_from > history.last:
            continue
        tally = _count(history, subscription, troubles.get(subscription.account, []), counts)
        if _ended(subscription, history.last) is None:
            accounts[f"usage:account:{subscription.account.id}"] = _describe(history, subscription, tally)
    hashes = {
        f"usage:daily:{date.fromordinal(day).isoformat()}": fields
        for day, fields in zip(history.days, counts.daily, strict=True)
        if fields
    }
    per_day = [_events_of(day_active) for day_active in counts.active]
    totals = {**counts.totals, "accounts": len(accounts), "events": sum(per_day)}
    return RedisData(
        hashes={**hashes, **accounts},
        strings={f"usage:total:{name}": str(value) for name, value in totals.items()},
        streams={"usage:events": _events(history, counts.active, per_day)},
    )


def _troubles(history: History) -> dict[Account, list[Note]]:
    found: dict[Account, list[Note]] = {}
    for note in history.foreseen:
        if note.kind == "at_risk" and note.account is not None:
            found.setdefault(note.account, []).append(note)
    return found


def _ended(subscription: Subscription, last: int) -> int | None:
    """The first day without the subscription, where that has come by the end of `last`."""
    end = subscription.current.valid_to
    return end if end is not None and end <= last else None


def _count(history: History, subscription: Subscription, troubles: list[Note], counts: _Counts) -> _Tally:
    """Write the subscription's daily counts; returns what they amount to."""
    account, start = subscription.account, history.world.start
    stream = history.world.streams.of("usage", subscription.id)
    first = max(start, subscription.terms[0].valid_from)
    last = min(history.last, (subscription.current.valid_to or history.last + 1) - 1)
    curve = _curve(_expected(stream, subscription, troubles, start), first, last)
    rhythm = _rhythm(stream, account)
    names = f"{account.id}:active_users", f"{account.id}:sessions", f"{account.id}:actions"
    per_user, per_session = texts("usage")["plans"][subscription.current.plan]
    draw, totals, tally, recent = stream.random, counts.totals, _Tally(), history.last - _RECENT_DAYS
    seats = iter(_seats(subscription, first, last))
    for day, expected in zip(range(first, last + 1), curve, strict=True):
        limit = next(seats)
        share = rhythm[day % 7] if works(day) else 0.05 if account.enterprise and draw() < 0.2 else 0.0
        if not share:
            continue
        users = min(limit, round(expected * share * (0.92 + 0.16 * draw())))
        if users <= 0:
            continue
        sessions = round(users * per_user * (0.9 + 0.2 * draw())) or 1
        actions = round(sessions * per_session * (0.85 + 0.3 * draw()))
        fields = counts.daily[day - start]
        fields[names[0]], fields[names[1]], fields[names[2]] = str(users), str(sessions), str(actions)
        counts.active[day - start].append((account.id, users, actions))
        totals["active_user_days"] += users
        totals["sessions"] += sessions
        totals["actions"] += actions
        tally.last_seen = day
        if day > recent:
            tally.recent_actions += actions
            tally.recent_peak = max(tally.recent_peak, users)
    return tally


def _rhythm(stream: Random, account: Account) -> list[float]:
    """Per weekday (ordinal modulo 7) the share of the usual users: small customers come on a day or two of the week."""
    share = [0.0] * 7
    workdays = [1, 2, 3, 4, 5]
    days = stream.choice((4, 5, 5)) if account.enterprise else stream.choice((1, 1, 2))
    for weekday in stream.sample(workdays, days):
        share[weekday] = 1.0 if weekday < 5 else 0.9
    return share


def _seats(subscription: Subscription, first: int, last: int) -> list[int]:
    """The seats on each day of [first, last]."""
    seats: list[int] = []
    for term in subscription.terms:
        until = min(last + 1, term.valid_to if term.valid_to is not None else last + 1)
        seats.extend([term.seats] * (until - max(first, term.valid_from)))
    return seats


def _expected(stream: Random, subscription: Subscription, troubles: list[Note], start: int) -> _Knots:
    """The curve of expected users, bent by what happens to the account.

    A bend changes the curve only from its own beginning on, and bends come in the order of their
    beginnings: so what is not yet foreseen cannot change a day that has passed.
    """
    usual = stream.uniform(0.58, 0.8)
    since, first = subscription.terms[0].valid_from, subscription.terms[0]
    knots: _Knots = [(start, usual * first.seats)]
    if since >= start:
        knots = [(since, 0.25 * first.seats), (since + _RAMP_UP, usual * first.seats)]
    bends = [bend for old, new in pairwise(subscription.terms) if (bend := _term_bend(old, new, usual))]
    bends += [_trouble_bend(note) for note in troubles if _within(note.day, subscription)]
    if (end := subscription.current.valid_to) is not None:
        bends.append(_Bend(end - FADES_BEFORE_LEAVING, [(end, 0.3)], relative=True))
    troubled_until = 0
    for bend in sorted(bends, key=lambda bend: bend.begins):
        if not bend.relative and bend.begins < troubled_until:
            continue
        troubled_until = max(troubled_until, bend.until)
        begins = max(bend.begins, knots[0][0])
        level = _level(knots, begins)
        factor = level if bend.relative else 1.0
        knots = [knot for knot in knots if knot[0] < begins] + [(begins, level)]
        knots += [(day, factor * value) for day, value in bend.points if day > begins]
    return knots


def _term_bend(old: Term, new: Term, usual: float) -> _Bend | None:
    day = new.valid_from
    if new.change == "expansion":
        full = 0.97 * old.seats
        return _Bend(day - FILLS_BEFORE_GROWING, [(day, full), (day + _GROWS_INTO_SEATS, max(full, usual * new.seats))])
    if new.change == "contraction":
        points = [(day, 0.5 * old.seats), (day + _RECOVERY, 0.62 * new.seats)]
        return _Bend(day - FADES_BEFORE_SHRINKING, points)
    return None


def _trouble_bend(note: Note) -> _Bend:
    points = [(note.until - 5, 0.42)]
    if not note.leaves:
        points.append((note.until + _RECOVERY, 0.92))
    return _Bend(note.day - FADES_BEFORE_TROUBLE, points, relative=True, until=note.until)


def _within(day: int, subscription: Subscription) -> bool:
    end = subscription.current.valid_to
    return subscription.terms[0].valid_from <= day and (end is None or day < end)


def _term_on(subscription: Subscription, day: int) -> Term:
    index = bisect_right(subscription.terms, day, key=attrgetter("valid_from"))
    return subscription.terms[max(0, index - 1)]


def _level(knots: _Knots, day: int) -> float:
    """The curve's value on `day`; flat before its first and after its last knot."""
    for (left, low), (right, high) in pairwise(knots):
        if left <= day < right:
            return low + (high - low) * (day - left) / (right - left)
    return knots[-1][1] if day >= knots[-1][0] else knots[0][1]


def _curve(knots: _Knots, first: int, last: int) -> list[float]:
    """The curve's values on each day of [first, last]."""
    values: list[float] = []
    for (left, low), (right, high) in zip(knots, [*knots[1:], (last + 1, knots[-1][1])], strict=True):
        if right > left:
            step = (high - low) / (right - left)
            values.extend(low + step * (day - left) for day in range(max(first, left), min(last + 1, right)))
    return values


def _describe(history: History, subscription: Subscription, tally: _Tally) -> dict[str, str]:
    """The hash of one account at the end of the last day."""
    account, term = subscription.account, _term_on(subscription, history.last)
    stream = history.world.streams.of("features", account.id)
    names = texts("usage")["features"]
    weights = [stream.random() ** 2 + 0.02 for _ in names]
    whole, left, features = sum(weights), tally.recent_actions, {}
    for name, weight in zip(names, weights, strict=True):
        features[name] = min(left, round(tally.recent_actions * weight / whole))
        left -= features[name]
    features[names[-1]] += left
    seen = {"last_seen_at": utc(history.midnight(tally.last_seen) + _CLOSES_S)} if tally.last_seen else {}
    return {
        "account_name": account.name,
        "plan": term.plan,
        "seats": str(term.seats),
        "active_seats": str(min(term.seats, round(1.05 * tally.recent_peak))),
        "features": json.dumps({name: uses for name, uses in features.items() if uses}),
        **seen,
    }


def _events_of(active: list[tuple[str, int, int]]) -> int:
    return int(_EVENTS_PER_ACTION * sum(actions for _, _, actions in active))


def _events(
    history: History, active: list[list[tuple[str, int, int]]], per_day: list[int]
) -> list[tuple[str, dict[str, str]]]:
    """The newest events, oldest first; only the days that the capped stream still reaches are worked out."""
    length = max(1_000, round(_STREAM_LENGTH * history.world.scale))
    begins, count = len(per_day), 0
    while begins > 0 and count < length:
        begins -= 1
        count += per_day[begins]
    kinds = texts("usage")["events"]
    found: list[tuple[str, dict[str, str]]] = []
    for index in range(begins, len(per_day)):
        if per_day[index]:
            found += _events_on(history, history.world.start + index, active[index], per_day[index], kinds)
    return found[-length:]


def _events_on(
    history: History, day: int, active: list[tuple[str, int, int]], count: int, kinds: list[Any]
) -> list[tuple[str, dict[str, str]]]:
    stream = history.world.streams.of("product events", day)
    midnight, span, draw = history.midnight(day) * 1000, (_CLOSES_S - _OPENS_S) * 1000, stream.random
    moments = sorted(midnight + _OPENS_S * 1000 + int(draw() * span) for _ in range(count))
    who = stream.choices(active, cum_weights=list(accumulate(actions for _, _, actions in active)), k=count)
    what = stream.choices(kinds, k=count)
    events: list[tuple[str, dict[str, str]]] = []
    previous = sequence = 0
    for moment, (account_id, users, _), (event, feature, measure) in zip(moments, who, what, strict=True):
        sequence = sequence + 1 if moment == previous else 0
        previous = moment
        fields = {
            "account_id": account_id,
            "user_id": f"u-{account_id}-{1 + int(draw() * users)}",
            "event": event,
            "feature": feature,
            "properties": f'{{"{measure}": {1 + int(900 * draw() ** 3)}}}',
        }
        events.append((f"{moment}-{sequence}", fields))
    return events


def utc(seconds: int) -> str:
    """A moment (seconds since the epoch) in ISO 8601, UTC."""
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(seconds))
