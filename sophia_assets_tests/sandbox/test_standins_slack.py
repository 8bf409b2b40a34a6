"""The Slack stand-in behaves as Slack's Web API does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from sophia_assets.sandbox.company_data import SlackMessage
from sophia_assets_tests.sandbox.clients import Client
from sophia_assets_tests.sandbox.small_company import Served, served
from sophia_assets_tests.sandbox.small_slack import (
    BOT,
    CLOSED,
    DEALS,
    GENERAL,
    LOBBY,
    START,
    make_channel,
    make_message,
    make_thread,
    slack_company,
    small_slack,
    ts,
    workspace,
)

Json = dict[str, Any]
OLD = small_slack().channels[0].messages[5].ts


@pytest.fixture(scope="module")
def workplace() -> Iterator[Served]:
    with served(slack_company(), wait_for="listening", limits=False) as running:
        yield running


@pytest.fixture
def slack(workplace: Served) -> Iterator[Client]:
    yield client(workplace)
    workplace.app.faults.clear()


def client(running: Served) -> Client:
    env = running.env
    return Client(env["SLACK_BASE_URL"], headers={"Authorization": f"Bearer {env['SLACK_BOT_TOKEN']}"})


def ask(slack: Client, method: str, **arguments: Any) -> Json:
    """A method's answer, asked as slack_sdk does: with a form."""
    found: Json = slack.post(method, data=arguments).json()
    return found


def pages(slack: Client, method: str, **arguments: Any) -> list[Json]:
    """All pages of a method."""
    found = [ask(slack, method, **arguments)]
    while cursor := (found[-1].get("response_metadata") or {}).get("next_cursor"):
        found.append(ask(slack, method, **arguments, cursor=cursor))
    return found


def ids(messages: list[Json]) -> list[str]:
    return [message["ts"] for message in messages]


def test_channels_of_both_kinds_are_listed_with_whether_the_bot_is_in_them(slack: Client) -> None:
    public = ask(slack, "conversations.list")["channels"]
    assert [(found["id"], found["is_member"]) for found in public] == [(GENERAL, True), (LOBBY, False), (CLOSED, True)]
    both = ask(slack, "conversations.list", types="public_channel,private_channel", exclude_archived=1)["channels"]
    assert [found["id"] for found in both] == [GENERAL, DEALS, LOBBY]


def test_a_list_ends_with_an_empty_cursor(slack: Client) -> None:
    listed = pages(slack, "users.list", limit=2)
    assert [len(page["members"]) for page in listed] == [2, 1]
    assert listed[-1]["response_metadata"]["next_cursor"] == ""


def test_history_comes_newest_first_page_by_page_and_without_replies(slack: Client) -> None:
    found = pages(slack, "conversations.history", channel=GENERAL, limit=25)
    assert [(len(page["messages"]), page["has_more"]) for page in found] == [(25, True), (25, True), (10, False)]
    listed = [found for page in found for found in ids(page["messages"])]
    assert listed == [make_message(number).ts for number in range(59, -1, -1)]


def test_a_parent_tells_of_its_thread(slack: Client) -> None:
    [parent] = ask(slack, "conversations.history", channel=GENERAL, latest=OLD, oldest=OLD, inclusive=True)["messages"]
    newest = ts(START + timedelta(days=21, hours=5), 200)
    told = (parent["thread_ts"], parent["reply_count"], parent["reply_users_count"], parent["latest_reply"])
    assert told == (OLD, 1, 1, newest)


@pytest.mark.parametrize(("inclusive", "hours"), [(True, [12, 11, 10]), (False, [11])])
def test_both_bounds_are_in_or_neither(slack: Client, inclusive: bool, hours: list[int]) -> None:
    bounds = {"oldest": make_message(10).ts, "latest": make_message(12).ts, "inclusive": inclusive}
    found = ask(slack, "conversations.history", channel=GENERAL, **bounds)["messages"]
    assert ids(found) == [make_message(number).ts for number in hours]


def test_bounds_differ_by_a_microsecond(slack: Client) -> None:
    second = make_message(10).ts.partition(".")[0]
    for oldest, count in ((f"{second}.000100", 1), (f"{second}.000101", 0)):
        bounds = {"oldest": oldest, "latest": f"{second}.999999", "inclusive": 1}
        assert len(ask(slack, "conversations.history", channel=GENERAL, **bounds)["messages"]) == count


def test_a_thread_begins_with_its_parent_on_every_page() -> None:
    parent = make_message(0)
    data = workspace(make_channel(GENERAL, [parent, *make_thread(parent, 5)]))
    with served(slack_company(data), wait_for="listening", limits=False) as running:
        found = pages(client(running), "conversations.replies", channel=GENERAL, ts=parent.ts, limit=3)
    assert [page["messages"][0]["ts"] for page in found] == [parent.ts] * 3
    assert [message["text"] for page in found for message in page["messages"][1:]] == [f"Reply {n}" for n in range(5)]


def test_a_message_without_replies_is_a_thread_of_one_and_an_unknown_one_is_none(slack: Client) -> None:
    alone = make_message(6).ts
    assert ids(ask(slack, "conversations.replies", channel=GENERAL, ts=alone)["messages"]) == [alone]
    assert ask(slack, "conversations.replies", channel=GENERAL, ts="1.000000")["error"] == "thread_not_found"


@pytest.mark.parametrize("way", ["query", "form", "json", "token in the form"])
def test_arguments_are_taken_from_wherever_a_client_puts_them(workplace: Served, slack: Client, way: str) -> None:
    arguments = {"channel": GENERAL, "limit": 1}
    if way == "query":
        answer = slack.get("conversations.history", params=arguments)
    elif way == "form":
        answer = slack.post("conversations.history", data=arguments)
    elif way == "json":
        answer = slack.post("conversations.history", json=arguments)
    else:
        token = {"token": workplace.env["SLACK_BOT_TOKEN"]}
        answer = Client(slack.base).post("conversations.history", data={**arguments, **token})
    assert len(answer.json()["messages"]) == 1


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("chat.everything", {}, "unknown_method"),
        ("conversations.history", {}, "invalid_arguments"),
        ("conversations.history", {"channel": "CNONE"}, "channel_not_found"),
        ("conversations.history", {"channel": LOBBY}, "not_in_channel"),
        ("conversations.history", {"channel": GENERAL, "limit": "0"}, "invalid_limit"),
        ("conversations.history", {"channel": GENERAL, "limit": "many"}, "invalid_limit"),
        ("conversations.history", {"channel": GENERAL, "latest": "now"}, "invalid_ts_latest"),
        ("conversations.history", {"channel": GENERAL, "oldest": "-1"}, "invalid_ts_oldest"),
        ("conversations.history", {"channel": GENERAL, "inclusive": "maybe"}, "invalid_arguments"),
        ("conversations.history", {"channel": GENERAL, "cursor": "rubbish"}, "invalid_cursor"),
        ("conversations.list", {"types": "public_channel,secret"}, "invalid_types"),
        ("conversations.replies", {"channel": GENERAL}, "invalid_arguments"),
        ("conversations.info", {"channel": "CNONE"}, "channel_not_found"),
        ("users.info", {"user": "U404"}, "user_not_found"),
    ],
)
def test_a_wrong_request_is_refused_with_http_200(slack: Client, method: str, arguments: Json, error: str) -> None:
    answer = slack.post(method, data=arguments)
    assert (answer.status_code, answer.json()["ok"], answer.json()["error"]) == (200, False, error)


@pytest.mark.parametrize(
    ("body", "kind", "error"),
    [
        (b"{", "application/json", "invalid_json"),
        (b"[]", "application/json; charset=utf-8", "json_not_object"),
        (b"x", "text/plain", "invalid_post_type"),
        (b"x", "", "missing_post_type"),
    ],
)
def test_a_body_that_slack_cannot_read_is_refused(slack: Client, body: bytes, kind: str, error: str) -> None:
    answer = slack.post("users.list", data=body, headers={"Content-Type": kind})
    assert answer.json() == {"ok": False, "error": error}


def test_a_missing_token_and_a_wrong_one_are_told_apart(slack: Client) -> None:
    anonymous = Client(slack.base)
    assert anonymous.post("auth.test").json()["error"] == "not_authed"
    assert anonymous.post("auth.test", data={"token": "xoxb-wrong"}).json()["error"] == "invalid_auth"


def test_a_cursor_is_of_no_use_to_another_request(slack: Client) -> None:
    first = ask(slack, "conversations.history", channel=GENERAL, limit=5)
    cursor = first["response_metadata"]["next_cursor"]
    assert ask(slack, "conversations.history", channel=GENERAL, limit=9, cursor=cursor)["ok"]
    other = ask(slack, "conversations.history", channel=DEALS, limit=5, cursor=cursor)
    assert other["error"] == "invalid_cursor"


def test_a_cursor_can_expire(workplace: Served, slack: Client) -> None:
    cursor = ask(slack, "users.list", limit=1)["response_metadata"]["next_cursor"]
    workplace.app.faults.add("slack:expired_cursor:1")
    assert ask(slack, "users.list", limit=1, cursor=cursor)["error"] == "invalid_cursor"
    assert ask(slack, "users.list", limit=1, cursor=cursor)["ok"]


def test_users_keep_their_mark_when_they_leave_and_carry_an_address_where_they_have_one(slack: Client) -> None:
    found = {user["id"]: user for user in ask(slack, "users.list")["members"]}
    assert (found["U1UNASELLER"]["profile"]["email"], found["U2IDALEADER"]["deleted"]) == ("una@sandbox.example", True)
    assert "email" not in found[BOT]["profile"]
    assert ask(slack, "users.info", user="U1UNASELLER")["user"] == found["U1UNASELLER"]


def test_the_token_belongs_to_the_bot_of_the_workspace(slack: Client) -> None:
    me = ask(slack, "auth.test")
    assert (me["user_id"], me["team_id"]) == (BOT, ask(slack, "team.info")["team"]["id"])


def test_a_method_has_a_limit_of_its_own() -> None:
    with served(slack_company(), wait_for="listening") as running:
        slack = client(running)
        statuses = [slack.post("users.list").status_code for _ in range(21)]
        assert statuses == [200] * 20 + [429]
        refused = slack.post("users.list")
        assert refused.json() == {"ok": False, "error": "ratelimited"}
        assert 0 < int(refused.headers["Retry-After"]) <= 60
        assert slack.post("conversations.list").status_code == 200


def test_an_app_that_is_not_in_the_marketplace_gets_fifteen_messages_a_minute(workplace: Served, slack: Client) -> None:
    workplace.app.faults.add("slack:one_per_minute")
    first, second = (slack.post("conversations.history", data={"channel": GENERAL, "limit": 200}) for _ in range(2))
    assert (len(first.json()["messages"]), second.status_code, second.headers["Retry-After"]) == (15, 429, "60")


def test_faults_answer_as_slack_does(workplace: Served, slack: Client) -> None:
    workplace.app.faults.add("slack:missing_scope")
    refused = ask(slack, "conversations.history", channel=GENERAL)
    assert (refused["error"], refused["needed"]) == ("missing_scope", "channels:history")
    workplace.app.faults.clear()
    workplace.app.faults.add("slack:not_in_channel")
    assert ask(slack, "conversations.history", channel=GENERAL)["error"] == "not_in_channel"
    assert ask(slack, "conversations.history", channel=DEALS)["ok"]
    workplace.app.faults.clear()
    workplace.app.faults.add("slack:auth")
    answer = slack.post("auth.test")
    assert (answer.status_code, answer.json()) == (200, {"ok": False, "error": "invalid_auth"})


def test_what_happens_once_changes_the_workspace_until_another_company_is_loaded(workplace: Served) -> None:
    slack = client(workplace)
    newest = ts(START + timedelta(hours=200))
    for fault in ("edit", "delete", "old_thread_reply"):
        workplace.app.faults.add(f"slack:{fault}")
    try:
        assert ask(slack, "conversations.history", channel=DEALS)["messages"][0]["ts"] != newest
        parent = ask(slack, "conversations.history", channel=GENERAL, limit=999)["messages"]
        assert max(found.get("latest_reply", "") for found in parent) == OLD_REPLY
    finally:
        workplace.app.standins["slack"].load(workplace.app.company)
        workplace.app.faults.clear()
    assert ask(slack, "conversations.history", channel=DEALS)["messages"][0]["ts"] == newest


def test_a_deleted_message_with_replies_leaves_a_tombstone() -> None:
    parent = make_message(3)
    data = workspace(make_channel(GENERAL, [make_message(1), parent, *make_thread(parent, 2)]))
    with served(slack_company(data), wait_for="listening", limits=False, faults=("slack:delete",)) as running:
        found = ask(client(running), "conversations.history", channel=GENERAL)["messages"][0]
    assert (found["ts"], found["subtype"], found["reply_count"]) == (parent.ts, "tombstone", 2)


def test_an_edit_shows_in_the_message_and_nowhere_else() -> None:
    data = workspace(make_channel(GENERAL, [make_message(1), make_message(3)]))
    with served(slack_company(data), wait_for="listening", limits=False, faults=("slack:edit",)) as running:
        newest, other = ask(client(running), "conversations.history", channel=GENERAL)["messages"]
    assert (newest["ts"], newest["text"].endswith("(edited)"), "edited" in other) == (make_message(3).ts, True, False)
    assert newest["edited"]["ts"] > newest["ts"]


def test_a_reply_that_was_also_sent_to_the_channel_is_listed_in_both() -> None:
    parent = make_message(0)
    [reply] = make_thread(parent, 1)
    reply.subtype = "thread_broadcast"
    data = workspace(make_channel(GENERAL, [parent, reply]))
    with served(slack_company(data), wait_for="listening", limits=False) as running:
        slack = client(running)
        assert ids(ask(slack, "conversations.history", channel=GENERAL)["messages"]) == [reply.ts, parent.ts]
        assert ids(ask(slack, "conversations.replies", channel=GENERAL, ts=parent.ts)["messages"])[1:] == [reply.ts]


def test_the_same_id_twice_is_one_message(slack: Client) -> None:
    twice = [SlackMessage("1767258000.000100", "U1UNASELLER", text) for text in ("first", "last")]
    with served(slack_company(workspace(make_channel(GENERAL, twice))), wait_for="listening") as running:
        assert len(ask(client(running), "conversations.history", channel=GENERAL)["messages"]) == 1


OLD_REPLY = ts(START.replace(month=6, day=30, hour=23), 2)
