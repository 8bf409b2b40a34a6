"""How well the platform serves, over a span of days: read from what it has written down of itself.

Belongs here: reading the control store and adding up. Does not belong here: the objectives (`objectives`), how they are
shown (`slo_commands`, `web.pages.objectives`), or what is wrong at this moment (`health`).

Days are UTC, as the figures are kept. What nothing was counted for is not known, and is neither kept nor broken.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from math import inf
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select

from sophia_assets.control.schema import audit, measures, published
from sophia_assets.insight.constitution import Principle
from sophia_assets.insight.kinds import DAILY
from sophia_assets.observability import objectives as declared
from sophia_assets.observability.health import BRIEFING_GRACE
from sophia_assets.observability.objectives import Judged, judged_seconds, judged_share
from sophia_assets.settings import WEEKDAYS
from sophia_assets.settings.llm import OFFLINE
from sophia_assets.telemetry import series
from sophia_assets.telemetry.labels import CACHES, HIT
from sophia_assets.telemetry.recording import COUNT, SUM, VALUE
from sophia_assets.telemetry.series import Series

if TYPE_CHECKING:
    from sophia_assets.services import Services

_FIRST_ENTRY = 1
#: What counts as reading, in the audit trail.
_READING = ("ask", "briefing.read", "evidence.read", "rows.read", "sql.run")
_READ_SERIES = (
    *(series.FETCHES, series.FETCH_ERRORS, series.CIRCUIT_DENIALS, series.QUESTIONS, series.QUESTION_SECONDS),
    *(series.VALIDATIONS, series.VALIDATION_FAILURES, series.CACHE_REQUESTS, series.LLM_SECONDS, series.LLM_COST),
    series.PRINCIPLES,
)
Labels = tuple[str, ...]


@dataclass(frozen=True)
class ActiveUsers:
    """How many people and programs read something; `weeks` are ISO weeks, such as `2026-W47`, oldest first."""

    total: int
    weeks: tuple[tuple[str, int], ...]
    note: str = ""


@dataclass(frozen=True)
class ServiceReport:
    """The days from `first` to `last`, both included, in UTC."""

    first: date
    last: date
    findings: tuple[Judged, ...]
    users: ActiveUsers
    notes: tuple[str, ...] = field(default=())

    @property
    def missed(self) -> tuple[Judged, ...]:
        """What was not kept."""
        return tuple(each for each in self.findings if each.is_met is False)

    def as_json(self) -> dict[str, Any]:
        """The report as plain values; shares from 0 to 1, durations in seconds, money in US dollars."""
        return {
            "from": self.first.isoformat(),
            "to": self.last.isoformat(),
            "objectives": [each.as_json() for each in self.findings],
            "active_users": {
                "total": self.users.total,
                "weeks": [{"week": week, "users": number} for week, number in self.users.weeks],
                "note": self.users.note,
            },
            "missed": len(self.missed),
            "not_known": sum(each.value is None for each in self.findings),
            "notes": list(self.notes),
        }


class Counted:
    """What was counted in a span of days, by series and labels."""

    def __init__(self, rows: Iterable[tuple[str, str, str, float]]) -> None:
        self._held: dict[str, dict[Labels, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
        for name, labels, part, value in rows:
            self._held[name][tuple(json.loads(labels))][part] = float(value)

    def total(self, of: Series, **labels: str) -> float:
        """A counter's sum over all labels but those that are given."""
        return sum(parts.get(VALUE, 0.0) for parts in self._parts(of, labels))

    def buckets(self, of: Series, **labels: str) -> dict[float, float]:
        """How many observations fell into each bucket of a histogram, by its upper bound."""
        found: dict[float, float] = defaultdict(float)
        for parts in self._parts(of, labels):
            for part, value in parts.items():
                if part != VALUE:
                    found[inf if part == "+Inf" else float(part)] += value
        return dict(found)

    def labels(self, of: Series, name: str) -> list[str]:
        """Every value of a label that was counted, sorted."""
        place = of.labels.index(name)
        return sorted({labels[place] for labels in self._held[of.name] if len(labels) == len(of.labels)})

    def _parts(self, of: Series, wanted: Mapping[str, str]) -> Iterable[Mapping[str, float]]:
        for labels, parts in self._held[of.name].items():
            known = dict(zip(of.labels, labels, strict=False))
            if all(known.get(name) == value for name, value in wanted.items()):
                yield parts


def read_service(services: Services, *, days: int, now: datetime | None = None) -> ServiceReport:
    """The report of the last `days` days (UTC), today included. Raises ControlStoreUnavailable."""
    now = now or datetime.now(UTC)
    last = now.astimezone(UTC).date()
    first = last - timedelta(days=days - 1)
    # What this process holds back for a moment belongs to it.
    services.recorder.flush()
    with services.control.reading() as connection:
        counted = _counted(connection, first, last)
        users = _users(connection, first, last)
        punctuality, note = _punctuality(connection, services, first, now)
    findings = (
        *_availability(counted, services.connected),
        *_questions(counted),
        _checks(counted),
        *_caches(counted),
        *_models(counted),
        _cost(counted, float(services.settings.llm.daily_budget_usd) * days),
        punctuality,
        *_compliance(counted),
    )
    return ServiceReport(first, last, findings, users, tuple(each for each in (note,) if each))


def quantile(buckets: Mapping[float, float], share: float) -> float | None:
    """The value below which `share` of the observations lie, evenly spread within a bucket, as Prometheus takes it.

    Where it lies beyond the last finite bound, that bound; None where nothing was observed.
    """
    bounds = sorted(buckets)
    count = sum(buckets.values())
    if not count:
        return None
    rank, below, lower = share * count, 0.0, 0.0
    for bound in bounds:
        held = buckets[bound]
        if held and below + held >= rank:
            return lower if bound == inf else lower + (bound - lower) * max(rank - below, 0.0) / held
        below += held
        if bound != inf:
            lower = bound
    return lower


def slower_than(buckets: Mapping[float, float], seconds: float) -> float:
    """The share of observations above a bound; of the bucket that it lies in, the part above it."""
    count = sum(buckets.values())
    if not count:
        return 0.0
    above, lower = 0.0, 0.0
    for bound in sorted(buckets):
        if lower >= seconds:
            above += buckets[bound]
        elif bound > seconds:
            above += buckets[bound] * (1.0 if bound == inf else (bound - seconds) / (bound - lower))
        lower = bound
    return above / count


def _counted(connection: Connection, first: date, last: date) -> Counted:
    columns = measures.c
    wanted = (
        select(columns.series, columns.labels, columns.part, func.sum(columns.value))
        .where(columns.day >= first.isoformat(), columns.day <= last.isoformat())
        .where(columns.series.in_([each.name for each in _READ_SERIES]), columns.part.not_in((SUM, COUNT)))
        .group_by(columns.series, columns.labels, columns.part)
    )
    return Counted(tuple(row) for row in connection.execute(wanted))


def _with_bounds(of: Series, counted: Counted, **labels: str) -> dict[float, float]:
    """The buckets with all bounds of the series, so that an empty one below is known to be empty."""
    return {bound: 0.0 for bound in of.buckets} | counted.buckets(of, **labels)  # noqa: C420


def _availability(counted: Counted, connected: Sequence[str]) -> list[Judged]:
    systems = sorted({*connected, *counted.labels(series.FETCHES, "source")})
    found = []
    for system in systems:
        reads = counted.total(series.FETCHES, source=system)
        failed = counted.total(series.FETCH_ERRORS, source=system)
        refused = counted.total(series.CIRCUIT_DENIALS, name=system)
        note = f"{refused:,.0f} held back by its circuit" if refused else ""
        found.append(judged_share(declared.AVAILABILITY, reads - failed, reads + refused, system, note))
    return found


def _questions(counted: Counted) -> list[Judged]:
    asked = counted.total(series.QUESTIONS)
    found = [
        *_percentiles(counted, series.QUESTION_SECONDS, (declared.QUESTION_MEDIAN, 0.5)),
        *_percentiles(counted, series.QUESTION_SECONDS, (declared.QUESTION_LATENCY, 0.95)),
    ]
    for objective, status in (
        (declared.QUESTION_ERRORS, "failed"),
        (declared.ANSWERED, "answered"),
        (declared.ABSTAINED, "abstained"),
        (declared.CLARIFIED, "clarify"),
    ):
        found.append(judged_share(objective, counted.total(series.QUESTIONS, status=status), asked))
    return found


def _percentiles(
    counted: Counted, of: Series, wanted: tuple[declared.Objective, float], subject: str = "", **labels: str
) -> list[Judged]:
    objective, share = wanted
    buckets = _with_bounds(of, counted, **labels)
    value = quantile(buckets, share)
    longest = max(bound for bound in buckets if bound != inf)
    note = f"longer than {longest:g} s" if value is not None and value >= longest and buckets.get(inf) else ""
    slower = slower_than(buckets, objective.target) if objective.target is not None else 0.0
    return [
        judged_seconds(objective, value, round(sum(buckets.values())), slower, subject, note, _width(buckets, value))
    ]


def _width(buckets: Mapping[float, float], value: float | None) -> float | None:
    """How wide the bucket is in which a percentile lies; None beyond the last bound, and where there is none."""
    lower = 0.0
    for bound in sorted(buckets):
        if value is not None and value <= bound < inf:
            return bound - lower
        lower = bound
    return None


def _checks(counted: Counted) -> Judged:
    made = counted.total(series.VALIDATIONS)
    return judged_share(declared.VALIDATION_ERRORS, counted.total(series.VALIDATION_FAILURES, severity="error"), made)


def _caches(counted: Counted) -> list[Judged]:
    found = []
    for cache in CACHES:
        hits = counted.total(series.CACHE_REQUESTS, cache=cache, outcome=HIT)
        objective = declared.CACHE_HITS if cache == "answer" else declared.OTHER_CACHE_HITS
        found.append(judged_share(objective, hits, counted.total(series.CACHE_REQUESTS, cache=cache), cache))
    return found


def _models(counted: Counted) -> list[Judged]:
    providers = [each for each in counted.labels(series.LLM_SECONDS, "provider") if each != OFFLINE]
    found = []
    for provider in providers:
        found += _percentiles(counted, series.LLM_SECONDS, (declared.MODEL_LATENCY, 0.95), provider, provider=provider)
    return found or [Judged(declared.MODEL_LATENCY, "", None, 0, None, None, "no language model was asked")]


def _cost(counted: Counted, budget: float) -> Judged:
    spent = counted.total(series.LLM_COST)
    calls = counted.buckets(series.LLM_SECONDS)
    count = round(sum(calls.values()) - sum(counted.buckets(series.LLM_SECONDS, provider=OFFLINE).values()))
    objective = replace(declared.MODEL_COST, target=budget)
    if not counted.labels(series.LLM_COST, "provider"):
        return Judged(objective, "", None, 0, None, None, "no language model was asked")
    return Judged(objective, "", round(spent, 6), count, spent <= budget, declared.used(spent, budget))


def _compliance(counted: Counted) -> list[Judged]:
    found = []
    for principle in Principle:
        name = principle.name.lower()
        reviews = counted.total(series.PRINCIPLES, principle=name)
        ignored = counted.total(series.PRINCIPLES, principle=name, outcome="none")
        found.append(judged_share(declared.COMPLIANCE, reviews - ignored, reviews, name, principle.value))
    return found


def _punctuality(connection: Connection, services: Services, first: date, now: datetime) -> tuple[Judged, str]:
    """The share of mornings on which the briefing of the day before was there in time, since the first one ever."""
    columns, role = published.c, services.settings.editions[0]
    own = (columns.kind == DAILY.key, columns.role == role)
    since = connection.execute(select(func.min(columns.published_at)).where(*own)).scalar()
    if since is None:
        return judged_share(declared.PUNCTUALITY, 0, 0), ""
    from_day = (first - timedelta(days=1)).isoformat()
    wanted = select(columns.day, columns.published_at).where(*own, columns.day >= from_day)
    moments = {date.fromisoformat(day): at for day, at in connection.execute(wanted)}
    due = [(day, at) for day, at in _deadlines(services, first, now) if at >= since]
    in_time = sum(day in moments and moments[day] <= at for day, at in due)
    late = sum(day in moments and moments[day] > at for day, at in due)
    note = "A briefing that was written again after its deadline counts as late." if late else ""
    return judged_share(declared.PUNCTUALITY, in_time, len(due), "", f"{late} late" if late else ""), note


def _deadlines(services: Services, first: date, now: datetime) -> Iterable[tuple[date, datetime]]:
    """Each day whose briefing was due in the span, and by when (UTC)."""
    settings, company = services.settings, services.home.company()
    working = {WEEKDAYS.index(day) for day in settings.working_days}
    is_simulated = company is not None and company.kind != "live" and company.last_day
    last_day = date.fromisoformat(str(company.last_day)) if company is not None and is_simulated else date.max
    morning = first
    while morning <= now.astimezone(settings.tzinfo).date():
        scheduled = datetime.combine(morning, time(settings.briefing_hour), settings.tzinfo)
        deadline, day = scheduled.astimezone(UTC) + BRIEFING_GRACE, morning - timedelta(days=1)
        if morning.weekday() in working and deadline <= now and day <= last_day:
            yield day, deadline
        morning += timedelta(days=1)


def _users(connection: Connection, first: date, last: date) -> ActiveUsers:
    day = func.substr(audit.c.at, 1, 10)
    wanted = (
        select(day, audit.c.actor)
        .where(audit.c.at >= first.isoformat(), audit.c.at < (last + timedelta(days=1)).isoformat())
        .where(audit.c.action.in_(_READING), audit.c.outcome == "allowed")
        .distinct()
    )
    weeks: dict[str, set[str]] = defaultdict(set)
    for text, actor in connection.execute(wanted):
        year, week, _ = date.fromisoformat(text).isocalendar()
        weeks[f"{year}-W{week:02}"].add(actor)
    everyone = set().union(*weeks.values()) if weeks else set()
    by_week = tuple((week, len(weeks[week])) for week in sorted(weeks))
    return ActiveUsers(len(everyone), by_week, _gone(connection, first))


def _gone(connection: Connection, first: date) -> str:
    """What is said where entries of the span lie in an archive of the audit trail."""
    kept = select(func.min(audit.c.seq), func.min(audit.c.at))
    number, oldest = connection.execute(kept).one()
    if number is None or number == _FIRST_ENTRY or oldest[:10] < first.isoformat():
        return ""
    return f"Entries of the audit trail before {oldest[:10]} are archived and not counted among active users."
