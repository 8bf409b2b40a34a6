"""What people log in the CRM beside companies, contacts and deals: tickets, line items, meetings, calls.

All of it follows from what has happened to the deals and accounts, with random streams of its own, one
per occasion: nothing else of the company depends on it, and a later day only adds to an earlier one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from sophia_assets.sandbox.company.deals import iso
from sophia_assets.sandbox.company.model import LOST, STAGES, Account, Contact, Deal
from sophia_assets.sandbox.company.streams import between, is_business_day
from sophia_assets.sandbox.company.world import World
from sophia_assets.sandbox.company_data import HubSpotRecord, HubSpotStage

TICKET_STAGES = [
    HubSpotStage("1", "New", 0, 0.0, False),
    HubSpotStage("2", "Waiting on contact", 1, 0.0, False),
    HubSpotStage("3", "Waiting on us", 2, 0.0, False),
    HubSpotStage("4", "Closed", 3, 0.0, True),
]
_NEW, _WAITING, _WORKING, _CLOSED = (stage.id for stage in TICKET_STAGES)
_OPEN_STAGES = {stage.id for stage in STAGES if not stage.is_closed}

_MEETING_CHANCE, _CALL_CHANCE, _LINES_CHANCE = 0.24, 0.2, 0.62
_TICKET_CHANCE_PER_DAY, _TICKET_CHANCE_UNHAPPY = 0.0085, 0.3
_HAPPY_SCORE = 3
_MEETINGS = ("Discovery meeting", "Requirements workshop", "Product demo", "Proposal review", "Contract meeting")
_PRODUCTS = (
    ("Platform licence", "P-100", "monthly"),
    ("Onboarding", "S-210", None),
    ("Support plan", "S-300", "annually"),
)
_SUBJECTS = {
    "BILLING_ISSUE": ("Question about an invoice", "Wrong number of seats billed"),
    "PRODUCT_ISSUE": ("Export does not finish", "Dashboard is slow", "Sign-in fails for some users"),
    "FEATURE_REQUEST": ("More filters in reports", "Single sign-on for guests"),
    "GENERAL_INQUIRY": ("How to add a team", "Training for new colleagues"),
}
_CHANNELS = ("EMAIL", "EMAIL", "CHAT", "FORM", "PHONE")
_PRIORITIES = ("LOW", "MEDIUM", "MEDIUM", "HIGH", None)
_MINUTE, _HOUR_MS = timedelta(minutes=1), 3_600_000


@dataclass
class CrmActivity:
    """Records by object type, and the associations of deals with people."""

    objects: dict[str, list[HubSpotRecord]] = field(default_factory=dict)
    links: list[tuple[str, str, str, str]] = field(default_factory=list)


def crm_activity(world: World) -> CrmActivity:
    """Everything logged until the end of the world's present day."""
    end = world.clock.midnight(world.day + 1)
    deals = world.deals
    return CrmActivity(
        objects={
            "tickets": [ticket for account in world.accounts for ticket in _tickets(world, account, end)],
            "line_items": [line for deal in deals for line in _line_items(world, deal)],
            "meetings": [meeting for deal in deals for meeting in _meetings(world, deal, end)],
            "calls": [call for deal in deals for call in _calls(world, deal, end)],
        },
        links=[("deals", deal.id, "contacts", person.id) for deal in deals for person in _buyers(world, deal)],
    )


def _buyers(world: World, deal: Deal) -> list[Contact]:
    """The people at the account who decide about the deal; nobody about one that is archived."""
    if deal.archived is not None:
        return []
    known = [person for person in deal.account.contacts if person.created <= deal.created]
    stream = world.streams.of("crm buyers", deal.id)
    chosen = stream.sample(known, min(len(known), stream.choice((1, 1, 2, 3))))
    return [person for person in chosen if person.archived is None]


def _line_items(world: World, deal: Deal) -> Iterator[HubSpotRecord]:
    """The lines that make up the deal's amount, from the moment it was first known; the last one absorbs changes."""
    versions = deal.history["amount"]
    stream = world.streams.of("crm lines", deal.id)
    if not versions or stream.random() >= _LINES_CHANCE:
        return
    first, last = int(versions[0].value), int(versions[-1].value)
    created, changed = versions[0].timestamp + _MINUTE, versions[-1].timestamp + _MINUTE
    shares = ((1.0,), (1.0,), (0.8, 0.2), (0.7, 0.2, 0.1))[stream.randrange(4)]
    amounts = [round(first * share / 50) * 50 for share in shares[1:]]
    for place, amount in enumerate([max(0, last - sum(amounts)), *amounts]):
        name, sku, frequency = _PRODUCTS[place]
        quantity = next(count for count in (25, 10, 5, 1) if (place == 0 and amount % count == 0) or count == 1)
        properties = {
            "name": name,
            "hs_product_id": str(88_100 + place),
            "hs_sku": sku,
            "quantity": str(quantity),
            "price": str(amount // quantity),
            "amount": str(amount),
            "recurringbillingfrequency": frequency,
        }
        updated = changed if place == 0 else created
        record = _record(int(deal.id) * 100 + place, properties, created, updated, deals=[deal.id])
        # Archiving a deal archives its lines.
        record.archived, record.archived_at = deal.archived is not None, deal.archived
        yield record


def _occasions(world: World, deal: Deal, purpose: str, chance: float) -> Iterator[tuple[int, Random, datetime]]:
    """The deal's moves into an open stage that gave rise to something: their number, a stream, the moment."""
    for number, version in enumerate(deal.history["dealstage"]):
        stream = world.streams.of(purpose, deal.id, number)
        if version.value in _OPEN_STAGES and stream.random() < chance:
            yield number, stream, version.timestamp


def _meetings(world: World, deal: Deal, end: datetime) -> Iterator[HubSpotRecord]:
    """Meetings about the deal; one that is still to come, or was to come when the deal was lost, says so."""
    for number, stream, moved in _occasions(world, deal, "crm meetings", _MEETING_CHANCE):
        created = moved + _MINUTE * stream.randint(5, 240)
        begins = _working_time(world, moved, stream.randint(2, 9), stream.randint(36, 64) * _HOUR_MS // 4)
        ends = begins + _MINUTE * stream.choice((30, 45, 60))
        held = "NO_SHOW" if stream.random() < 0.05 else "COMPLETED"
        if created >= end:
            continue
        outcome, updated = ("SCHEDULED", created) if ends >= end else (held, ends)
        lost = deal.history["dealstage"][-1]
        if lost.value == STAGES[LOST].id and lost.timestamp < begins:
            outcome, updated = "CANCELED", max(lost.timestamp, created)
        properties = {
            "hs_meeting_title": f"{_MEETINGS[number % len(_MEETINGS)]}: {deal.account.name}",
            "hs_meeting_outcome": outcome,
            "hs_meeting_start_time": iso(begins),
            "hs_meeting_end_time": iso(ends),
            "hs_timestamp": iso(begins),
            "hubspot_owner_id": deal.owner.id,
        }
        yield _record(
            int(deal.id) * 100 + number, properties, created, updated, deals=[deal.id], companies=[deal.account.id]
        )


def _calls(world: World, deal: Deal, end: datetime) -> Iterator[HubSpotRecord]:
    """Telephone calls about the deal, logged when they are over."""
    for number, stream, moved in _occasions(world, deal, "crm calls", _CALL_CHANCE):
        called = _working_time(world, moved, stream.randint(1, 6), stream.randint(36, 66) * _HOUR_MS // 4)
        answered = stream.random() < 0.7
        duration = int(between(stream, 420_000, 0.8, 40_000, 3_000_000)) if answered else 0
        direction = "INBOUND" if stream.random() < 0.2 else "OUTBOUND"
        logged = called + timedelta(milliseconds=duration) + _MINUTE
        if logged >= end:
            continue
        properties = {
            "hs_call_title": f"Call with {deal.account.name}",
            "hs_call_direction": direction,
            "hs_call_status": "COMPLETED" if answered else "NO_ANSWER",
            "hs_call_duration": str(duration),
            "hs_timestamp": iso(called),
            "hubspot_owner_id": deal.owner.id,
        }
        yield _record(
            int(deal.id) * 100 + number, properties, logged, logged, deals=[deal.id], companies=[deal.account.id]
        )


def _tickets(world: World, account: Account, end: datetime) -> Iterator[HubSpotRecord]:
    """A customer's support requests: some in the ordinary way, more after an answer of dissatisfaction."""
    since = next((version.timestamp for version in account.lifecycle if version.value == "customer"), None)
    if since is None:
        return
    stream = world.streams.of("crm tickets", account.id)
    number, opened = 0, since
    while True:
        opened += timedelta(days=stream.expovariate(_TICKET_CHANCE_PER_DAY))
        if opened >= end:
            break
        number += 1
        yield from _ticket(world, account, number, opened, end)
    for place, (day, score) in enumerate(account.answers):
        unhappy = world.streams.of("crm complaints", account.id, place)
        if score < _HAPPY_SCORE and unhappy.random() < _TICKET_CHANCE_UNHAPPY:
            moment = world.clock.moment(day + 1, 8 * _HOUR_MS)
            yield from _ticket(world, account, 500 + place, moment, end)


def _ticket(world: World, account: Account, number: int, day: datetime, end: datetime) -> Iterator[HubSpotRecord]:
    stream = world.streams.of("crm ticket", account.id, number)
    created = _working_time(world, day, 0, stream.randint(32, 68) * _HOUR_MS // 4)
    category = stream.choice(sorted(_SUBJECTS))
    subject, priority, channel = (
        stream.choice(_SUBJECTS[category]),
        stream.choice(_PRIORITIES),
        stream.choice(_CHANNELS),
    )
    answered = created + _MINUTE * int(between(stream, 180, 0.9, 5, 4_000))
    working = answered + _MINUTE * int(between(stream, 900, 0.8, 20, 8_000))
    closed = working + _MINUTE * int(between(stream, 3_000, 0.9, 30, 40_000))
    if created >= end:
        return
    steps = [(_NEW, created), (_WAITING, answered), (_WORKING, working), (_CLOSED, closed)]
    stage, updated = [step for step in steps if step[1] < end][-1]
    people = [person.id for person in account.contacts if person.created <= created and person.archived is None]
    properties = {
        "subject": subject,
        "hs_pipeline": "0",
        "hs_pipeline_stage": stage,
        "hs_ticket_priority": priority,
        "hs_ticket_category": category,
        "source_type": channel,
        "hubspot_owner_id": account.owner.id,
        "closed_date": iso(closed) if stage == _CLOSED else None,
    }
    yield _record(
        int(account.id) * 1_000 + number, properties, created, updated, companies=[account.id], contacts=people[:1]
    )


def _working_time(world: World, moment: datetime, days: int, milliseconds: int) -> datetime:
    """A time of day on the first business day that lies `days` and more after `moment`, and in any case later."""
    day = moment.toordinal() + days
    while True:
        when = world.clock.moment(day, milliseconds)
        if is_business_day(day) and when > moment:
            return when
        day += 1


def _record(
    number: int, properties: Mapping[str, str | None], created: datetime, updated: datetime, **associations: list[str]
) -> HubSpotRecord:
    return HubSpotRecord(
        id=str(number),
        properties=dict(properties),
        created_at=created,
        updated_at=updated,
        associations={kind: ids for kind, ids in associations.items() if ids},
    )
