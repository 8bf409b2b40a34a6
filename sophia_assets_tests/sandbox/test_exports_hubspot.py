"""HubSpot's own CSV exports, and the native layout's tickets, line items, meetings, calls and associations."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.company_data import HubSpotData
from sophia_assets.sandbox.exports import load_exports

DEALS = """Record ID,Deal Name,Deal Stage,Amount,Close Date,Deal owner,Create Date,Last Modified Date,Region,\
Associated Company,Associated Company IDs,Associated Contact IDs
11,Pilot,Closed Won,1200.50,2025-03-04 10:00,Mira Das,2025-01-02 09:30,2025-03-04 10:01,North,Acme;Other,7;8,5;6
12,Rollout,Proposal,,2025-09-30 00:00,Ben Ode,2025-02-03 08:00,2025-02-04 08:00,,,,
"""
COMPANIES = """Record ID,Company name,Company Domain Name,Industry,Company owner,Create Date
7,Acme,acme.example,Software,Mira Das,2025-01-01 08:00
8,Other,other.example,,,2025-01-01 08:00
"""
CONTACTS = """Record ID,First Name,Last Name,Email,Job Title,Associated Company IDs,Create Date
5,Una,Ray,una@acme.example,Head of IT,7,2025-01-01 08:00
6,Gus,Orr,gus@acme.example,,8;7,2025-01-01 08:00
"""
TICKETS = """Record ID,Ticket name,Ticket status,Priority,Create date,Close date,Associated Company IDs
31,Sign-in fails,Closed,HIGH,2025-02-01 08:00,2025-02-03 09:00,7
32,Slow report,New,,2025-02-02 08:00,,7
"""


def load(folder: Path, files: dict[str, str]) -> HubSpotData:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    found = load_exports(folder, timezone="UTC").hubspot
    assert found
    return found


@pytest.fixture
def exported(tmp_path: Path) -> HubSpotData:
    return load(
        tmp_path,
        {
            "hubspot-crm-exports-all-deals-2025-03-05.csv": DEALS,
            "hubspot/companies.csv": COMPANIES,
            "hubspot/people.csv": CONTACTS,
            "tickets-2025.csv": TICKETS,
        },
    )


def test_a_file_is_known_by_its_header_whatever_it_is_called(exported: HubSpotData) -> None:
    counts = {kind: len(records) for kind, records in exported.objects.items() if records}
    assert counts == {"companies": 2, "contacts": 2, "deals": 2, "tickets": 2}


def test_a_deal_has_its_values_owner_and_times(exported: HubSpotData) -> None:
    deal = exported.objects["deals"][0]
    owners = {owner.id: f"{owner.first_name} {owner.last_name}" for owner in exported.owners}
    assert deal.properties["dealname"] == "Pilot" and deal.properties["amount"] == "1200.5"
    assert owners[str(deal.properties["hubspot_owner_id"])] == "Mira Das"
    assert deal.created_at == datetime(2025, 1, 2, 9, 30, tzinfo=UTC)
    assert deal.updated_at == datetime(2025, 3, 4, 10, 1, tzinfo=UTC)
    assert deal.properties["region"] == "North"
    assert "associated_company" not in deal.properties


def test_cells_with_several_ids_become_associations(exported: HubSpotData) -> None:
    assert exported.objects["deals"][0].associations == {"companies": ["7"]}
    assert {link for link in exported.links if link[0] == "deals"} == {
        ("deals", "11", "companies", "7"),
        ("deals", "11", "companies", "8"),
        ("deals", "11", "contacts", "5"),
        ("deals", "11", "contacts", "6"),
    }
    assert exported.objects["contacts"][1].properties["associatedcompanyid"] == "8"


def test_tickets_say_when_they_were_closed(exported: HubSpotData) -> None:
    closed, still_open = exported.objects["tickets"]
    assert closed.properties["closed_date"] == "2025-02-03T09:00:00.000Z"
    assert still_open.properties["closed_date"] is None
    assert [(stage.label, stage.is_closed) for stage in exported.ticket_stages] == [("New", False), ("Closed", True)]


def test_an_export_in_several_files_is_read_whole(tmp_path: Path) -> None:
    head, first, second = DEALS.splitlines()
    found = load(tmp_path, {"deals-1.csv": f"{head}\n{first}\n", "deals-2.csv": f"{head}\n{second}\n"})
    assert [deal.id for deal in found.objects["deals"]] == ["11", "12"]


def test_the_native_layout_has_activities_and_associations(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        {
            "hubspot/deals.csv": "deal_id,stage,created_at\n1,Open,2025-01-01\n",
            "hubspot/line_items.csv": "line_item_id,name,quantity,price,amount,deal_id\n2,Seat,3,5.00,15,1\n",
            "hubspot/meetings.csv": "meeting_id,title,starts_at,deal_id,company_id\n3,Demo,2025-01-05T10:00:00Z,1,7\n",
            "hubspot/crm_calls.csv": "call_id,direction,duration_ms,called_at,contact_id\n4,INBOUND,900,2025-01-06,5\n",
            "hubspot/associations.csv": "from_type,from_id,to_type,to_id\ndeals,1,contacts,5\n",
        },
    )
    (line,), (meeting,), (call,) = (found.objects[kind] for kind in ("line_items", "meetings", "calls"))
    assert (line.properties["price"], line.associations) == ("5", {"deals": ["1"]})
    assert meeting.properties["hs_meeting_start_time"] == "2025-01-05T10:00:00.000Z"
    assert meeting.associations == {"deals": ["1"], "companies": ["7"]}
    assert (call.properties["hs_call_duration"], call.created_at.day) == ("900", 6)
    assert found.links == [("deals", "1", "contacts", "5")]


def test_an_association_of_an_unknown_type_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="line 2: unknown object type 'unicorns'"):
        load(
            tmp_path,
            {
                "hubspot/deals.csv": "deal_id,stage,created_at\n1,Open,2025-01-01\n",
                "hubspot/associations.csv": "from_type,from_id,to_type,to_id\ndeals,1,unicorns,5\n",
            },
        )
