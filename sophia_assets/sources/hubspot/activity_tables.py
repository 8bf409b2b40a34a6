"""HubSpot's raw tables of tickets, line items, meetings and calls, and of what each of them is associated with."""

from __future__ import annotations

from datetime import timedelta

from sophia_assets.sources.columns import (
    between,
    boolean,
    decimal,
    integer,
    key_rules,
    not_null,
    one_of,
    string,
    timestamp,
)
from sophia_assets.sources.declarations import Table

_SYSTEM = "hubspot"
_LOOKBACK = timedelta(days=1)
_ASSOCIATED = ("companies", "contacts", "deals")


def association_table(group: str, singular: str, description: str) -> Table:
    """The table of what the records of a group are associated with, `<singular>_associations`."""
    id_column = "call_id" if singular == "crm_call" else f"{singular}_id"
    return Table(
        system=_SYSTEM,
        name=f"{singular}_associations",
        group=group,
        description=description,
        primary_key=(id_column, "to_type", "to_id"),
        entity=id_column,
        owner="team:revenue",
        columns=(
            string(id_column, "The record that is associated."),
            string("to_type", "What it is associated with: companies, contacts or deals."),
            string("to_id", "The id of the other record."),
        ),
        expectations=(*key_rules(id_column, "to_type", "to_id"), one_of("to_type", _ASSOCIATED)),
    )


_TICKETS = Table(
    system=_SYSTEM,
    name="tickets",
    group="tickets",
    description="Support requests of customers as they stand now: stage, priority, when opened and when closed.",
    primary_key=("ticket_id",),
    entity="ticket_id",
    # The CRM's present stage and priority only; a ticket's creation tells how long it is there.
    keeps_versions=True,
    carries_back=True,
    cursor="updated_at",
    lookback=_LOOKBACK,
    owner="team:support",
    columns=(
        string("ticket_id", "HubSpot's id of the ticket."),
        string("subject", "What the ticket is about, in the words of whoever wrote it."),
        string("pipeline_id", "The pipeline the ticket moves through."),
        string("stage_id", "The stage the ticket is in; its label is in ticket_stages."),
        string("priority", "LOW, MEDIUM, HIGH or URGENT; empty where nobody has set it."),
        string("category", "The kind of request, as chosen in the CRM."),
        string("channel", "How the request came in, for example EMAIL or CHAT."),
        string("owner_id", "The CRM user who handles the ticket."),
        timestamp("created_at", "When the ticket was opened."),
        timestamp("closed_at", "When the ticket was closed; empty while it is open."),
        timestamp("updated_at", "When the ticket was last modified."),
    ),
    expectations=(
        *key_rules("ticket_id"),
        not_null("stage_id", recovery="Give every ticket a stage in HubSpot; one without is in no pipeline."),
        not_null("subject", severity="warn", mostly=0.95),
        one_of("priority", ["LOW", "MEDIUM", "HIGH", "URGENT"], severity="warn"),
    ),
)

_TICKET_STAGES = Table(
    system=_SYSTEM,
    name="ticket_stages",
    group="tickets",
    description="The stages of the ticket pipelines, in order.",
    primary_key=("pipeline_id", "stage_id"),
    is_dimension=True,
    owner="team:support",
    columns=(
        string("pipeline_id", "The pipeline."),
        string("pipeline_label", "The pipeline's name."),
        string("stage_id", "The stage; tickets refer to it."),
        string("stage_label", "The stage's name."),
        integer("display_order", "The stage's place in the pipeline, from the left."),
        boolean("is_closed", "Whether a ticket in this stage is done."),
    ),
    expectations=(
        *key_rules("pipeline_id", "stage_id"),
        not_null("stage_label"),
        not_null("is_closed", recovery="Mark each stage as open or closed in HubSpot's ticket pipeline settings."),
    ),
)

_LINE_ITEMS = Table(
    system=_SYSTEM,
    name="line_items",
    group="line_items",
    description="What deals consist of: a product, how many, at which price. The deal is in line_item_associations.",
    primary_key=("line_item_id",),
    entity="line_item_id",
    cursor="updated_at",
    lookback=_LOOKBACK,
    owner="team:revenue",
    columns=(
        string("line_item_id", "HubSpot's id of the line item."),
        string("name", "The product's name on the line."),
        string("product_id", "The product in HubSpot's library; empty for a line made by hand."),
        string("sku", "The product's own number."),
        decimal("quantity", "How many."),
        decimal("price", "The price of one, in the deal's currency."),
        decimal("amount", "Quantity times price less discounts, in the deal's currency."),
        string("billing_frequency", "How often the line is billed, for example monthly; empty where once."),
        timestamp("created_at", "When the line was added."),
        timestamp("updated_at", "When the line was last modified."),
    ),
    expectations=(
        *key_rules("line_item_id"),
        not_null("name", severity="warn", mostly=0.95),
        between("quantity", 0, None, severity="warn"),
        between("price", 0, None, severity="warn"),
    ),
)

_MEETINGS = Table(
    system=_SYSTEM,
    name="meetings",
    group="meetings",
    description="Meetings with customers that are planned or have been held, as logged in the CRM.",
    primary_key=("meeting_id",),
    entity="meeting_id",
    cursor="updated_at",
    lookback=_LOOKBACK,
    owner="team:revenue",
    columns=(
        string("meeting_id", "HubSpot's id of the meeting."),
        string("title", "The meeting's title."),
        string("outcome", "SCHEDULED, COMPLETED, RESCHEDULED, NO_SHOW or CANCELED; empty where nobody has noted it."),
        timestamp("starts_at", "When it begins."),
        timestamp("ends_at", "When it ends."),
        string("owner_id", "The CRM user who holds it."),
        timestamp("created_at", "When it was entered."),
        timestamp("updated_at", "When it was last modified."),
    ),
    expectations=(
        *key_rules("meeting_id"),
        not_null("starts_at", severity="warn", mostly=0.95),
    ),
)

_CRM_CALLS = Table(
    system=_SYSTEM,
    name="crm_calls",
    group="crm_calls",
    description="Telephone calls as sellers log them in the CRM; recorded conversations are Gong's.",
    primary_key=("call_id",),
    entity="call_id",
    cursor="updated_at",
    lookback=_LOOKBACK,
    owner="team:revenue",
    columns=(
        string("call_id", "HubSpot's id of the call."),
        string("title", "The call's title."),
        string("direction", "INBOUND or OUTBOUND."),
        string("status", "How the call ended, for example COMPLETED or NO_ANSWER."),
        string("disposition_id", "HubSpot's id of the outcome that the seller chose."),
        integer("duration_ms", "How long it took, in milliseconds."),
        timestamp("called_at", "When it took place."),
        string("owner_id", "The CRM user who made it."),
        timestamp("created_at", "When it was logged."),
        timestamp("updated_at", "When it was last modified."),
    ),
    expectations=(
        *key_rules("call_id"),
        not_null("called_at", severity="warn", mostly=0.95),
        one_of("direction", ["INBOUND", "OUTBOUND"], severity="warn"),
        between("duration_ms", 0, None, severity="warn"),
    ),
)

ACTIVITY_TABLES: tuple[Table, ...] = (
    _TICKETS,
    _TICKET_STAGES,
    association_table("tickets", "ticket", "Which companies, contacts and deals a ticket is about."),
    _LINE_ITEMS,
    association_table("line_items", "line_item", "Which deal a line item belongs to."),
    _MEETINGS,
    association_table("meetings", "meeting", "Which companies, contacts and deals a meeting is about."),
    _CRM_CALLS,
    association_table("crm_calls", "crm_call", "Which companies, contacts and deals a logged call is about."),
)
