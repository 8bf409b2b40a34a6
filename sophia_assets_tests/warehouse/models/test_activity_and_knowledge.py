"""What owners did, the knowledge base and the health of the data, recomputed from raw tables and the loader's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd

from sophia_assets_tests.warehouse.models.days import local_day
from sophia_assets_tests.warehouse.models.loaded_company import Tables, as_frame
from sophia_assets_tests.warehouse.models.planting import KNOWN_SINCE, Planting

START = datetime(2025, 3, 3, 14, tzinfo=UTC)


def done_by_owners(company: Tables) -> pd.DataFrame:
    """One row per thing that an owner did: owner_id, at, kind, minutes."""
    owners = company.raw("hubspot.owners")
    by_address = owners.set_index("email")["owner_id"]
    by_name = (owners["first_name"] + " " + owners["last_name"]).rename("author")
    gong = company.raw("gong.users").set_index("user_id")["email"].map(by_address)
    slack = company.raw("slack.users").set_index("user_id")["email"].map(by_address)

    calls = company.raw("gong.calls")
    recorded = pd.DataFrame({"owner_id": calls["primary_user_id"].map(gong), "at": calls["started_at"]})
    recorded = recorded.assign(kind="recorded call", minutes=calls["duration_s"] / 60)
    logged = company.raw("hubspot.crm_calls").query("status == 'COMPLETED'")
    logged = logged.assign(at=logged["called_at"], kind="logged call", minutes=logged["duration_ms"] / 60_000)
    held = company.raw("hubspot.meetings").query("outcome == 'COMPLETED'")
    length = (held["ends_at"] - held["starts_at"]).dt.total_seconds() / 60
    held = held.assign(at=held["starts_at"], kind="meeting", minutes=length)

    moves = company.raw("hubspot.deal_history").query("property == 'dealstage'").sort_values(["deal_id", "changed_at"])
    before = moves.groupby("deal_id")["value"].shift()
    moves = moves[before.notna() & (before != moves["value"])]
    moves = moves.merge(company.raw("hubspot.deals")[["deal_id", "owner_id"]], on="deal_id")
    moves = moves.assign(at=moves["changed_at"], kind="deal moved", minutes=float("nan"))

    notes = company.raw("pinecone.documents").query("kind == 'call-note'")
    notes = notes.groupby(["author", "url"])["created_at"].min().reset_index()
    notes = notes.merge(pd.concat([by_name, owners["owner_id"]], axis=1), on="author")
    notes = notes.assign(at=notes["created_at"], kind="note", minutes=float("nan"))

    messages = company.raw("slack.messages").query("subtype.isna() and bot_id.isna()")
    written = pd.DataFrame({"owner_id": messages["user_id"].map(slack), "at": messages["posted_at"]})
    written = written.assign(kind="message", minutes=float("nan"))
    every = [frame[["owner_id", "at", "kind", "minutes"]] for frame in (recorded, logged, held, moves, notes, written)]
    return pd.concat(every).dropna(subset=["owner_id", "at"])


def test_owner_activity_counts_what_owners_did_on_each_day(company: Tables) -> None:
    done = done_by_owners(company)
    done["day"] = local_day(done["at"])
    keys = ["owner_id", "day", "kind"]
    expected = done.groupby(keys).agg(activities=("at", "size"), minutes=("minutes", lambda m: m.sum(min_count=1)))
    made = company.mart("marts.owner_activity").set_index(keys).sort_index()
    pd.testing.assert_frame_equal(made[["activities", "minutes"]], expected.sort_index(), check_dtype=False)
    assert set(made.index.get_level_values("kind")) == set(done["kind"]) and len(set(done["kind"])) == 6


def test_documents_are_their_passages_put_together(company: Tables) -> None:
    raw = company.raw("pinecone.documents")
    whole = raw.groupby(["namespace", "url"]).agg(
        chunks=("chunk", "size"),
        created=("created_at", "min"),
        updated=("updated_at", "max"),
        kind=("kind", "first"),
        account_id=("account_id", "first"),
        title=("title", "first"),
    )
    whole.index = [" ".join(key) for key in whole.index]
    made = company.mart("marts.documents").set_index("document_id").sort_index()
    whole = whole.sort_index()
    assert list(made.index) == list(whole.index)
    for column in ("chunks", "kind", "account_id", "title"):
        pd.testing.assert_series_equal(made[column], whole[column], check_names=False, check_dtype=False)
    for column in ("created", "updated"):
        pd.testing.assert_series_equal(made[f"{column}_on"], local_day(whole[column]), check_names=False)
    names = company.raw("hubspot.companies").set_index("company_id")["name"]
    assert made["account"].dropna().to_dict() == made["account_id"].dropna().map(names).to_dict()
    through = as_frame(company.warehouse, "SELECT * FROM _sophia.state WHERE table_name = 'pinecone.documents'")
    age = (through["loaded_through"].iloc[0] - whole["updated"].dt.floor("s")).dt.total_seconds() / 86400
    pd.testing.assert_series_equal(made["age_days"], age, check_names=False, atol=1e-9)


def test_data_health_is_what_the_loader_wrote_down(company: Tables) -> None:
    made = company.mart("marts.data_health").set_index("table_name")
    state = as_frame(company.warehouse, "SELECT * FROM _sophia.state").set_index("table_name")
    loads = as_frame(company.warehouse, "SELECT * FROM _sophia.loads").sort_values("committed_at")
    last = loads.groupby("table_name").last()
    assert set(made.index) == set(state.index)
    for name, row in made.iterrows():
        held, load = state.loc[str(name)], last.loc[str(name)]
        assert row["system"] == str(name).split(".")[0]
        assert (row["loaded_at"], row["loaded_through"]) == (held["loaded_at"], held["loaded_through"])
        assert row["rows_held"] == held["rows_total"] == len(company.raw(str(name)))
        assert row["loads"] == (loads["table_name"] == name).sum() >= 1
        assert (row["last_rows_read"], row["last_rows_deleted"]) == (load["rows_read"], load["deleted"])
        if pd.notna(held["newest"]):
            assert row["newest_event"] == held["newest"]


def test_rows_that_were_set_aside_are_counted(planting: Planting) -> None:
    good = {"owner_id": "1", "email": "a@acme.example", "archived": False}
    planting.rows("hubspot.owners", good, {**good, "owner_id": "2", "archived": "perhaps"})
    health = planting.model("marts.data_health").set_index("table_name")
    assert health[["rows_held", "rows_quarantined", "columns_missing"]].to_numpy().tolist() == [[1, 1, 0]]


def test_a_table_that_was_never_loaded_has_no_health_and_one_that_is_empty_has(planting: Planting) -> None:
    planting.rows("slack.channels")
    health = planting.model("marts.data_health")
    assert health["table_name"].tolist() == ["slack.channels"]
    assert health.iloc[0]["rows_held"] == 0 and pd.isna(health.iloc[0]["newest_event"])


def test_a_document_without_address_kind_or_known_account_is_one_by_itself(planting: Planting) -> None:
    base = {"namespace": "docs", "title": "Guide", "created_at": START, "account_id": "9", "account_name": "Acme"}
    planting.rows(
        "pinecone.documents",
        {**base, "document_id": "d-1"},
        {**base, "document_id": "d-2", "updated_at": START + timedelta(days=3)},
        {**base, "document_id": "d-3", "namespace": "old", "url": "https://kb.example/1"},
        {**base, "document_id": "d-4", "url": "https://kb.example/1"},
    )
    made = planting.model("marts.documents").set_index("document_id").sort_index()
    assert list(made.index) == ["docs d-1", "docs d-2", "docs https://kb.example/1", "old https://kb.example/1"]
    assert set(made["kind"]) == {"Unknown"} and set(made["account"]) == {"Acme"}
    age = (KNOWN_SINCE - START).total_seconds() / 86400
    assert made["age_days"].round(6).tolist() == [round(days, 6) for days in (age, age - 3, age, age)]


def test_a_document_that_names_its_account_only_is_brought_to_it(planting: Planting) -> None:
    planting.rows("hubspot.companies", {"company_id": "1", "name": "Maple Foods, Inc."})
    document = {"namespace": "docs", "document_id": "d-1", "title": "Plan", "account_name": "maple foods"}
    planting.rows("pinecone.documents", document)
    row = planting.model("marts.documents").iloc[0]
    assert (row["account_id"], row["account"]) == ("1", "Maple Foods, Inc.")
    assert pd.isna(row["age_days"]), "nothing says when it was written"


def test_activity_counts_only_what_took_place_and_whose_owner_is_known(planting: Planting) -> None:
    planting.rows("hubspot.owners", {"owner_id": "1", "email": "a@acme.example", "archived": False})
    meeting = {"owner_id": "1", "starts_at": START, "ends_at": START + timedelta(minutes=30)}
    planting.rows(
        "hubspot.meetings",
        *(
            {**meeting, "meeting_id": outcome or "none", "outcome": outcome}
            for outcome in ("COMPLETED", "NO_SHOW", "CANCELED", "SCHEDULED", None)
        ),
        {**meeting, "meeting_id": "nobody", "owner_id": None, "outcome": "COMPLETED"},
        {**meeting, "meeting_id": "left", "owner_id": "7", "outcome": "COMPLETED", "ends_at": None},
    )
    made = planting.model("marts.owner_activity").sort_values("owner_id")
    assert made["owner_id"].tolist() == ["1", "7"]
    assert made["activities"].tolist() == [1, 1]
    assert made["minutes"].fillna(-1).tolist() == [30, -1]
    assert made["owner"].tolist() == ["Owner 1", "Owner 7"], "an owner without a name is called by the id"
    assert made["team"].tolist() == ["No team", "No team"]
