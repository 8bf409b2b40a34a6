"""The Gong stand-in behaves as Gong's API does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sophia_assets_tests.sandbox.clients import Client, control_client, gong_client
from sophia_assets_tests.sandbox.small_company import (
    BIG_ID,
    START,
    Served,
    make_call,
    served,
    small_company,
    small_gong,
)

EXTENSIVE = "/v2/calls/extensive"


def test_calls_are_paged_by_a_cursor_that_the_last_page_lacks(gong: Client) -> None:
    params: dict[str, Any] = {"fromDateTime": "2026-01-01T00:00:00Z", "toDateTime": "2026-12-31T00:00:00Z"}
    sizes, seen = [], []
    while True:
        answer = gong.get("/v2/calls", params=params).json()
        sizes.append(answer["records"]["currentPageSize"])
        seen += [call["id"] for call in answer["calls"]]
        if "cursor" not in answer["records"]:
            break
        params["cursor"] = answer["records"]["cursor"]
    assert sizes == [100, 100, 50]
    assert seen == [str(BIG_ID + number) for number in range(250)]


def test_the_start_of_a_window_is_inclusive_and_its_end_exclusive(gong: Client) -> None:
    window = {"fromDateTime": "2026-01-01T11:00:00Z", "toDateTime": "2026-01-01T15:00:00+00:00"}
    titles = [call["title"] for call in gong.get("/v2/calls", params=window).json()["calls"]]
    assert titles == ["Call 1", "Call 2"]


def test_an_empty_window_is_a_404_with_the_vendors_words(gong: Client) -> None:
    window = {"fromDateTime": "2020-01-01T00:00:00Z", "toDateTime": "2020-01-02T00:00:00Z"}
    listed = gong.get("/v2/calls", params=window)
    spoken = gong.post("/v2/calls/transcript", json={"filter": window})
    assert (listed.status_code, spoken.status_code) == (404, 404)
    assert listed.json()["errors"] == ["No calls found corresponding to the provided filters"]
    assert set(spoken.json()) == {"requestId", "errors"}


def test_only_the_selected_content_of_a_call_is_exposed(gong: Client) -> None:
    wanted = {"callIds": [str(BIG_ID)]}
    bare = gong.post(EXTENSIVE, json={"filter": wanted}).json()["calls"][0]
    assert set(bare) == {"metaData"}
    fields = {"parties": True, "content": {"trackers": True}, "interaction": {"speakers": True}}
    selector = {"context": "Extended", "exposedFields": fields}
    rich = gong.post(EXTENSIVE, json={"filter": wanted, "contentSelector": selector}).json()["calls"][0]
    assert [tracker["name"] for tracker in rich["content"]["trackers"]] == ["Competitor: Rivalry", "Pricing"]
    objects = {item["objectType"]: item["objectId"] for item in rich["context"][0]["objects"]}
    assert (rich["context"][0]["system"], objects) == ("HubSpot", {"Account": "100", "Opportunity": "5001"})
    assert {party["affiliation"] for party in rich["parties"]} == {"Internal", "External"}
    assert rich["interaction"] == {"speakers": []}


def test_media_addresses_are_signed_anew_each_time(gong: Client) -> None:
    body = {"filter": {"callIds": [str(BIG_ID)]}, "contentSelector": {"exposedFields": {"media": True}}}
    first, second = (gong.post(EXTENSIVE, json=body).json()["calls"][0]["media"]["audioUrl"] for _ in range(2))
    assert first != second


def test_filters_of_a_post_are_ignored_in_the_query(gong: Client) -> None:
    answer = gong.post(EXTENSIVE, params={"fromDateTime": "2020-01-01T00:00:00Z"}, json={"filter": {}})
    assert answer.json()["records"]["totalRecords"] == 250


def test_transcripts_hold_sentences_by_speaker_and_skip_calls_without_any(gong: Client) -> None:
    body = {"filter": {"callIds": [str(BIG_ID), str(BIG_ID + 1)]}}
    transcripts = gong.post("/v2/calls/transcript", json=body).json()["callTranscripts"]
    assert [item["callId"] for item in transcripts] == [str(BIG_ID + 1)]
    assert [(part["speakerId"], len(part["sentences"])) for part in transcripts[0]["transcript"]] == [
        ("speaker1", 2),
        ("guest1", 1),
    ]
    assert transcripts[0]["transcript"][0]["sentences"][1] == {"start": 1500, "end": 3000, "text": "How are you?"}


def test_a_cursor_is_of_no_use_to_another_request(gong: Client) -> None:
    cursor = gong.post(EXTENSIVE, json={"filter": {}}).json()["records"]["cursor"]
    assert gong.post(EXTENSIVE, json={"filter": {}, "cursor": cursor}).status_code == 200
    other = {"filter": {"fromDateTime": "2026-01-02T00:00:00Z"}, "cursor": cursor}
    assert gong.post(EXTENSIVE, json=other).status_code == 400
    assert gong.post(EXTENSIVE, json={"filter": {}, "cursor": "rubbish"}).status_code == 400


def test_a_cursor_can_expire(unlimited: Served, gong: Client) -> None:
    cursor = gong.post(EXTENSIVE, json={"filter": {}}).json()["records"]["cursor"]
    control_client(unlimited.env).post("/_control/faults", json={"fault": "gong:expired_cursor:1"})
    expired = gong.post(EXTENSIVE, json={"filter": {}, "cursor": cursor})
    assert (expired.status_code, expired.json()["errors"]) == (400, ["The cursor has expired"])
    assert gong.post(EXTENSIVE, json={"filter": {}, "cursor": cursor}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"filter": {"fromDateTime": "yesterday"}},
        {"filter": {"fromDateTime": "2026-01-01T00:00:00"}},
        {"filter": {"fromDateTime": "2026-02-01T00:00:00Z", "toDateTime": "2026-01-01T00:00:00Z"}},
        {"filter": {"callIds": "1"}},
        {"filter": {}, "contentSelector": {"context": "Everything"}},
    ],
)
def test_a_malformed_request_is_refused(gong: Client, body: dict[str, Any]) -> None:
    answer = gong.post(EXTENSIVE, json=body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"requestId", "errors"}


def test_users_and_workspaces_are_listed(gong: Client) -> None:
    users = gong.get("/v2/users").json()["users"]
    assert [(user["id"], user["active"]) for user in users] == [(str(BIG_ID), True), (str(BIG_ID + 1), False)]
    assert gong.get("/v2/workspaces").json()["workspaces"] == [{"id": "6001", "name": "Main", "description": None}]
    chosen = gong.post("/v2/users/extensive", json={"filter": {"userIds": [str(BIG_ID + 1)]}}).json()["users"]
    assert [user["emailAddress"] for user in chosen] == ["ida@sandbox.example"]


def test_an_empty_list_that_was_not_filtered_is_no_failure() -> None:
    data = small_gong(calls=0)
    data.users = []
    with served(small_company(hubspot=None, snowflake=None, gong=data), limits=False) as running:
        answer = gong_client(running.env).get("/v2/users")
        assert (answer.status_code, answer.json()["users"]) == (200, [])


def test_a_single_call_is_found_or_not(gong: Client) -> None:
    assert gong.get(f"/v2/calls/{BIG_ID}").json()["call"]["title"] == "Call 0"
    assert gong.get("/v2/calls/1").json()["errors"] == ["Call ID 1 was not found"]


def test_wrong_keys_and_bearer_tokens_are_refused(gong: Client) -> None:
    assert gong.get("/v2/users", auth=("wrong", "keys")).status_code == 401
    gong.session.auth = None
    assert gong.get("/v2/users", headers={"Authorization": "Bearer token"}).status_code == 401


def test_the_fourth_request_within_a_second_must_wait() -> None:
    with served(small_company(hubspot=None, snowflake=None)) as running:
        client = gong_client(running.env)
        answers = [client.get("/v2/workspaces") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[-1].headers["Retry-After"] == "1"


def test_a_call_that_appears_late_is_served_within_its_own_day(unlimited: Served, gong: Client) -> None:
    window = {"fromDateTime": "2025-12-31T00:00:00Z", "toDateTime": "2026-01-01T00:00:00Z"}
    assert gong.get("/v2/calls", params=window).status_code == 404
    changed = small_company(snowflake=None)
    assert changed.gong is not None
    changed.gong.calls.append(make_call(900, START - timedelta(days=1)))
    unlimited.app.standins["gong"].load(changed)
    try:
        assert gong.get("/v2/calls", params=window).json()["calls"][0]["title"] == "Call 900"
    finally:
        unlimited.app.standins["gong"].load(unlimited.app.company)


REVIEWS, DAYS = "/v2/stats/activity/scorecards", "/v2/stats/activity/day-by-day"


def test_scorecards_are_found_by_the_day_of_the_review_and_an_empty_span_finds_none(gong: Client) -> None:
    day = {"reviewFromDate": "2026-01-01", "reviewToDate": "2026-01-02"}
    [first, second] = gong.post(REVIEWS, json={"filter": day}).json()["answeredScorecards"]
    assert (first["callId"], first["reviewTime"]) == (str(BIG_ID), "2026-01-01T12:00:00Z")
    assert [(answer["score"], answer["answerText"]) for answer in second["answers"]] == [
        (4, None),
        (None, "It was short."),
    ]
    nothing = gong.post(REVIEWS, json={"filter": {**day, "reviewToDate": "2026-01-01"}})
    assert (nothing.status_code, nothing.json()["errors"]) == (
        404,
        ["No answered scorecards found corresponding to the provided filters"],
    )


def test_only_reviews_by_people_are_listed_unless_others_are_asked_for(gong: Client) -> None:
    counts = [
        gong.post(REVIEWS, json={"filter": {"reviewMethod": method}}).json().get("records", {}).get("totalRecords", 0)
        for method in ("MANUAL", "AUTOMATIC", "BOTH")
    ]
    assert counts == [50, 0, 50]


def test_activity_is_listed_for_active_users_with_every_day_of_the_span(gong: Client) -> None:
    asked = {"fromDate": "2026-01-01", "toDate": "2026-01-04"}
    users = gong.post(DAYS, json={"filter": asked}).json()["usersDetailedActivities"]
    assert [user["userId"] for user in users] == [str(BIG_ID), str(BIG_ID + 1)]
    host, lead = (user["userDailyActivityStats"] for user in users)
    assert [day["fromDate"] for day in host] == [f"2026-01-0{day}T00:00:00+00:00" for day in (1, 2, 3)]
    assert [len(day["callsAsHost"]) for day in host] == [8, 12, 12]
    assert sum(len(day["callsScorecardsFilled"]) for day in lead) == 6


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (REVIEWS, {"reviewFromDate": "2026-01-01T00:00:00Z"}),
        (REVIEWS, {"reviewToDate": "soon"}),
        (REVIEWS, {"reviewMethod": "NONE"}),
        (DAYS, {}),
        (DAYS, {"fromDate": "2026-01-01"}),
        (DAYS, {"fromDate": "2026-02-01", "toDate": "2026-01-01"}),
        (DAYS, {"fromDate": "2026-01-01", "toDate": "2999-01-01"}),
        (DAYS, {"fromDate": "2026-13-01", "toDate": "2026-14-01"}),
    ],
)
def test_dates_are_days_and_not_in_the_future(gong: Client, path: str, wanted: dict[str, Any]) -> None:
    assert gong.post(path, json={"filter": wanted}).status_code == 400


def test_settings_list_scorecards_with_questions_and_trackers_that_were_heard(gong: Client) -> None:
    [card] = gong.get("/v2/settings/scorecards").json()["scorecards"]
    assert (card["scorecardName"], [question["isOverall"] for question in card["questions"]]) == (
        "Sales call",
        [True, False],
    )
    trackers = gong.get("/v2/settings/trackers").json()["keywordTrackers"]
    assert [tracker["trackerName"] for tracker in trackers] == ["Competitor: Rivalry", "Pricing"]


def test_how_the_host_talked_is_worked_out_from_the_transcript(gong: Client) -> None:
    fields = {"interaction": {"speakers": True, "personInteractionStats": True, "questions": True}}
    body = {"filter": {"callIds": [str(BIG_ID + 1)]}, "contentSelector": {"exposedFields": fields}}
    interaction = gong.post(EXTENSIVE, json=body).json()["calls"][0]["interaction"]
    stats = {stat["name"]: stat["value"] for stat in interaction["interactionStats"]}
    assert (stats["Talk Ratio"], stats["Longest Monologue"], stats["Longest Customer Story"]) == (0.75, 3.0, 1.0)
    assert interaction["questions"] == {"companyCount": 1, "nonCompanyCount": 0}
    assert [(who["id"], who["talkTime"]) for who in interaction["speakers"]] == [("party1", 3.0), ("guest1", 1.0)]


def test_a_key_without_the_scopes_still_reads_calls_and_users(unlimited: Served, gong: Client) -> None:
    unlimited.app.faults.add("gong:missing_scope")
    try:
        assert gong.get("/v2/users").status_code == gong.get("/v2/calls").status_code == 200
        refused = gong.post("/v2/calls/transcript", json={"filter": {}})
    finally:
        unlimited.app.faults.clear()
    assert (refused.status_code, refused.json()["errors"]) == (
        401,
        ["You don't have permission to use 'api:calls:read:transcript' in your app."],
    )


def test_a_late_call_appears_six_days_before_the_end_and_a_deleted_one_is_gone() -> None:
    with served(small_company(hubspot=None, snowflake=None), limits=False) as running:
        client = gong_client(running.env)
        six_days = {"fromDateTime": "2026-06-25T00:00:00Z", "toDateTime": "2026-06-25T00:00:01Z"}
        assert client.get("/v2/calls", params=six_days).status_code == 404
        running.app.faults.add("gong:late_call")
        [late] = client.get("/v2/calls", params=six_days).json()["calls"]
        running.app.faults.add("gong:delete_call")
        assert client.get(f"/v2/calls/{late['id']}").status_code == 404
        assert client.get("/v2/calls").json()["records"]["totalRecords"] == 250


def test_transcripts_of_the_last_days_can_be_missing() -> None:
    with served(small_company(hubspot=None, snowflake=None), limits=False) as running:
        client = gong_client(running.env)
        running.app.faults.add("gong:late_transcript:161")
        body: dict[str, Any] = {"filter": {}}
        assert client.post("/v2/calls/transcript", json=body).json()["records"]["totalRecords"] < 187
        running.app.faults.clear()
        assert client.post("/v2/calls/transcript", json=body).json()["records"]["totalRecords"] == 187
