"""Redis' raw tables: what they hold, their keys, cursors, freshness and rules."""

from __future__ import annotations

from datetime import timedelta

from sophia_assets.sources.columns import between, day, integer, key_rules, not_null, refers_to, string, timestamp
from sophia_assets.sources.declarations import Column, ColumnType, Freshness, Table

SYSTEM = "redis"

# Counters of the last days still grow: clients send what they counted while they were offline.
_LATE_COUNTS = timedelta(days=3)
# A stream grows at its end only, but by its server's clock, which need not agree with this machine's.
CLOCK_SKEW = timedelta(hours=1)

_ACCOUNT_USAGE = Table(
    system=SYSTEM,
    name="account_usage",
    group="accounts",
    description="How each account uses the product now: its plan, its seats and the features in use.",
    primary_key=("account_id",),
    entity="account_id",
    # A measurement of the present only.
    keeps_versions=True,
    owner="team:product",
    columns=(
        string("account_id", "The HubSpot company that the account is."),
        string("account_name", "The account's name."),
        string("plan", "The plan that the account is on."),
        integer("seats", "How many people the account has paid for."),
        integer("active_seats", "How many people use the product."),
        timestamp("last_seen_at", "When somebody of the account last used the product."),
        Column("features", ColumnType.JSON, "How often each feature was used in the last 30 days, by its name."),
    ),
    expectations=(
        *key_rules("account_id"),
        refers_to("account_id", "hubspot.companies", "company_id", mostly=0.95),
        between("seats", 0, None, severity="warn"),
        between("active_seats", 0, None, severity="warn"),
    ),
)

_DAILY_USAGE = Table(
    system=SYSTEM,
    name="daily_usage",
    group="daily",
    description="What each account did in the product on each day: active users, sessions, actions.",
    primary_key=("day", "account_id", "counter"),
    entity="account_id",
    cursor="counted_on",
    lookback=_LATE_COUNTS,
    freshness=Freshness(newest_event=timedelta(days=4)),
    owner="team:product",
    columns=(
        day("day", "The day that was counted, as the product dates it."),
        string("account_id", "The HubSpot company that the account is."),
        string("counter", "What was counted: active_users, sessions, actions."),
        integer("value", "How many."),
        timestamp("counted_on", "The day's midnight, as UTC."),
    ),
    expectations=(
        *key_rules("day", "account_id", "counter"),
        not_null("value"),
        between("value", 0, None),
        refers_to("account_id", "hubspot.companies", "company_id", mostly=0.95),
    ),
)

_TOTALS = Table(
    system=SYSTEM,
    name="totals",
    group="counters",
    description="The product's running totals.",
    primary_key=("counter",),
    is_dimension=True,
    # A measurement of the present only.
    keeps_versions=True,
    owner="team:product",
    columns=(string("counter", "What is counted."), integer("value", "How many so far.")),
    expectations=(*key_rules("counter"), between("value", 0, None, severity="warn")),
)

_EVENTS = Table(
    system=SYSTEM,
    name="events",
    group="events",
    description="What people did in the product, one by one; the stream keeps the newest only.",
    primary_key=("event_id",),
    entity="account_id",
    cursor="occurred_at",
    lookback=CLOCK_SKEW,
    freshness=Freshness(newest_event=timedelta(days=4)),
    owner="team:product",
    columns=(
        string("event_id", "The entry's id in the stream."),
        string("account_id", "The HubSpot company that the account is."),
        string("user_id", "Who did it, as the product numbers its users."),
        string("event", "What was done."),
        string("feature", "The feature with which it was done."),
        timestamp("occurred_at", "When it was added to the stream, from its id."),
        Column("properties", ColumnType.JSON, "Whatever else the product says about it."),
    ),
    expectations=(
        *key_rules("event_id"),
        not_null("event", severity="warn", mostly=0.99),
        not_null("account_id", severity="warn", mostly=0.9),
    ),
)

TABLES: tuple[Table, ...] = (_ACCOUNT_USAGE, _DAILY_USAGE, _TOTALS, _EVENTS)
