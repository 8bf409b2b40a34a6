"""The tables of the control store, the same on SQLite and Postgres, and how moments lie in them.

`migrations` make them; a test holds the two together. `REVISION` is the migration that this code needs.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Double,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

REVISION = "0007"
VERSION_TABLE = "control_version"


class Moment(TypeDecorator[datetime]):
    """A moment, aware and in UTC in Python; both stores order it and keep its microseconds."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """SQLite keeps text without a zone, so every moment is turned into UTC first."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Postgres answers in the session's zone, SQLite in none."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData()

circuits = Table(
    "circuits",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("state", String(20), nullable=False),
    Column("consecutive_failures", Integer, nullable=False),
    Column("outcomes", Text, nullable=False),  # JSON: [moment in ISO 8601, whether it went well], oldest first
    Column("open_seq", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("relapses", Integer, nullable=False),
    Column("since", Moment),
    Column("cause_kind", String(50)),
    Column("cause_reason", Text),
    Column("cause_not_before", Moment),
    Column("credential", String(200), nullable=False),
    Column("retry_at", Moment),
    Column("not_before", Moment),
    Column("probe_owner", String(200)),
    Column("probe_lease_until", Moment),
    Column("forced_state", String(20)),
    Column("forced_by", String(200)),
    Column("forced_reason", Text),
    Column("forced_since", Moment),
    Column("forced_until", Moment),
    Column("change_seq", Integer, nullable=False),
    Column("published_seq", Integer, nullable=False),
    Column("version", Integer, nullable=False),
)

circuit_changes = Table(
    "circuit_changes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(100), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    Column("event", String(30), nullable=False),
    Column("kind", String(50)),
    Column("reason", Text, nullable=False),
    Column("by", String(200)),
    UniqueConstraint("name", "seq"),
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("hour", Moment, primary_key=True),
    Column("successes", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("system", String(100), primary_key=True),
    Column("group_name", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("failed_at", Moment, nullable=False),
    Column("kind", String(50), nullable=False),
    Column("since", Moment, nullable=False),
)

actions = Table(
    "actions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("action", String(100), nullable=False),
    Column("target", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("details", Text, nullable=False),  # a JSON object
)

flags = Table(
    "flags",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("value", Text, nullable=False),
    Column("previous", Text),
    Column("changed_at", Moment, nullable=False),
    Column("changed_by", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("version", Integer, nullable=False),
)

flag_changes = Table(
    "flag_changes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(100), nullable=False),
    Column("at", Moment, nullable=False),
    Column("by", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("before", Text),
    Column("after", Text),
    Index("ix_flag_changes_name", "name"),
)

# One call to a language model: what it may cost while it is open, what it did cost once it has ended.
llm_calls = Table(
    "llm_calls",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("started_at", Moment, nullable=False),
    Column("day", Date, nullable=False),  # the business day
    Column("purpose", String(100), nullable=False),
    Column("key", String(200), nullable=False),  # the briefing or conversation
    Column("provider", String(50), nullable=False),
    Column("model", String(200), nullable=False),
    Column("prompt_version", String(100), nullable=False),
    Column("is_simulated", Boolean, nullable=False),
    Column("input_estimate", Integer, nullable=False),
    Column("estimate_nano_usd", BigInteger, nullable=False),  # what the estimated input costs
    Column("reserved_nano_usd", BigInteger, nullable=False),
    Column("state", String(10), nullable=False),  # open, ended
    Column("outcome", String(30)),  # ok, abandoned, or how it failed
    Column("input_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    Column("cached_tokens", Integer, nullable=False),
    Column("is_estimated", Boolean, nullable=False),
    Column("cost_nano_usd", BigInteger, nullable=False),
    Column("request_id", String(200)),
    Column("seconds", Float),
    Column("run_id", String(200)),
    Index("ix_llm_calls_day", "day"),
    Index("ix_llm_calls_state", "state", "started_at"),
)

# A day's lock for whoever wants to spend; of what share people were told, and what answers were found in the cache.
llm_days = Table(
    "llm_days",
    metadata,
    Column("day", Date, primary_key=True),
    Column("is_simulated", Boolean, primary_key=True),
    Column("told_percent", Integer, nullable=False),
    Column("cache_hits", Integer, nullable=False),
    Column("saved_nano_usd", BigInteger, nullable=False),
)

llm_calibrations = Table(
    "llm_calibrations",
    metadata,
    Column("model", String(200), primary_key=True),
    Column("ratios", Text, nullable=False),  # JSON: tokens used by tokens counted, oldest first
    Column("learnt_at", Moment, nullable=False),
)

llm_answers = Table(
    "llm_answers",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("content", Text, nullable=False),  # JSON
    Column("seal", String(64), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index("ix_llm_answers_expires_at", "expires_at"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("channel", String(20), primary_key=True),
    Column("kind", String(100), primary_key=True),
    Column("day", String(10), primary_key=True),  # ISO 8601
    Column("role", String(100), primary_key=True),
    Column("place", String(64), primary_key=True),  # a hash: addresses are nobody's business here
    Column("digest", String(64), primary_key=True),  # of what is said
    Column("state", String(20), nullable=False),
    Column("claim", String(64), nullable=False),
    Column("claimed_at", Moment, nullable=False),
    Column("sent_at", Moment),
    Column("tries", Integer, nullable=False),
    Column("receipt", String(200), nullable=False),
    Column("problem", Text, nullable=False),
)

# The seal of each briefing as it was published, apart from its files.
published = Table(
    "published",
    metadata,
    Column("kind", String(100), primary_key=True),
    Column("day", String(10), primary_key=True),  # ISO 8601
    Column("role", String(100), primary_key=True),
    Column("digest", String(64), nullable=False),  # of its manifest
    Column("published_at", Moment, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("role", String(100), nullable=False),
    Column("rows", Text, nullable=False),  # JSON: {attribute: [values]}, empty for every row
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("is_disabled", Boolean, nullable=False),
    Column("token_id", String(20), nullable=False),  # the part of the token that is no secret
    Column("token_hash", String(64), nullable=False),
    Column("changed_at", Moment, nullable=False),
    UniqueConstraint("token_id"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id_hash", String(64), primary_key=True),
    Column("user_name", String(100), nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index("ix_sessions_user_name", "user_name"),
    Index("ix_sessions_expires_at", "expires_at"),
)

# Each entry's code covers the one before it. Text throughout, so that what is signed is what is kept.
audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", String(27), nullable=False),  # ISO 8601 in UTC with microseconds; sorts as it is
    Column("actor", String(200), nullable=False),
    Column("role", String(100), nullable=False),
    Column("channel", String(20), nullable=False),
    Column("action", String(100), nullable=False),
    Column("target", String(500), nullable=False),
    Column("outcome", String(10), nullable=False),
    Column("details", Text, nullable=False),  # a JSON object
    Column("key_id", String(16), nullable=False),
    Column("mac", String(64), nullable=False),
    Index("ix_audit_at", "at"),
)

# One row: who appends holds it. `start_*` say what comes before the first entry that is kept here, `checkpoints` and
# `witnessed` what is known to lie elsewhere.
audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("chain", String(32), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("mac", String(64), nullable=False),
    Column("root", String(64), nullable=False),
    Column("start_seq", BigInteger, nullable=False),
    Column("start_mac", String(64), nullable=False),
    Column("start_root", String(64), nullable=False),
    Column("checkpoints", BigInteger, nullable=False),
    Column("checkpoint_digest", String(64), nullable=False),
    Column("witnessed", BigInteger, nullable=False),
    Column("key_id", String(16), nullable=False),
    Column("seal", String(64), nullable=False),
)

# What runs measure of themselves: counts, sums and buckets of a day, and of all days together (an empty day).
measures = Table(
    "measures",
    metadata,
    Column("day", String(10), primary_key=True),  # ISO 8601, UTC
    Column("series", String(100), primary_key=True),
    Column("labels", String(500), primary_key=True),  # a JSON array, in the series' own order
    Column("part", String(20), primary_key=True),  # value, sum, count, or a bucket's upper bound
    Column("value", Double, nullable=False),
)

# How far something that goes on from where it was has come.
marks = Table(
    "marks",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("value", Text, nullable=False),
    Column("version", Integer, nullable=False),
)
