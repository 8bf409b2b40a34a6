"""Publishes the simulated company in the shapes of the systems that hold it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sophia_assets.sandbox.company.chat import slack
from sophia_assets.sandbox.company.crm_activity import TICKET_STAGES, crm_activity
from sophia_assets.sandbox.company.deals import NEW_BUSINESS, iso
from sophia_assets.sandbox.company.delivery import linear, plan
from sophia_assets.sandbox.company.history import History
from sophia_assets.sandbox.company.knowledge import pinecone
from sophia_assets.sandbox.company.model import LOST, STAGES, Account, Contact, Deal, Owner
from sophia_assets.sandbox.company.reviews import reviews, scorecards
from sophia_assets.sandbox.company.staff import employ
from sophia_assets.sandbox.company.usage import redis
from sophia_assets.sandbox.company.world import World
from sophia_assets.sandbox.company_data import (
    CompanyData,
    GongData,
    GongUser,
    HubSpotData,
    HubSpotOwner,
    HubSpotRecord,
    SnowflakeData,
    SnowflakeTable,
)

DATABASE = "COMPANY"
_TEXT, _MONEY, _MOMENT = "VARCHAR", "NUMBER(18,2)", "TIMESTAMP_TZ"
# The replica follows the CRM by some minutes.
_REPLICA_DELAY = timedelta(minutes=6)

TABLE_COLUMNS: dict[str, dict[str, str]] = {
    "SALES.DEALS": {
        "DEAL_ID": _TEXT, "DEAL_NAME": _TEXT, "AMOUNT": _MONEY, "STAGE": _TEXT, "PROBABILITY": "FLOAT",
        "CLOSE_DATE": "DATE", "LAST_ACTIVITY_DATE": "DATE", "ACCOUNT_ID": _TEXT, "ACCOUNT_NAME": _TEXT,
        "UPDATED_AT": _MOMENT,
    },
    "FINANCE.SUBSCRIPTIONS": {
        "TERM_ID": _TEXT, "SUBSCRIPTION_ID": _TEXT, "ACCOUNT_ID": _TEXT, "ACCOUNT_NAME": _TEXT, "PLAN": _TEXT,
        "SEATS": "NUMBER(38,0)", "MRR": _MONEY, "CHANGE_TYPE": _TEXT, "VALID_FROM": "DATE", "VALID_TO": "DATE",
        "RENEWAL_DATE": "DATE", "UPDATED_AT": _MOMENT,
    },
    "FINANCE.INVOICES": {
        "INVOICE_ID": _TEXT, "ACCOUNT_ID": _TEXT, "ACCOUNT_NAME": _TEXT, "SUBSCRIPTION_ID": _TEXT, "AMOUNT": _MONEY,
        "CURRENCY": _TEXT, "ISSUED_ON": "DATE", "DUE_ON": "DATE", "PAID_ON": "DATE", "STATUS": _TEXT,
        "UPDATED_AT": _MOMENT,
    },
    "SUPPORT.SATISFACTION": {
        "RESPONSE_ID": _TEXT, "ACCOUNT_ID": _TEXT, "ACCOUNT_NAME": _TEXT, "SCORE": "NUMBER(38,0)", "COMMENT": _TEXT,
        "RESPONDED_AT": _MOMENT, "UPDATED_AT": _MOMENT,
    },
}  # fmt: skip


def publish(world: World, first_day: date, last_day: date) -> CompanyData:
    """The company as CRM, calls and warehouse show it at the end of `last_day`, the day that `world` has reached."""
    return CompanyData(
        name=world.profile["name"],
        first_day=first_day,
        last_day=last_day,
        hubspot=_hubspot(world),
        gong=_gong(world),
        snowflake=_snowflake(world),
        stories=[story for story in world.stories if story.visible_from <= last_day],
    )


def publish_surroundings(company: CompanyData, history: History) -> None:
    """Add the systems around the sale, as they show the same company at the end of the history's last day."""
    staff = employ(history.world)
    delivery = plan(history, staff)
    company.slack = slack(history, staff, delivery)
    company.linear = linear(delivery)
    company.pinecone = pinecone(history, staff)
    company.redis = redis(history)


def _hubspot(world: World) -> HubSpotData:
    activity = crm_activity(world)
    return HubSpotData(
        objects={
            "companies": [_company(account) for account in world.accounts],
            "contacts": [_contact(contact) for contact in world.contacts],
            "deals": [_deal(deal) for deal in world.deals],
            **activity.objects,
        },
        owners=[_owner(world, owner) for owner in world.owners if owner.joined <= world.day],
        pipeline_id="default",
        pipeline_label="Sales pipeline",
        stages=list(STAGES),
        links=activity.links,
        ticket_stages=list(TICKET_STAGES),
    )


def _owner(world: World, owner: Owner) -> HubSpotOwner:
    joined = world.clock.moment(owner.joined, 8 * 3_600_000)
    return HubSpotOwner(
        owner.id, owner.first_name, owner.last_name, owner.email, joined, joined, owner.team, owner.archived
    )


def _company(account: Account) -> HubSpotRecord:
    properties: dict[str, str | None] = {
        "name": account.name,
        "domain": account.domain,
        "industry": account.industry,
        "country": account.country,
        "annualrevenue": _number(account.revenue),
        "numberofemployees": _number(account.employees),
        "lifecyclestage": account.lifecycle[-1].value,
        "hubspot_owner_id": account.owner.id,
    }
    history = {"lifecyclestage": list(account.lifecycle)}
    return _record(account.id, properties, account.created, account.updated, history=history)


def _contact(contact: Contact) -> HubSpotRecord:
    company_id = contact.account.id if contact.account else None
    properties: dict[str, str | None] = {
        "email": contact.email,
        "firstname": contact.first_name,
        "lastname": contact.last_name,
        "jobtitle": contact.job_title,
        "lifecyclestage": contact.lifecycle[-1].value,
        "hubspot_owner_id": contact.owner.id,
        "associatedcompanyid": company_id,
    }
    return _record(
        contact.id,
        properties,
        contact.created,
        contact.updated,
        archived_at=contact.archived,
        history={"lifecyclestage": list(contact.lifecycle)},
        associations={"companies": [company_id]} if company_id else {},
        cursor="lastmodifieddate",
    )


def _deal(deal: Deal) -> HubSpotRecord:
    stage = STAGES[deal.stage]
    properties: dict[str, str | None] = {
        "dealname": deal.name,
        "pipeline": "default",
        "dealstage": stage.id,
        "amount": _number(deal.amount),
        "hs_deal_stage_probability": str(stage.probability),
        "dealtype": "newbusiness" if deal.kind in NEW_BUSINESS else "existingbusiness",
        "closedate": deal.history["closedate"][-1].value,
        "hubspot_owner_id": deal.owner.id,
        "closed_lost_reason": deal.lost_reason if deal.stage == LOST else None,
    }
    return _record(
        deal.id,
        properties,
        deal.created,
        deal.updated,
        archived_at=deal.archived,
        history={name: list(versions) for name, versions in deal.history.items()},
        associations={"companies": [deal.account.id]},
    )


def _record(
    id_: str,
    properties: dict[str, str | None],
    created: datetime,
    updated: datetime,
    *,
    archived_at: datetime | None = None,
    history: dict[str, Any] | None = None,
    associations: dict[str, list[str]] | None = None,
    cursor: str = "hs_lastmodifieddate",
) -> HubSpotRecord:
    stamps = {"createdate": iso(created), cursor: iso(updated), "hs_object_id": id_}
    return HubSpotRecord(
        id=id_,
        properties={**properties, **stamps},
        created_at=created,
        updated_at=updated,
        archived=archived_at is not None,
        archived_at=archived_at,
        history=history or {},
        associations=associations or {},
    )


def _gong(world: World) -> GongData:
    leads = {owner.team: owner.gong_id for owner in reversed(world.owners) if owner.title.startswith("Head of ")}
    users = [
        GongUser(
            id=owner.gong_id,
            email=owner.email,
            first_name=owner.first_name,
            last_name=owner.last_name,
            title=owner.title,
            created=world.clock.moment(owner.joined, 9 * 3_600_000),
            manager_id=leads[owner.team] if leads[owner.team] != owner.gong_id else None,
            active=not owner.archived,
        )
        for owner in world.owners
        if owner.joined <= world.day
    ]
    calls = sorted(world.calls, key=lambda call: (call.started, call.id))
    return GongData(
        users,
        calls,
        "623457276584334000",
        world.profile["name"],
        scorecards(world.clock.moment(world.start, 9 * 3_600_000)),
        reviews(calls, users, world.clock.midnight(world.day + 1)),
        world.clock.timezone,
    )


def _snowflake(world: World) -> SnowflakeData:
    deals = [_deal_row(deal) for deal in world.deals if not deal.duplicate]
    terms = [
        (
            term.id, subscription.id, subscription.account.id, subscription.account.warehouse_name, term.plan,
            term.seats, Decimal(term.mrr), term.change, _day(term.valid_from), _day(term.valid_to),
            _day(term.renewal), term.updated,
        )
        for subscription in world.subscriptions
        for term in subscription.terms
    ]  # fmt: skip
    invoices = [
        (
            invoice.id, invoice.account.id, invoice.account.warehouse_name,
            invoice.subscription.id if invoice.subscription else None, Decimal(invoice.amount), "USD",
            _day(invoice.issued), _day(invoice.due), _day(invoice.paid), invoice.status, invoice.updated,
        )
        for invoice in world.invoices
    ]  # fmt: skip
    answers = [
        (
            answer.id, answer.account.id, answer.account.warehouse_name, answer.score, answer.comment,
            answer.responded, answer.responded,
        )
        for answer in world.answers
    ]  # fmt: skip
    rows: list[list[tuple[Any, ...]]] = [deals, list(terms), list(invoices), list(answers)]
    tables = [
        SnowflakeTable(name, dict(columns), content)
        for (name, columns), content in zip(TABLE_COLUMNS.items(), rows, strict=True)
    ]
    return SnowflakeData(DATABASE, tables)


def _deal_row(deal: Deal) -> tuple[Any, ...]:
    stage = STAGES[deal.stage]
    return (
        deal.id, deal.name, Decimal(deal.amount) if deal.amount is not None else None, stage.label, stage.probability,
        _day(deal.close_day), _day(deal.last_activity), deal.account.id, deal.account.warehouse_name,
        deal.active_at + _REPLICA_DELAY,
    )  # fmt: skip


def _day(ordinal: int | None) -> date | None:
    return date.fromordinal(ordinal) if ordinal is not None else None


def _number(value: int | None) -> str | None:
    return str(value) if value is not None else None
