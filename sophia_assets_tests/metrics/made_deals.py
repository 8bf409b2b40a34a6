"""A CRM of a few deals whose histories are written out, to be served by the stand-ins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from sophia_assets.sandbox.company_data import (
    CompanyData,
    HubSpotData,
    HubSpotOwner,
    HubSpotRecord,
    HubSpotStage,
    PropertyVersion,
)

Versions = Sequence[tuple[str, str]]
"""(moment in UTC, value), oldest first."""

_BEGINNING = datetime(2025, 1, 1, tzinfo=UTC)


def made_deal(
    number: int,
    *,
    stages: Versions,
    amounts: Versions = (),
    closes: Versions = (),
    amount: str | None = None,
    owner: str | None = "71",
) -> HubSpotRecord:
    """Deal `number`, created with its first stage; `amount` is its present one where it has no history of amounts."""
    history = {"dealstage": stages, "amount": amounts, "closedate": closes}
    moments = [datetime.fromisoformat(at) for versions in history.values() for at, _ in versions]
    created, updated = datetime.fromisoformat(stages[0][0]), max(moments)
    return HubSpotRecord(
        id=str(5000 + number),
        properties={
            "dealname": f"Deal {number}",
            "pipeline": "default",
            "dealstage": stages[-1][1],
            "amount": (amounts[-1][1] or None) if amounts else amount,
            "closedate": (closes[-1][1] or None) if closes else None,
            "hubspot_owner_id": owner,
            "createdate": stages[0][0],
            "hs_lastmodifieddate": updated.isoformat().replace("+00:00", "Z"),
        },
        created_at=created,
        updated_at=updated,
        history={
            name: [PropertyVersion(value, datetime.fromisoformat(at)) for at, value in versions]
            for name, versions in history.items()
            if versions
        },
        associations={"companies": ["100"]},
    )


def made_crm(*deals: HubSpotRecord, last_day: date) -> CompanyData:
    """A company with HubSpot only: one account, one owner, four stages, these deals."""
    account = HubSpotRecord("100", {"name": "Acme", "industry": "SOFTWARE"}, _BEGINNING, _BEGINNING)
    stages = [
        HubSpotStage("first", "First meeting", 0, 0.1, False),
        HubSpotStage("offer", "Offer", 1, 0.3, False),
        HubSpotStage("won", "Won", 2, 1.0, True),
        HubSpotStage("lost", "Lost", 3, 0.0, True),
    ]
    owner = HubSpotOwner("71", "Una", "Seller", "una@sandbox.example", _BEGINNING, _BEGINNING)
    hubspot = HubSpotData(
        {"companies": [account], "contacts": [], "deals": list(deals)}, [owner], "default", "Sales", stages
    )
    return CompanyData("Small Company", date(2025, 1, 1), last_day, hubspot=hubspot)
