"""The metrics of work, voice, health and data, computed in plain Python from the rows of their marts.

The marts themselves are recomputed from raw tables in `warehouse/models`; here the way from rows to values is
taken a second time. A metric's rows are chosen by predicates on plain records, never by SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from sophia_assets_tests.end_to_end.recomputed_words import (
    Aggregate,
    Entity,
    Item,
    MetricWords,
    different,
    largest,
    mean,
    middle,
    number,
    total,
)
from sophia_assets_tests.end_to_end.shown_values import Span

Row = Mapping[str, Any]
Test = Callable[[Row, Span], bool]

_NAMES = {
    "account": ("account_id", "account"),
    "owner": ("owner_id", "owner"),
    "industry": ("industry", "industry"),
    "activity": ("kind", "kind"),
    "channel_kind": ("kind", "kind"),
    "document_kind": ("kind", "kind"),
    "issue_state": ("state", "state"),
    "data_table": ("table_name", "table_name"),
    "team": ("team", "team"),
    "plan": ("plan", "plan"),
    "topic": ("topic", "topic"),
    "feature": ("feature", "feature"),
    "system": ("system", "system"),
}


def _any(row: Row, span: Span) -> bool:
    return True


@dataclass(frozen=True)
class _Rows:
    """Which rows of a mart count: by `time`, by versions, by the days that they cover, and by `where`."""

    mart: str
    value: Callable[[Row, Span], Any]
    where: Test = _any
    time: str = ""
    versions: bool = False
    covers: tuple[str, str] | None = None

    def __call__(self, company: Any, span: Span, known: datetime) -> Iterator[Item]:
        moment = known.astimezone(UTC).replace(tzinfo=None)
        for row in company.answers.marts[self.mart]:
            if self._counts(row, span, moment) and self.where(row, span):
                yield Item(self.value(row, span), _entities(row))

    def _counts(self, row: Row, span: Span, moment: datetime) -> bool:
        if self.time and not (row[self.time] is not None and span.start <= row[self.time] <= span.end):
            return False
        if self.versions and not (
            row["valid_from"] < moment and (row["valid_to"] is None or row["valid_to"] >= moment)
        ):
            return False
        if self.covers is None:
            return True
        first, after_last = (row[name] for name in self.covers)
        return bool(first <= span.end and (after_last is None or after_last > span.end))


def _entities(row: Row) -> dict[str, Entity]:
    found = {}
    for dimension, (key, name) in _NAMES.items():
        if key in row and name in row and row[key] is not None:
            found[dimension] = (str(row[key]), str(row[name]))
    return found


def _one(row: Row, span: Span) -> int:
    return 1


def _of(name: str) -> Callable[[Row, Span], Any]:
    def value(row: Row, span: Span) -> Any:
        return None if row[name] is None else Fraction(row[name]) if not isinstance(row[name], str) else row[name]

    return value


def _is(name: str, *wanted: Any) -> Test:
    return lambda row, span: row[name] in wanted


def _if(test: Test) -> Callable[[Row, Span], int]:
    return lambda row, span: int(test(row, span))


def _days_since(name: str) -> Callable[[Row, Span], int]:
    return lambda row, span: (span.end - row[name]).days


def over(above: str, below: str) -> Aggregate:
    """The sum of one value over that of another, of records that hold both."""

    def aggregate(values: Any) -> Fraction | None:
        tops = [value[above] for value in values if value[above] is not None]
        bottoms = [value[below] for value in values if value[below] is not None]
        return sum(tops, Fraction(0)) / sum(bottoms) if tops and sum(bottoms) else None

    return aggregate


def _both(*names: str) -> Callable[[Row, Span], Any]:
    return lambda row, span: {name: None if row[name] is None else Fraction(row[name]) for name in names}


def _per_day(row: Row, span: Span) -> Fraction | None:
    users = row["active_users"]
    return None if users is None else Fraction(users) / ((span.end - span.start).days + 1)


def _sum_of_known(values: Any) -> Fraction | None:
    """A sum that is a mean over days: nothing at all is unknown, not zero."""
    return total(values)


def _out_of_touch(row: Row, span: Span) -> bool:
    return row["last_contact_on"] is None or (span.end - row["last_contact_on"]).days > 60


def _dormant(row: Row, span: Span) -> bool:
    return row["last_seen_on"] is None or (span.end - row["last_seen_on"]).days > 14


def _old(row: Row, span: Span) -> bool:
    return row["updated_on"] is not None and (span.end - row["updated_on"]).days > 180 and row["kind"] != "call-note"


def _heard(topic: str) -> Test:
    return lambda row, span: row["topic"] == topic and row["found_by"] != "transcript"


_30, _30_QTD, _30_7 = ("last_30d",), ("last_30d", "qtd"), ("last_30d", "last_7d")
_QTD_30, _NOW = ("qtd", "last_30d"), ("as_of",)
_WEEKS_MONTHS = ("week", "month")
_HEALTH_DAYS = ("day", "day_after")


@dataclass(frozen=True)
class _Mart:
    """The metrics of one mart share how its rows count."""

    mart: str
    time: str = ""
    versions: bool = False
    covers: tuple[str, str] | None = None
    is_snapshot: bool = False

    def __call__(
        self,
        aggregate: Aggregate,
        unit: str,
        periods: tuple[str, ...],
        *,
        value: Callable[[Row, Span], Any] = _one,
        where: Test = _any,
        series: tuple[str, ...] = (),
        by: dict[str, str] | None = None,
        time: str = "",
        form: str = "",
        run_rate: bool = False,
    ) -> MetricWords:
        rows = _Rows(self.mart, value, where, time or self.time, self.versions, self.covers)
        return MetricWords(
            "marts",
            rows,
            aggregate,
            unit,
            periods,
            series,
            by or {},
            form=form,
            is_snapshot=self.is_snapshot,
            run_rate=run_rate,
        )


_bookings = _Mart("marts.bookings", "booked_on", versions=True)
_activity = _Mart("marts.owner_activity", "day")
_health = _Mart("marts.customer_health", covers=_HEALTH_DAYS)
_conversations = _Mart("marts.conversations", "started_on")
_topics = _Mart("marts.topics", "started_on")
_created = _Mart("marts.issue_states", "created_on", versions=True)
_done = _Mart("marts.issue_states", "completed_on", versions=True)
_states = _Mart("marts.issue_states", versions=True)
_cycles = _Mart("marts.cycle_results", "ends_on")
_usage = _Mart("marts.usage_days", "day")
_seats = _Mart("marts.account_usage", versions=True)
_features = _Mart("marts.feature_usage", is_snapshot=True)
_documents, _documents_now = _Mart("marts.documents"), _Mart("marts.documents", is_snapshot=True)
_data = _Mart("marts.data_health", is_snapshot=True)
_unmatched = _Mart("marts.unmatched_accounts", is_snapshot=True)


def _bug(row: Row, span: Span) -> bool:
    return bool(row["is_bug"])


def _open(row: Row, span: Span) -> bool:
    return bool(row["is_open"])


def _open_bug(row: Row, span: Span) -> bool:
    return bool(row["is_open"] and row["is_bug"])


def _worried(row: Row, span: Span) -> bool:
    return (row["concerns"] or 0) > 0


WORK: dict[str, MetricWords] = {
    "new_business_bookings": _bookings(
        total, "usd", _QTD_30, value=_of("amount"), where=_is("deal_type", "new business"), run_rate=True
    ),
    "existing_business_bookings": _bookings(
        total, "usd", _QTD_30, value=_of("amount"), where=_is("deal_type", "existing business")
    ),
    "sales_activities": _activity(
        total, "count", _30, value=_of("activities"), where=lambda r, s: r["kind"] != "message",
        series=("week",), by={"owner": "last_30d", "activity": "last_30d"},
    ),
    "meetings_held": _activity(
        total, "count", _30_7, value=_of("activities"), where=_is("kind", "meeting"), by={"owner": "last_30d"}
    ),
    "active_sellers": _activity(different, "count", _30, value=_of("owner_id")),
    "customer_health": _health(
        mean, "number", _NOW, value=_of("score"), series=("week",), by={"account": "as_of", "owner": "as_of"}
    ),
    "healthy_customers": _health(number, "count", _NOW, where=_is("band", "healthy")),
    "customers_at_risk": _health(number, "count", _NOW, where=_is("band", "at risk"), by={"owner": "as_of"}),
    "mrr_at_risk": _health(
        total, "usd", _NOW, value=_of("mrr"), where=_is("band", "at risk"), by={"account": "as_of"}
    ),
    "customers_out_of_touch": _health(number, "count", _NOW, where=_out_of_touch, by={"owner": "as_of"}),
    "conversations": _conversations(number, "count", _30, series=("week",), by={"channel_kind": "last_30d"}),
    "accounts_heard": _conversations(different, "count", _30, value=_of("account_id")),
    "worried_conversations": _conversations(
        number, "count", _30, where=_worried, series=("week",), by={"account": "last_30d"}
    ),
    "worried_share": _conversations(mean, "percent", _30, value=_if(_worried)),
    "talk_share": _conversations(mean, "percent", _30, value=_of("talk_ratio"), where=_is("kind", "call")),
    "churn_signals": _topics(
        different, "count", _30, value=_of("conversation_id"), where=_heard("Churn risk"), by={"account": "last_30d"}
    ),
    "product_wishes": _topics(
        different, "count", _30, value=_of("conversation_id"), where=_heard("Product wish")
    ),
    "praise": _topics(different, "count", _30, value=_of("conversation_id"), where=_heard("Praise")),
    "topic_conversations": _topics(
        different, "count", (), value=_of("conversation_id"), where=lambda r, s: r["found_by"] != "transcript",
        by={"topic": "last_30d"},
    ),
    "issues_completed": _done(number, "count", (*_30_QTD, "last_7d"), series=_WEEKS_MONTHS, by={"team": "last_30d"}),
    "issues_created": _created(number, "count", _30),
    "bugs_reported": _created(
        number, "count", _30_7, where=_bug, series=_WEEKS_MONTHS, by={"account": "last_30d", "team": "last_30d"}
    ),
    "bugs_fixed": _done(number, "count", _30, where=_bug),
    "bug_share": _created(mean, "percent", _30, value=_if(_bug)),
    "cycle_time_days": _done(
        middle, "days", _30_QTD, value=_of("cycle_days"), where=lambda r, s: r["cycle_days"] is not None,
        series=("month",), by={"team": "last_30d"}, form="tenths",
    ),
    "bug_fix_days": _done(
        middle, "days", _30_QTD, value=_of("lead_days"), form="tenths",
        where=lambda r, s: _bug(r, s) and r["lead_days"] is not None,
    ),
    "open_issues": _states(
        number, "count", _NOW, where=_open, series=("month",), by={"team": "as_of", "issue_state": "as_of"}
    ),
    "open_bugs": _states(
        number, "count", _NOW, where=_open_bug, series=_WEEKS_MONTHS, by={"account": "as_of", "team": "as_of"}
    ),
    "urgent_bugs": _states(number, "count", _NOW, where=lambda r, s: _open_bug(r, s) and r["priority"] == 1),
    "work_in_progress": _states(number, "count", _NOW, where=_is("state_type", "started"), by={"team": "as_of"}),
    "backlog_age_days": _states(middle, "days", _NOW, value=_days_since("created_on"), where=_open),
    "cycle_completion": _cycles(
        over("completed_planned", "planned"), "percent", _30_QTD, value=_both("completed_planned", "planned"),
        where=_is("is_over", True), by={"team": "qtd"},
    ),
    "issues_carried_over": _cycles(
        total, "count", _30, value=_of("carried_over"), where=_is("is_over", True)
    ),
    "product_actions": _usage(
        total, "count", _30_7, value=_of("actions"), series=_WEEKS_MONTHS, by={"account": "last_30d"}
    ),
    "product_sessions": _usage(total, "count", _30, value=_of("sessions"), series=("week",)),
    "active_accounts": _usage(
        different, "count", _30_7, value=_of("account_id"), series=("week",),
        where=lambda r, s: (r["actions"] or 0) > 0,
    ),
    "daily_users": _usage(
        _sum_of_known, "number", _30_7, value=_per_day, series=("week",),
        by={"account": "last_30d"}, form="whole",
    ),
    "feature_uses": _features(total, "count", _NOW, value=_of("uses_30d"), by={"feature": "as_of"}),
    "seats_in_use": _seats(
        over("active_seats", "seats"), "percent", _NOW, value=_both("active_seats", "seats"),
        by={"account": "as_of", "plan": "as_of"},
    ),
    "dormant_accounts": _seats(number, "count", _NOW, where=_dormant),
    "documents_written": _documents(number, "count", _30, time="created_on", by={"document_kind": "last_30d"}),
    "fresh_documents": _documents_now(
        number, "count", _NOW,
        where=lambda r, s: r["updated_on"] is not None and 0 <= (s.end - r["updated_on"]).days <= 29,
    ),
    "old_documents": _documents_now(number, "count", _NOW, where=_old),
    "tables_loaded": _data(number, "count", _NOW, by={"system": "as_of"}),
    "rows_held": _data(
        total, "count", _NOW, value=_of("rows_held"), by={"system": "as_of", "data_table": "as_of"}
    ),
    "rows_set_aside": _data(total, "count", _NOW, value=_of("rows_quarantined"), by={"system": "as_of"}),
    "tables_lacking_columns": _data(
        number, "count", _NOW, where=lambda r, s: (r["columns_missing"] or 0) > 0
    ),
    "oldest_events": _data(
        lambda values: largest([value for value in values if value is not None]) ,
        "days", _NOW, value=_of("event_age_days"), by={"data_table": "as_of"},
    ),
    "unmatched_names": _unmatched(number, "count", _NOW, by={"system": "as_of"}),
}  # fmt: skip

#: Stocks of which no system tells the past: they are known since the first time that they were read.
KEPT_BY_READING = ("seats_in_use", "dormant_accounts")
MARTS: tuple[str, ...] = tuple(
    sorted({words.select.mart for words in WORK.values() if isinstance(words.select, _Rows)})
)
