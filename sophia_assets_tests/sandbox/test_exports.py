"""A folder of exports in the native layout, or in one that a YAML file describes, becomes a company."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.company_data import HubSpotRecord, PropertyVersion
from sophia_assets.sandbox.exports import load_exports

DEALS = """deal_id,name,stage,amount,close_date,company_id,owner_id,created_at,region
1,"Söder & ""Sons"" pilot",Won,1200.50,2025-03-04,10,7,2025-01-02,North
2,Second,Talking,,2025-09-30,10,7,2025-02-03,
3,Third,Lost,0,2025-02-28,,7,2025-01-15T10:00:00+01:00,
"""


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def deals(folder: Path, timezone: str = "UTC") -> dict[str, HubSpotRecord]:
    hubspot = load_exports(folder, timezone=timezone).hubspot
    assert hubspot
    return {record.id: record for record in hubspot.objects["deals"]}


def test_deals_alone_make_a_crm_and_other_systems_are_off(tmp_path: Path) -> None:
    found = load_exports(
        write(tmp_path / "acme", {"acme_is_ignored.txt": "", "hubspot/deals.csv": DEALS}), timezone="UTC"
    )
    assert (found.name, found.gong, found.snowflake) == ("acme", None, None)
    assert found.hubspot
    assert [(s.label, s.probability, s.is_closed) for s in found.hubspot.stages] == [
        ("Talking", 0.5, False), ("Won", 1.0, True), ("Lost", 0.0, True),
    ]  # fmt: skip
    assert found.hubspot.objects["companies"] == [] and found.warnings == []


def test_the_history_spans_the_events_and_not_the_forecasts(tmp_path: Path) -> None:
    found = load_exports(write(tmp_path, {"hubspot/deals.csv": DEALS}), timezone="UTC")
    assert (found.first_day, found.last_day) == (date(2025, 1, 2), date(2025, 3, 4))


def test_a_deal_without_a_history_gets_one_from_its_dates(tmp_path: Path) -> None:
    won = deals(write(tmp_path, {"hubspot/deals.csv": DEALS}))["1"]
    opened, closed = datetime(2025, 1, 2, tzinfo=UTC), datetime(2025, 3, 4, tzinfo=UTC)
    assert won.history["dealstage"] == [
        PropertyVersion("talking", opened, "IMPORT"),
        PropertyVersion("won", closed, "IMPORT"),
    ]
    assert won.history["closedate"] == [PropertyVersion("2025-03-04T00:00:00.000Z", closed, "IMPORT")]
    assert (won.created_at, won.updated_at) == (opened, closed)
    assert won.properties["amount"] == "1200.5" and won.properties["dealname"] == 'Söder & "Sons" pilot'
    assert won.associations == {"companies": ["10"]} and won.properties["region"] == "North"


def test_a_date_alone_is_midnight_in_the_business_time_zone(tmp_path: Path) -> None:
    found = deals(write(tmp_path, {"hubspot/deals.csv": DEALS}), "America/New_York")
    assert found["1"].created_at == datetime(2025, 1, 2, 5, tzinfo=UTC)
    assert found["3"].created_at == datetime(2025, 1, 15, 9, tzinfo=UTC)


def test_all_objects_of_all_systems_are_read(tmp_path: Path) -> None:
    lines = [{"call_id": "c1", "position": p, "speaker_id": "u1", "text": t} for p, t in ((1, "Bye."), (0, "Hello."))]
    folder = write(
        tmp_path,
        {
            "hubspot/deals.csv": DEALS,
            "hubspot/companies.csv": "company_id,name,employees,annual_revenue\n10,Söder AB,12,3000000\n",
            "hubspot/contacts.csv": "contact_id,email,company_id,created_at\n5,a@b.example,10,2025-01-03\n",
            "hubspot/owners.csv": "owner_id,first_name,last_name,team,archived\n7,Mira,Das,North,no\n",
            "hubspot/deal_companies.csv": "deal_id,company_id\n2,11\n",
            "hubspot/pipeline_stages.csv": "stage_id,stage_label,probability,is_closed\n"
            "t,Talking,0.3,false\nw,Won,1,true\nl,Lost,0,true\n",
            "hubspot/deal_history.csv": "deal_id,property,changed_at,value\n2,dealstage,2025-02-05,Talking\n"
            "2,closedate,2025-02-05,2025-08-31\n2,closedate,2025-02-05,2025-09-30\n",
            "gong/users.jsonl": json.dumps({"user_id": "u1", "first_name": "Mira", "email": "m@x.example"}),
            "gong/calls.csv": "call_id,started_at,duration_s,primary_user_id,company_id,deal_id\n"
            "c1,2025-02-06T10:00:00Z,900,u1,10,2\n",
            "gong/call_trackers.csv": "call_id,tracker,hits\nc1,Pricing,2\n",
            "gong/transcripts.jsonl": "\n".join(map(json.dumps, lines)),
            "snowflake/FINANCE.INVOICES.csv": "INVOICE_ID,ACCOUNT_ID,AMOUNT,ISSUED_ON,DUE_ON\n"
            "i1,10,99.95,2025-02-01,2025-03-03\n",
        },
    )
    found = load_exports(folder, timezone="UTC")
    assert found.hubspot and found.gong and found.snowflake
    deal = {record.id: record for record in found.hubspot.objects["deals"]}["2"]
    assert deal.associations == {"companies": ["11", "10"]}
    assert [v.value for v in deal.history["dealstage"]] == ["t"]
    assert deal.history["closedate"][0].timestamp < deal.history["closedate"][1].timestamp
    assert found.hubspot.owners[0].team == "North"
    assert found.hubspot.objects["contacts"][0].associations == {"companies": ["10"]}
    call = found.gong.calls[0]
    assert call.trackers == {"Pricing": 2} and [s[4] for s in call.sentences] == ["Hello.", "Bye."]
    assert (call.account_id, call.deal_id, call.parties[0]["userId"]) == ("10", "2", "u1")
    table = found.snowflake.tables[0]
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert row["AMOUNT"] == Decimal("99.95") and row["ISSUED_ON"] == date(2025, 2, 1) and row["PAID_ON"] is None
    assert row["UPDATED_AT"] == datetime(2025, 2, 1, tzinfo=UTC)


def test_ids_that_are_not_digits_get_a_number_in_every_system(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        {
            "hubspot/companies.csv": "company_id,name,created_at\nACC-1,One,2025-01-01\n",
            "hubspot/deals.csv": "deal_id,stage,company_id,created_at\nD-1,Open,ACC-1,2025-01-01\n",
            "snowflake/SUPPORT.SATISFACTION.csv": "RESPONSE_ID,ACCOUNT_ID,SCORE,RESPONDED_AT\nr,ACC-1,4,2025-01-02\n",
        },
    )
    found = load_exports(folder, timezone="UTC")
    assert found.hubspot and found.snowflake
    company = found.hubspot.objects["companies"][0]
    assert company.id.isdigit() and company.properties["original_id"] == "ACC-1"
    assert found.hubspot.objects["deals"][0].associations == {"companies": [company.id]}
    assert found.snowflake.tables[0].rows[0][1] == company.id


def test_cells_that_cannot_be_read_become_empty_and_are_counted(tmp_path: Path) -> None:
    text = DEALS.replace("1200.50", "lots").replace(",0,2025", ",n/a,2025")
    found = load_exports(write(tmp_path, {"hubspot/deals.csv": text}), timezone="UTC")
    assert found.hubspot and [d.properties["amount"] for d in found.hubspot.objects["deals"]] == [None, None, None]
    assert found.warnings == [
        "hubspot/deals.csv: 2 of the values in amount could not be read as a number and are left empty"
    ]


LAYOUT = """
objects:
  hubspot/deals:
    - file: sales.csv
      columns: {deal_id: {row: 100}, name: title, stage: phase, created_at: day, amount: {column: k, times: 1000}}
"""


def test_a_layout_in_the_folder_describes_other_files(tmp_path: Path) -> None:
    folder = write(tmp_path, {"layout.yaml": LAYOUT, "sales.csv": "title,phase,day,k\nA,Won,2025-01-01,1.5\n"})
    deal = deals(folder)["100"]
    assert (deal.properties["dealname"], deal.properties["amount"]) == ("A", "1500")


def test_a_layout_given_by_path_goes_first(tmp_path: Path) -> None:
    given = tmp_path / "mine.yaml"
    given.write_text(LAYOUT.replace("row: 100", "row: 900"))
    folder = write(tmp_path / "data", {"layout.yaml": LAYOUT, "sales.csv": "title,phase,day,k\nA,Won,2025-01-01,1\n"})
    found = load_exports(folder, timezone="UTC", layout=given)
    assert found.hubspot and found.hubspot.objects["deals"][0].id == "900"


BAD: list[tuple[dict[str, str], str]] = [
    ({"notes.txt": "hello"}, "no file in .* is recognised"),
    ({"hubspot/deals.csv": "name,stage\nA,Won\n"}, r"hubspot/deals.csv has no column deal_id. .*name, stage"),
    ({"hubspot/deals.csv": DEALS.replace("2025-03-04", "4 March")}, "deals.csv, line 2, column close_date: '4 March'"),
    ({"hubspot/deals.csv": DEALS.replace("\n2,", "\n,")}, "deals.csv, line 3: deal_id is empty"),
    ({"hubspot/deals.csv": "deal_id,stage\n1,Won\n"}, "no date in the files"),
    ({"gong/calls.jsonl": "{broken"}, "gong/calls.jsonl, line 1 is not JSON"),
    ({"gong/calls.jsonl": "[1]"}, "gong/calls.jsonl, line 1 is not a JSON object"),
    ({"layout.yaml": "objects: [", "a.csv": "b"}, "layout.yaml is not YAML"),
    ({"layout.yaml": "name: x", "a.csv": "b"}, "has no `objects`"),
    ({"layout.yaml": LAYOUT}, "sales.csv is missing"),
    ({"layout.yaml": LAYOUT.replace("hubspot/deals", "crm/deals"), "sales.csv": "a\n1\n"}, "crm/deals is not a known"),
    (
        {"hubspot/deals.csv": DEALS, "hubspot/pipeline_stages.csv": "stage_id,stage_label\nw,Won\n"},
        "unknown deal stage 'Talking'. The stages are: Won",
    ),
    (
        {
            "hubspot/deals.csv": DEALS,
            "hubspot/deal_history.csv": "deal_id,property,changed_at,value\n1,name,2025-01-01,x\n",
        },
        "no history is kept of 'name'",
    ),
]


@pytest.mark.parametrize(("files", "message"), BAD)
def test_bad_input_is_refused_in_one_line_that_says_where(tmp_path: Path, files: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as refused:
        load_exports(write(tmp_path, files), timezone="UTC")
    assert "\n" not in str(refused.value)


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hubspot").mkdir()
    (tmp_path / "hubspot" / "deals.csv").write_bytes("deal_id,stage\n1,Gewonnen \xfc".encode("latin-1"))
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load_exports(tmp_path, timezone="UTC")


def test_a_missing_folder_and_an_unknown_time_zone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no folder"):
        load_exports(tmp_path / "nowhere", timezone="UTC")
    with pytest.raises(ConfigurationError, match="unknown time zone"):
        load_exports(write(tmp_path, {"hubspot/deals.csv": DEALS}), timezone="Moon/Base")


@pytest.mark.parametrize(
    ("written", "meant"), [("$12,500.00", "12500.00"), ("1,234,567", "1234567"), ("$80", "80"), ("-$1,000", "-1000")]
)
def test_amounts_as_spreadsheets_write_them_are_understood(tmp_path: Path, written: str, meant: str) -> None:
    row = f'd1,Deal,Won,"{written}",2026-01-31,2026-01-01'
    folder = write(tmp_path, {"hubspot/deals.csv": f"deal_id,name,stage,amount,close_date,created_at\n{row}\n"})
    company = load_exports(folder, timezone="UTC")
    assert company.hubspot
    assert Decimal(company.hubspot.objects["deals"][0].properties["amount"] or "0") == Decimal(meant)


def test_a_file_that_is_missing_from_snowflake_is_an_empty_table(tmp_path: Path) -> None:
    answers = "RESPONSE_ID,ACCOUNT_ID,SCORE,RESPONDED_AT\n1,7,4,2026-01-05\n"
    company = load_exports(write(tmp_path, {"snowflake/SUPPORT.SATISFACTION.csv": answers}), timezone="UTC")
    assert company.snowflake
    assert {table.name: len(table.rows) for table in company.snowflake.tables} == {
        "SUPPORT.SATISFACTION": 1,
        "SALES.DEALS": 0,
        "FINANCE.SUBSCRIPTIONS": 0,
        "FINANCE.INVOICES": 0,
    }


def test_a_file_that_is_not_used_is_named(tmp_path: Path) -> None:
    others = {"hubspot/all-deals.csv": "Foo,Bar\n1,2\n", "linear/Export.csv": "", "salesforce/opps.csv": "Id\n1\n"}
    found = load_exports(write(tmp_path, {"hubspot/deals.csv": DEALS} | others), timezone="UTC")

    assert found.warnings == [
        "hubspot/all-deals.csv is not used: its name and columns are not known",
        "linear/Export.csv is not used: it is empty",
        "salesforce/opps.csv is not used: its name and columns are not known",
    ]
