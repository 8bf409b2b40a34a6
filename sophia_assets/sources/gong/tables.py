"""Gong's raw tables: what they hold, their keys, cursors, freshness and rules."""

from __future__ import annotations

from datetime import timedelta

from sophia_assets.sources.columns import between, boolean, integer, key_rules, not_null, one_of, string, timestamp
from sophia_assets.sources.declarations import Freshness, Table

SYSTEM = "gong"

# Calls and transcripts appear hours or days after the call, always under the time at which it began.
_LATE_ARRIVAL = timedelta(days=7)
_CALL_FRESHNESS = Freshness(newest_event=timedelta(days=4))

_USERS = Table(
    system=SYSTEM,
    name="users",
    group="users",
    description="Employees whose calls Gong records.",
    primary_key=("user_id",),
    owner="team:customer",
    columns=(
        string("user_id", "Gong's id of the user."),
        string("email", "The user's e-mail address.", personal=True),
        string("first_name", "The user's first name."),
        string("last_name", "The user's last name."),
        string("title", "The user's role in the company."),
        string("manager_id", "The user's manager."),
        boolean("active", "Whether the user still has an account."),
        timestamp("created_at", "When the user was added."),
    ),
    expectations=key_rules("user_id"),
)

_CALLS = Table(
    system=SYSTEM,
    name="calls",
    group="calls",
    description="Recorded calls with customers and prospects, with the account and deal they were about.",
    primary_key=("call_id",),
    cursor="started_at",
    lookback=_LATE_ARRIVAL,
    freshness=_CALL_FRESHNESS,
    owner="team:customer",
    columns=(
        string("call_id", "Gong's id of the call."),
        string("title", "The meeting's title."),
        timestamp("started_at", "When the call began."),
        integer("duration_s", "How long the call lasted, in seconds."),
        string("direction", "Inbound, Outbound, Conference or Unknown."),
        string("primary_user_id", "The employee who hosted the call."),
        string("company_id", "The HubSpot company that Gong linked the call to."),
        string("company_name", "That company's name, as Gong shows it."),
        string("deal_id", "The HubSpot deal that Gong linked the call to."),
        string("url", "Where the call can be heard in Gong."),
    ),
    expectations=(
        *key_rules("call_id"),
        not_null("started_at", recovery="A call without a start cannot be dated; ask Gong's support about its id."),
        between("duration_s", 0, None, strict_low=True, severity="warn"),
        one_of("direction", ["Inbound", "Outbound", "Conference", "Unknown"], severity="warn"),
        not_null("company_id", severity="warn", mostly=0.5, recovery="Check Gong's CRM connection to HubSpot."),
    ),
)

_CALL_TRACKERS = Table(
    system=SYSTEM,
    name="call_trackers",
    group="calls",
    description="What Gong's trackers heard in each call: competitors, churn risk, pricing, expansion.",
    primary_key=("call_id", "tracker"),
    lookback=_LATE_ARRIVAL,
    owner="team:customer",
    columns=(
        string("call_id", "The call."),
        string("tracker", "The tracker's name; `Competitor: <name>` for a competitor."),
        integer("hits", "How often it was heard in the call; at least 1."),
    ),
    expectations=(*key_rules("call_id", "tracker"), between("hits", 1, None)),
)

_TRANSCRIPTS = Table(
    system=SYSTEM,
    name="transcripts",
    group="transcripts",
    description="What was said in each call, sentence by sentence.",
    primary_key=("call_id", "position"),
    cursor="call_started_at",
    lookback=_LATE_ARRIVAL,
    owner="team:customer",
    columns=(
        string("call_id", "The call."),
        integer("position", "The sentence's place in the call, from 0."),
        string("speaker_id", "Who spoke, as numbered within the call."),
        string("topic", "The topic that Gong assigned to the passage."),
        integer("start_ms", "When the sentence begins, in milliseconds from the call's start."),
        integer("end_ms", "When the sentence ends, in milliseconds from the call's start."),
        string("text", "The sentence, as transcribed.", personal=True),
        timestamp("call_started_at", "When the call began; empty, since Gong does not say it here: join gong.calls."),
    ),
    expectations=(
        *key_rules("call_id", "position"),
        not_null("text", severity="warn", mostly=0.99),
        between("start_ms", 0, None),
    ),
)

TABLES: tuple[Table, ...] = (_USERS, _CALLS, _CALL_TRACKERS, _TRANSCRIPTS)
