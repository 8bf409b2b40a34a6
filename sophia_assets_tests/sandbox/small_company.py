"""A company small enough to know by heart, and a way to serve it on loopback, for tests of stand-ins and connectors."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sophia_assets.sandbox.company_data import (
    CompanyData,
    GongCall,
    GongData,
    GongQuestion,
    GongReview,
    GongScorecard,
    GongUser,
    HubSpotData,
    HubSpotOwner,
    HubSpotRecord,
    HubSpotStage,
    PropertyVersion,
    SnowflakeData,
    SnowflakeTable,
)
from sophia_assets.sandbox.config import Endpoints, SandboxConfig
from sophia_assets.sandbox.server import serve_company
from sophia_assets.sandbox.standins.app import SandboxApp
from sophia_assets_tests.sandbox.small_linear import small_linear
from sophia_assets_tests.sandbox.small_slack import small_slack

FIRST_DAY = date(2026, 1, 1)
LAST_DAY = date(2026, 6, 30)
START = datetime(2026, 1, 1, 9, tzinfo=UTC)
BIG_ID = 9_007_199_254_740_993  # 2^53 + 1


def iso(moment: datetime) -> str:
    """HubSpot's way of writing a moment."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def epoch_ms(moment: datetime) -> str:
    """HubSpot's way of naming a moment in a filter."""
    return str(int(moment.timestamp() * 1000))


def make_deal(number: int, updated_at: datetime | None = None, *, archived: bool = False) -> HubSpotRecord:
    """Deal `number`: created `number` hours after START, worth 1000 * number, two stages in its history."""
    created = START + timedelta(hours=number)
    updated = updated_at or created + timedelta(days=2)
    return HubSpotRecord(
        id=str(5_000 + number),
        properties={
            "dealname": f"Deal {number}",
            "pipeline": "default",
            "dealstage": "closedwon" if number % 3 == 0 else "qualified",
            "amount": str(1000 * number) if number % 7 else None,
            "hs_deal_stage_probability": "1.0" if number % 3 == 0 else "0.4",
            "closedate": iso(created + timedelta(days=30)),
            "hubspot_owner_id": "71",
            "closed_lost_reason": None,
        },
        created_at=created,
        updated_at=updated,
        archived=archived,
        archived_at=updated + timedelta(days=1) if archived else None,
        history={
            "dealstage": [
                PropertyVersion("appointment", created),
                PropertyVersion("qualified", created + timedelta(days=1)),
            ],
        },
        associations={"companies": [str(100 + number % 3)]} if number % 5 else {},
    )


def make_company(number: int) -> HubSpotRecord:
    """Company `number` of HubSpot."""
    created = START + timedelta(minutes=number)
    names = {"name": f"Company {number}", "domain": f"company{number}.example", "industry": "SOFTWARE"}
    return HubSpotRecord(str(100 + number), {**names, "annualrevenue": "1000000"}, created, created)


def make_contact(number: int) -> HubSpotRecord:
    """Contact `number`, of company `number % 3`."""
    created = START + timedelta(minutes=number)
    properties: dict[str, str | None] = {
        "email": f"person{number}@company{number % 3}.example",
        "firstname": f"Person{number}",
        "lastname": "Example",
        "associatedcompanyid": str(100 + number % 3),
    }
    return HubSpotRecord(str(900 + number), properties, created, created + timedelta(days=1))


ACTIVITIES: dict[str, dict[str, str | None]] = {
    "tickets": {"subject": "It stopped", "hs_pipeline": "0", "hs_pipeline_stage": "1", "hs_ticket_priority": "HIGH"},
    "line_items": {"name": "Licence", "quantity": "3", "price": "12.50", "amount": "37.50"},
    "meetings": {"hs_meeting_title": "Demo", "hs_meeting_start_time": iso(START), "hs_meeting_end_time": iso(START)},
    "calls": {"hs_call_title": "Hello", "hs_call_direction": "OUTBOUND", "hs_timestamp": iso(START)},
}


def make_activity(kind: str, number: int, updated_at: datetime | None = None) -> HubSpotRecord:
    """Ticket, line item, meeting or call `number`, of deal 1; all but line items also of a company."""
    created = START + timedelta(hours=number)
    associations = {"deals": ["5001"]} | ({} if kind == "line_items" else {"companies": ["101"]})
    return HubSpotRecord(
        str(7_000 + number), dict(ACTIVITIES[kind]), created, updated_at or created, associations=associations
    )


def make_call(number: int, started: datetime | None = None) -> GongCall:
    """Call `number`, two hours apart; every fourth has no transcript, every third mentions a competitor."""
    speaker = f"speaker{number}"
    return GongCall(
        id=str(BIG_ID + number),
        title=f"Call {number}",
        started=started or START + timedelta(hours=2 * number),
        duration_s=1800,
        primary_user_id=str(BIG_ID),
        parties=[
            {"id": f"party{number}", "name": "Una Seller", "affiliation": "Internal", "userId": str(BIG_ID),
             "speakerId": speaker, "emailAddress": "una@sandbox.example", "title": "Seller"},
            {"id": f"guest{number}", "name": "Gus Buyer", "affiliation": "External", "speakerId": f"guest{number}"},
        ],
        account_id=str(100 + number % 3),
        account_name=f"Company {number % 3}",
        deal_id=str(5_001 + number % 10),
        trackers={"Competitor: Rivalry": 2, "Pricing": 1} if number % 3 == 0 else {},
        sentences=[] if number % 4 == 0 else [
            (speaker, "Intro", 0, 1500, "Hello there."),
            (speaker, "Intro", 1500, 3000, "How are you?"),
            (f"guest{number}", "Intro", 3000, 4000, "Fine."),
        ],
    )  # fmt: skip


def small_hubspot(deals: int = 120, contacts: int = 9) -> HubSpotData:
    """Three companies, contacts, deals (the last of them archived), two owners (one archived), four stages."""
    records = [make_deal(number, archived=number == deals) for number in range(1, deals + 1)]
    owner = HubSpotOwner("71", "Una", "Seller", "una@sandbox.example", START, START, team="Sales EMEA")
    gone = HubSpotOwner("72", "Otto", "Gone", None, START, START, archived=True)
    return HubSpotData(
        objects={
            "companies": [make_company(number) for number in range(3)],
            "contacts": [make_contact(number) for number in range(contacts)],
            "deals": records,
            **{kind: [make_activity(kind, number) for number in range(3)] for kind in ACTIVITIES},
        },
        links=[("deals", record.id, "contacts", "900") for record in records[:-1]],
        ticket_stages=[HubSpotStage("1", "New", 0, 0.0, False), HubSpotStage("4", "Closed", 1, 0.0, True)],
        owners=[owner, gone],
        pipeline_id="default",
        pipeline_label="Sales",
        stages=[
            HubSpotStage("appointment", "Appointment", 0, 0.2, False),
            HubSpotStage("qualified", "Qualified", 1, 0.4, False),
            HubSpotStage("closedwon", "Closed won", 2, 1.0, True),
            HubSpotStage("closedlost", "Closed lost", 3, 0.0, True),
        ],
    )


def small_gong(calls: int = 250) -> GongData:
    """Two users and calls."""
    users = [
        GongUser(str(BIG_ID), "una@sandbox.example", "Una", "Seller", "Seller", START),
        GongUser(str(BIG_ID + 1), "ida@sandbox.example", "Ida", "Lead", "Lead", START, active=False),
    ]
    made = [make_call(number) for number in range(calls)]
    questions = (GongQuestion("7101", "Was it good?", True), GongQuestion("7102", "Why?", kind="OPEN"))
    cards = [GongScorecard("7001", "Sales call", START, START, questions)]
    return GongData(users, made, "6001", "Main", cards, [make_review(call) for call in made[::5]])


def make_review(call: GongCall) -> GongReview:
    """What Ida thought of a call three hours after it began."""
    identifier = str(int(call.id) + 7_000_000)
    answers: dict[str, int | str] = {"7101": 4, "7102": "It was short."}
    return GongReview(identifier, "7001", call.id, call.started + timedelta(hours=3), str(BIG_ID + 1), answers)


def small_snowflake(rows: int = 50) -> SnowflakeData:
    """`SALES.DEALS` with every kind of type, `FINANCE.INVOICES` empty."""
    deals = [
        (
            f"D{number}",
            Decimal(number) + Decimal("0.25"),
            0.5,
            date(2026, 3, 1) + timedelta(days=number),
            None if number % 2 else "won",
            START + timedelta(days=number, microseconds=123),
        )
        for number in range(rows)
    ]
    columns = {
        "DEAL_ID": "VARCHAR", "AMOUNT": "NUMBER(18,2)", "PROBABILITY": "FLOAT", "CLOSE_DATE": "DATE",
        "STAGE": "VARCHAR", "UPDATED_AT": "TIMESTAMP_NTZ",
    }  # fmt: skip
    empty = SnowflakeTable("FINANCE.INVOICES", {"INVOICE_ID": "VARCHAR", "AMOUNT": "NUMBER(18,2)"}, [])
    return SnowflakeData("SANDBOX", [SnowflakeTable("SALES.DEALS", columns, deals), empty])


def small_company(**systems: Any) -> CompanyData:
    """The whole small company; pass `gong=None` or another system's data to change a part."""
    parts: dict[str, Any] = {"hubspot": small_hubspot(), "gong": small_gong(), "snowflake": small_snowflake()}
    parts["linear"] = small_linear()
    parts["slack"] = small_slack()
    return CompanyData("Small Company", FIRST_DAY, LAST_DAY, **parts | systems)


@dataclass
class Served:
    """A company that is being served by this process."""

    endpoints: Endpoints
    app: SandboxApp

    @property
    def env(self) -> dict[str, str]:
        """The connection settings."""
        return dict(self.endpoints.env)


@contextmanager
def served(company: CompanyData, *, wait_for: str = "ready", **config: Any) -> Iterator[Served]:
    """Serve a company on a free loopback port from a thread; `config` are SandboxConfig's fields.

    `wait_for` is `listening` (HubSpot and Gong answer) or `ready` (Snowflake too).
    """
    passed = {"listening": threading.Event(), "ready": threading.Event()}
    endpoints: list[Endpoints] = []
    apps: list[tuple[SandboxApp, Callable[[], None]]] = []

    def reached(milestone: str) -> Callable[[Endpoints], None]:
        def tell(report: Endpoints) -> None:
            endpoints.append(report)
            passed[milestone].set()

        return tell

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(
            target=serve_company,
            args=(company, SandboxConfig(**config), listener, reached("ready")),
            kwargs={"on_listening": reached("listening"), "on_app": lambda *given: apps.append(given)},
            daemon=True,
        )
        thread.start()
        assert passed[wait_for].wait(60), "the stand-ins did not start"
        app, stop = apps[0]
        try:
            yield Served(endpoints[-1], app)
        finally:
            stop()
            thread.join(10)
