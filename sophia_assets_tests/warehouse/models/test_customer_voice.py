"""Customer voice: calls and chat by account and topic, recomputed from Gong's and Slack's raw tables."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from sophia_assets_tests.warehouse.models.days import local_day
from sophia_assets_tests.warehouse.models.loaded_company import Tables
from sophia_assets_tests.warehouse.models.planting import Planting

START = datetime(2025, 3, 3, 14, tzinfo=UTC)
LEGAL_FORMS = {"ab", "ag", "co", "corp", "gmbh", "inc", "kg", "limited", "llc", "ltd", "sa", "se"}
ACCENTS = str.maketrans("áàâäãåéèêëíìîïóòôöõøúùûüñç", "aaaaaaeeeeiiiioooooouuuunc")


def words(text: str) -> list[str]:
    """What a text says, word by word; accents and links are left out."""
    plain = re.sub(r"<[^>]*>", " ", text).replace("&amp;", "&").lower().translate(ACCENTS)
    return re.findall(r"[a-z0-9]+", plain)


def spoken(name: str) -> tuple[str, ...]:
    """An account's name as people say it."""
    found = words(name.split(",")[0])
    return tuple(found[:-1] if found[-1] in LEGAL_FORMS and len(found) > 1 else found)


def named_in(text: str, names: dict[tuple[str, ...], str]) -> set[str]:
    """The accounts that a text names, the longest names first."""
    said = words(text)
    hits = {
        name
        for name in names
        if any(tuple(said[place : place + len(name)]) == name for place in range(len(said) - len(name) + 1))
    }
    whole = {name for name in hits if not any(" ".join(name) in " ".join(other) for other in hits - {name})}
    return {names[name] for name in whole}


def people_messages(company: Tables) -> pd.DataFrame:
    """Messages that people wrote, each with the id of its conversation."""
    raw = company.raw("slack.messages")
    users = company.raw("slack.users")
    bots = set(users.loc[users["is_bot"], "user_id"])
    raw = raw[raw["subtype"].isna() & raw["bot_id"].isna() & raw["user_id"].notna() & ~raw["user_id"].isin(bots)]
    thread = raw["thread_ts"].fillna(raw["ts"])
    return raw.assign(conversation_id=raw["channel_id"] + "/" + thread)


def test_calls_are_those_of_gong_with_what_was_measured(company: Tables) -> None:
    raw = company.raw("gong.calls").set_index("call_id").rename_axis("conversation_id").sort_index()
    made = company.mart("marts.conversations").query("kind == 'call'").set_index("conversation_id").sort_index()
    assert list(made.index) == list(raw.index)
    pd.testing.assert_series_equal(made["account_id"], raw["company_id"], check_names=False)
    pd.testing.assert_series_equal(made["deal_id"], raw["deal_id"], check_names=False)
    pd.testing.assert_series_equal(made["started_on"], local_day(raw["started_at"]), check_names=False)
    pd.testing.assert_series_equal(made["minutes"], raw["duration_s"] / 60, check_names=False)
    parties = company.raw("gong.call_parties")
    counts = parties.groupby("call_id").size().reindex(raw.index).fillna(0)
    external = parties[parties["affiliation"] == "External"].groupby("call_id").size().reindex(raw.index).fillna(0)
    pd.testing.assert_series_equal(made["participants"], counts, check_names=False, check_dtype=False)
    pd.testing.assert_series_equal(made["customer_participants"], external, check_names=False, check_dtype=False)
    measured = company.raw("gong.call_interaction").set_index("call_id").reindex(raw.index)
    for column in ("customer_questions", "company_questions", "talk_ratio"):
        pd.testing.assert_series_equal(made[column], measured[column], check_dtype=False)
    trackers = company.raw("gong.call_trackers").query("tracker == 'Churn risk'").set_index("call_id")["hits"]
    passages = company.raw("gong.transcripts").query("topic == 'Support issues'").groupby("call_id").size()
    expected = trackers.reindex(raw.index).fillna(0) + passages.reindex(raw.index).fillna(0)
    pd.testing.assert_series_equal(made["concerns"], expected, check_names=False, check_dtype=False)
    assert expected.sum() > 0


def test_the_host_of_a_call_is_the_owner_with_the_same_address(company: Tables) -> None:
    made = company.mart("marts.conversations").query("kind == 'call'").set_index("conversation_id")
    users = company.raw("gong.users").set_index("user_id")["email"]
    owners = company.raw("hubspot.owners").set_index("email")["owner_id"]
    calls = company.raw("gong.calls").set_index("call_id")["primary_user_id"]
    expected = calls.map(users).map(owners)
    assert expected.notna().any()
    assert made["owner_id"].dropna().to_dict() == expected.dropna().to_dict()


def test_chats_are_the_conversations_of_people_about_one_customer(company: Tables) -> None:
    companies = company.raw("hubspot.companies")
    names = {spoken(row["name"]): row["company_id"] for row in companies.to_dict(orient="records")}
    assert len(names) == len(companies), "no two customers are called alike"
    messages = people_messages(company)
    expected: dict[str, dict[str, Any]] = {}
    # A bot's message may begin what people then talk about.
    every = company.raw("slack.messages")
    text_of = dict(zip(every["channel_id"] + "/" + every["ts"], every["text"].fillna(""), strict=True))
    for conversation_id, said in messages.groupby("conversation_id"):
        about = named_in(text_of[str(conversation_id)], names)
        if not about:
            replies = said[said["ts"] != said["thread_ts"].fillna(said["ts"])]["text"]
            about = set().union(*(named_in(text or "", names) for text in replies)) if len(replies) else set()
        if about:
            expected[str(conversation_id)] = {
                "account_id": min(about) if len(about) == 1 else None,
                "accounts": len(about),
                "messages": len(said),
                "participants": said["user_id"].nunique(),
            }
    made = company.mart("marts.conversations").query("kind == 'chat'").set_index("conversation_id").sort_index()
    wanted = pd.DataFrame.from_dict(expected, orient="index").sort_index()
    assert len(wanted) > 50
    pd.testing.assert_frame_equal(made[wanted.columns], wanted, check_dtype=False, check_names=False)


def test_topics_of_chats_are_found_by_their_declared_words(company: Tables) -> None:
    declared = company.mart("staging.topic_words")
    messages = people_messages(company)
    chats = company.mart("marts.conversations").query("kind == 'chat'").set_index("conversation_id")
    messages = messages[messages["conversation_id"].isin(chats.index)]
    rows = []
    for message in messages.to_dict(orient="records"):
        said = " " + " ".join(words(message["text"] or "")) + " "
        topics = {row["topic"] for row in declared.to_dict(orient="records") if f" {row['word']}" in said}
        rows += [(message["conversation_id"], topic) for topic in topics]
    expected = pd.Series(rows).value_counts().sort_index()
    made = company.mart("marts.topics").query("found_by == 'words'").set_index(["conversation_id", "topic"])
    assert made["hits"].to_dict() == expected.to_dict()
    assert made["account_id"].equals(
        pd.Series(made.index.get_level_values(0).map(chats["account_id"].to_dict()), index=made.index)
    )


def test_topics_of_calls_are_what_gong_heard_and_which_passages_it_named(company: Tables) -> None:
    made = company.mart("marts.topics")
    heard = made[made["found_by"] == "tracker"].set_index(["conversation_id", "topic"])["hits"]
    trackers = company.raw("gong.call_trackers").set_index(["call_id", "tracker"])["hits"]
    assert heard.to_dict() == trackers.to_dict()
    passages = made[made["found_by"] == "transcript"].set_index(["conversation_id", "topic"])["hits"]
    assert passages.to_dict() == company.raw("gong.transcripts").groupby(["call_id", "topic"]).size().to_dict()
    rivals = made[made["topic"].str.startswith("Competitor: ")]
    assert (rivals["competitor"] == rivals["topic"].str.removeprefix("Competitor: ")).all() and len(rivals) > 0
    assert made.loc[~made.index.isin(rivals.index), "competitor"].isna().all()


CHANNEL = "C1"


def plant_company(planting: Planting, *names: str) -> None:
    planting.rows(
        "hubspot.companies",
        *({"company_id": str(place), "name": name} for place, name in enumerate(names, start=1)),
    )
    planting.rows("slack.channels", {"channel_id": CHANNEL, "name": "deals"})
    planting.rows(
        "slack.users",
        {"user_id": "U1", "name": "una", "is_bot": False},
        {"user_id": "U2", "name": "ida", "is_bot": False},
        {"user_id": "UB", "name": "helpdesk", "is_bot": True},
    )


def message(number: int, text: str, **fields: Any) -> dict[str, Any]:
    ts = f"{int(START.timestamp()) + number}.000100"
    base = {"channel_id": CHANNEL, "ts": ts, "user_id": "U1", "text": text, "listed_in": f"{CHANNEL}/2025-03-03"}
    return base | {"posted_at": START + timedelta(seconds=number), "is_reply": "thread_ts" in fields, **fields}


def accounts_of(tables: Tables) -> list[str]:
    """The accounts of the conversations, in the order in which these began."""
    found: list[str] = tables.mart("marts.conversations").sort_values("started_at")["account"].tolist()
    return found


def test_a_name_is_found_in_any_case_without_its_legal_form_and_accents(planting: Planting) -> None:
    plant_company(planting, "Söder Trading GmbH", "Peña Foods & Co.", "Elmford, Inc.")
    texts = ["SODER TRADING is slow today", "Call with Peña Foods &amp; Co. went well", "elmford: no news"]
    planting.rows("slack.messages", *(message(number, text) for number, text in enumerate(texts)))
    assert accounts_of(planting.models()) == ["Söder Trading GmbH", "Peña Foods & Co.", "Elmford, Inc."]


def test_no_account_is_guessed(planting: Planting) -> None:
    plant_company(planting, "Iron Networks GmbH", "Iron Networks Ltd", "Maple Foods", "Maple Foods Logistics", "Ab Co")
    texts = [
        "Iron Networks asks for a discount",
        "Maple Foods Logistics asks for a discount",
        "Maplefoods asks for a discount",
        "Ab is short for about",
    ]
    planting.rows("slack.messages", *(message(number, text) for number, text in enumerate(texts)))
    assert accounts_of(planting.models()) == ["Maple Foods Logistics"]


def test_all_that_is_said_in_a_customers_own_channel_is_about_that_customer(planting: Planting) -> None:
    plant_company(planting, "Maple Foods, Inc.", "Elm Works")
    planting.rows("slack.channels", {"channel_id": "C2", "name": "ext-maple-foods"})
    planting.rows("slack.messages", message(0, "Elm Works has the same setup, hello!", channel_id="C2"))
    row = planting.model("marts.conversations").iloc[0]
    assert (row["account"], row["channel"], row["accounts"]) == ("Maple Foods, Inc.", "ext-maple-foods", 1)


def test_a_conversation_about_two_accounts_belongs_to_neither(planting: Planting) -> None:
    plant_company(planting, "Maple Foods", "Elm Works")
    planting.rows("slack.messages", message(0, "Maple Foods knows Elm Works"))
    row = planting.model("marts.conversations").iloc[0]
    assert row["accounts"] == 2 and pd.isna(row["account_id"])


def test_the_first_message_says_whom_a_thread_is_about_and_replies_only_where_it_does_not(planting: Planting) -> None:
    plant_company(planting, "Maple Foods", "Elm Works")
    first, second = message(0, "Maple Foods is at risk"), message(10, "Anybody free for a call?")
    replies = [
        message(1, "As Elm Works was", thread_ts=first["ts"], user_id="U2"),
        message(11, "Is it Elm Works again?", thread_ts=second["ts"], user_id="U2"),
    ]
    first["thread_ts"], second["thread_ts"] = first["ts"], second["ts"]
    planting.rows("slack.messages", first, second, *replies)
    made = planting.model("marts.conversations").set_index("account")
    assert set(made.index) == {"Maple Foods", "Elm Works"}
    assert made["messages"].tolist() == [2, 2] and made["participants"].tolist() == [2, 2]


def test_a_thread_whose_first_message_is_gone_is_still_a_conversation(planting: Planting) -> None:
    plant_company(planting, "Maple Foods")
    first = message(0, "Maple Foods is calm again")
    first["thread_ts"] = first["ts"]
    planting.rows("slack.messages", first, message(60, "Maple Foods thanks us", thread_ts=first["ts"]))
    planting.gone("slack.messages", (CHANNEL, first["ts"]))
    row = planting.model("marts.conversations").iloc[0]
    assert row["conversation_id"] == f"{CHANNEL}/{first['ts']}"
    assert row["messages"] == 1
    assert row["started_at"] == pd.Timestamp((START + timedelta(seconds=60)).replace(tzinfo=None))


def test_bots_joins_and_deleted_messages_are_no_conversation_of_people(planting: Planting) -> None:
    plant_company(planting, "Maple Foods")
    said = [
        message(0, "Bug reported by Maple Foods", user_id="UB"),
        message(1, "Bug reported by Maple Foods", user_id=None, bot_id="B1", subtype="bot_message"),
        message(2, "Maple Foods has joined the channel", subtype="channel_join"),
        message(3, "This message was deleted: Maple Foods", subtype="tombstone"),
        message(4, "Maple Foods, never mind"),
    ]
    planting.rows("slack.messages", *said)
    planting.gone("slack.messages", (CHANNEL, said[4]["ts"]))
    assert planting.model("marts.conversations").empty


def test_what_people_say_below_a_bots_message_is_a_conversation(planting: Planting) -> None:
    plant_company(planting, "Maple Foods")
    first = message(0, "New bug, reported by Maple Foods", user_id="UB")
    first["thread_ts"] = first["ts"]
    planting.rows("slack.messages", first, message(5, "Looking.", thread_ts=first["ts"]))
    row = planting.model("marts.conversations").iloc[0]
    assert (row["account"], row["messages"], row["participants"]) == ("Maple Foods", 1, 1)
    assert row["concerns"] == 0, "what a bot says is no sign of the customer's mood"


def test_a_call_that_gong_linked_to_nobody_has_no_account(planting: Planting) -> None:
    planting.rows("gong.calls", {"call_id": "1", "started_at": START, "duration_s": 600, "direction": "Inbound"})
    row = planting.model("marts.conversations").iloc[0]
    assert (row["accounts"], row["participants"], row["concerns"]) == (0, 0, 0)
    assert pd.isna(row["account"]) and pd.isna(row["owner"]) and pd.isna(row["customer_questions"])


def test_a_call_that_gong_linked_to_nobody_belongs_to_the_one_account_of_its_guests(planting: Planting) -> None:
    planting.rows("hubspot.companies", {"company_id": "1", "name": "Maple Foods", "domain": "maple.example"})
    planting.rows("gong.calls", {"call_id": "1", "started_at": START, "duration_s": 600})
    guest = {"call_id": "1", "party_id": "p", "email": "una@maple.example", "affiliation": "External"}
    planting.rows("gong.call_parties", guest)
    row = planting.model("marts.conversations").iloc[0]
    assert (row["account"], row["accounts"], row["customer_participants"]) == ("Maple Foods", 1, 1)


def test_an_address_that_two_owners_share_stands_for_neither(planting: Planting) -> None:
    planting.rows(
        "hubspot.owners",
        {"owner_id": "1", "email": "team@acme.example", "first_name": "Una", "archived": False},
        {"owner_id": "2", "email": "Team@acme.example ", "first_name": "Ida", "archived": False},
        {"owner_id": "3", "email": "Otto@acme.example", "first_name": "Otto", "archived": False},
    )
    planting.rows(
        "gong.users",
        {"user_id": "g1", "email": "team@acme.example"},
        {"user_id": "g3", "email": "otto@ACME.example"},
        {"user_id": "g4"},
    )
    made = planting.model("staging.owner_keys")
    assert made[["system", "key", "owner_id"]].to_numpy().tolist() == [["gong", "g3", "3"]]
