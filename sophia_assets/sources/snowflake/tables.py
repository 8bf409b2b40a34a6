"""The tables read from the company's Snowflake account: where they lie, their keys, freshness and rules."""

from __future__ import annotations

from datetime import timedelta

from sophia_assets.sources.columns import (
    between,
    day,
    decimal,
    floating,
    integer,
    key_rules,
    moved_within,
    not_null,
    numeric,
    one_of,
    refers_to,
    required_column,
    string,
    timestamp,
)
from sophia_assets.sources.declarations import Freshness, Table

SYSTEM = "snowflake"

_LOOKBACK = timedelta(days=1)

_SALES_DEALS = Table(
    system=SYSTEM,
    name="sales_deals",
    group="sales_deals",
    description="SALES.DEALS: the sales department's own list of deals, with the last activity on each.",
    primary_key=("deal_id",),
    entity="deal_id",
    # The list holds the present stage and amount only.
    keeps_versions=True,
    cursor="updated_at",
    lookback=_LOOKBACK,
    freshness=Freshness(newest_event=timedelta(days=4)),
    owner="team:revenue",
    columns=(
        string("deal_id", "The deal's id, the same as in HubSpot."),
        string("deal_name", "The deal's name."),
        decimal("amount", "The deal's value in US dollars."),
        string("stage", "The stage's name."),
        floating("probability", "The chance of winning, 0 to 1."),
        day("close_date", "The day on which the deal closed or is expected to."),
        day("last_activity_date", "The last day on which anybody worked on the deal."),
        string("account_id", "The HubSpot company the deal is with."),
        string("account_name", "That company's name."),
        timestamp("updated_at", "When the row last changed."),
    ),
    expectations=(
        *(required_column(column) for column in ("deal_id", "deal_name", "amount", "stage")),
        *key_rules("deal_id"),
        not_null("deal_name", severity="warn", mostly=0.99),
        not_null("stage", severity="warn", mostly=0.99),
        not_null("amount", severity="warn", mostly=0.9, recovery="Ask the deals' owners to estimate their amount."),
        numeric("amount"),
        between("amount", 0, None),
        between("probability", 0, 1),
        moved_within(
            "last_activity_date",
            30,
            recovery="Ask sales whether the list is still kept; look into what fills it where it should be.",
        ),
        refers_to("account_id", "hubspot.companies", "company_id", mostly=0.9),
        refers_to("deal_id", "hubspot.deals", mostly=0.9),
    ),
)

_SUBSCRIPTIONS = Table(
    system=SYSTEM,
    name="subscriptions",
    group="subscriptions",
    description="FINANCE.SUBSCRIPTIONS: the terms of each subscription, with monthly recurring revenue.",
    primary_key=("term_id",),
    # The terms of one subscription follow from each other.
    entity="subscription_id",
    cursor="updated_at",
    lookback=_LOOKBACK,
    owner="team:finance",
    columns=(
        string("term_id", "The id of one term of a subscription."),
        string("subscription_id", "The subscription that the term belongs to."),
        string("account_id", "The HubSpot company that subscribes."),
        string("account_name", "That company's name."),
        string("plan", "The plan that is paid for."),
        integer("seats", "The number of seats."),
        decimal("mrr", "Monthly recurring revenue during the term, in US dollars."),
        string("change_type", "How the term came about: new, expansion, contraction or renewal."),
        day("valid_from", "The first day of the term."),
        day("valid_to", "The day after the term's last; empty while it runs."),
        day("renewal_date", "When the subscription is due for renewal."),
        timestamp("updated_at", "When the row last changed."),
    ),
    expectations=(
        *key_rules("term_id"),
        refers_to("account_id", "hubspot.companies", "company_id", mostly=0.95),
        *(not_null(column) for column in ("subscription_id", "account_id", "valid_from", "mrr")),
        between("mrr", 0, None),
        between("seats", 0, None, severity="warn"),
        one_of("change_type", ["new", "expansion", "contraction", "renewal"]),
    ),
)

_INVOICES = Table(
    system=SYSTEM,
    name="invoices",
    group="invoices",
    description="FINANCE.INVOICES: what was invoiced, when it is due, and when it was paid.",
    primary_key=("invoice_id",),
    entity="invoice_id",
    cursor="updated_at",
    lookback=_LOOKBACK,
    owner="team:finance",
    columns=(
        string("invoice_id", "The invoice's number."),
        string("account_id", "The HubSpot company that was invoiced."),
        string("account_name", "That company's name."),
        string("subscription_id", "The subscription that the invoice is for."),
        decimal("amount", "The amount invoiced, in `currency`."),
        string("currency", "ISO code of the currency."),
        day("issued_on", "The day of issue."),
        day("due_on", "The day by which it should be paid."),
        day("paid_on", "The day on which it was paid; empty while it is not."),
        string("status", "The invoice's status in the accounting system."),
        timestamp("updated_at", "When the row last changed."),
    ),
    expectations=(
        *key_rules("invoice_id"),
        refers_to("account_id", "hubspot.companies", "company_id", mostly=0.95),
        refers_to("subscription_id", "snowflake.subscriptions", mostly=0.95),
        *(not_null(column) for column in ("amount", "issued_on", "due_on")),
        between("amount", 0, None, severity="warn", recovery="Check whether the negative amount is a credit note."),
        one_of("currency", ["USD"], severity="warn", recovery="Amounts are added up as US dollars: convert others."),
    ),
)

_SATISFACTION = Table(
    system=SYSTEM,
    name="satisfaction",
    group="satisfaction",
    description="SUPPORT.SATISFACTION: customers' answers to satisfaction surveys.",
    primary_key=("response_id",),
    entity="response_id",
    cursor="updated_at",
    lookback=_LOOKBACK,
    owner="team:customer",
    columns=(
        string("response_id", "The id of the answer."),
        string("account_id", "The HubSpot company that answered."),
        string("account_name", "That company's name."),
        integer("score", "Satisfaction from 1 (worst) to 5 (best)."),
        string("comment", "What the customer wrote.", personal=True),
        timestamp("responded_at", "When the answer came."),
        timestamp("updated_at", "When the row last changed."),
    ),
    expectations=(
        *key_rules("response_id"),
        refers_to("account_id", "hubspot.companies", "company_id", mostly=0.95),
        *(not_null(column) for column in ("score", "responded_at")),
        between("score", 1, 5),
    ),
)

LOCATIONS: dict[str, str] = {
    "sales_deals": "SALES.DEALS",
    "subscriptions": "FINANCE.SUBSCRIPTIONS",
    "invoices": "FINANCE.INVOICES",
    "satisfaction": "SUPPORT.SATISFACTION",
}

TABLES: tuple[Table, ...] = (_SALES_DEALS, _SUBSCRIPTIONS, _INVOICES, _SATISFACTION)
