"""Tickets, line items, meetings and calls of the simulated company: plausible, consistent, growing only at the end."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from functools import cache

import pytest

from sophia_assets.sandbox.company import simulate_company
from sophia_assets.sandbox.company_data import HubSpotData, HubSpotRecord

START, LAST = date(2024, 7, 1), date(2025, 6, 30)
KINDS = ("tickets", "line_items", "meetings", "calls")


@cache
def hubspot(as_of: date = LAST) -> HubSpotData:
    found = simulate_company(11, START, as_of, scale=0.5).hubspot
    assert found
    return found


def by_id(data: HubSpotData, kind: str) -> dict[str, HubSpotRecord]:
    return {record.id: record for record in data.objects[kind]}


@pytest.mark.parametrize("kind", KINDS)
def test_every_record_has_an_id_of_its_own_and_refers_to_what_exists(kind: str) -> None:
    data = hubspot()
    assert len(by_id(data, kind)) == len(data.objects[kind]) > 50
    for record in data.objects[kind]:
        assert record.associations
        for target, ids in record.associations.items():
            assert set(ids) <= by_id(data, target).keys()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("earlier", [date(2024, 7, 1), date(2024, 11, 3), date(2025, 6, 29)])
def test_an_earlier_day_shows_what_was_known_then(kind: str, earlier: date) -> None:
    end = datetime(earlier.year, earlier.month, earlier.day, 23, 59, 59, 999_999, tzinfo=UTC)
    then, now = by_id(hubspot(earlier), kind), by_id(hubspot(), kind)
    assert then.keys() == {record.id for record in now.values() if record.created_at <= end}
    for record_id, record in then.items():
        assert record.updated_at <= end
        if now[record_id].updated_at <= end and not now[record_id].archived:
            assert record.properties == now[record_id].properties


def test_line_items_add_up_to_their_deal() -> None:
    data = hubspot()
    sums: Counter[str] = Counter()
    for line in data.objects["line_items"]:
        sums[line.associations["deals"][0]] += int(str(line.properties["amount"]))
        assert int(str(line.properties["quantity"])) * int(str(line.properties["price"])) == int(
            str(line.properties["amount"])
        )
    deals = by_id(data, "deals")
    assert {deal: str(total) for deal, total in sums.items()} == {
        deal: deals[deal].properties["amount"] for deal in sums
    }


def test_a_ticket_is_closed_exactly_where_it_says_when() -> None:
    for ticket in hubspot().objects["tickets"]:
        assert (ticket.properties["hs_pipeline_stage"] == "4") == (ticket.properties["closed_date"] is not None)


def test_meetings_have_every_outcome_and_only_those_to_come_are_scheduled() -> None:
    end = "2025-07-01T00:00:00.000Z"
    meetings = [record.properties for record in hubspot().objects["meetings"]]
    assert {found["hs_meeting_outcome"] for found in meetings} >= {"COMPLETED", "SCHEDULED", "CANCELED", "NO_SHOW"}
    for found in meetings:
        if found["hs_meeting_outcome"] == "SCHEDULED":
            assert str(found["hs_meeting_end_time"]) >= end


def test_people_decide_about_deals() -> None:
    data = hubspot()
    contacts, deals = by_id(data, "contacts"), by_id(data, "deals")
    assert len(data.links) > len(deals) / 2
    for from_type, deal, to_type, person in data.links:
        assert (from_type, to_type) == ("deals", "contacts")
        assert contacts[person].associations["companies"] == deals[deal].associations["companies"]
        assert not contacts[person].archived and not deals[deal].archived
