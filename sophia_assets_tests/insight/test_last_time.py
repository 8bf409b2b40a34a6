"""What changed since the reader's last briefing is told in three lines at most, from both briefings' facts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sophia_assets.insight.briefing import Briefing, build_briefing, verify_briefing
from sophia_assets.insight.last_time import (
    NOTHING_MOVED,
    LastBriefing,
    SinceLine,
    since_last_as_json,
    since_last_from_json,
    verify_since_last,
)
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.insight.serialization import briefing_as_json
from sophia_assets.insight.writing import BriefingRequest
from sophia_assets.metrics.formats import display
from sophia_assets_tests.insight.sample_facts import DAY, sample_request

Json = dict[str, Any]


@pytest.fixture
def stored() -> Json:
    """Yesterday's briefing as it was stored: today's, a day older."""
    content: Json = json.loads(json.dumps(briefing_as_json(build_briefing(sample_request(), OfflineWriter()))))
    content["date"] = (DAY - timedelta(days=1)).isoformat()
    return content


def since(stored: Json, request: BriefingRequest | None = None) -> Briefing:
    """Today's briefing for a reader of the stored one."""
    last = LastBriefing.from_json(stored)
    return build_briefing(replace(request or sample_request(), last=last), OfflineWriter())


def lines(briefing: Briefing) -> list[str]:
    assert briefing.since_last is not None
    assert verify_briefing(briefing, briefing.request.facts) == []
    return [line.text for line in briefing.since_last.lines]


def was(stored: Json, fact_id: str, value: float) -> None:
    """Changes what a fact was, and how it read."""
    fact = next(fact for fact in stored["facts"] if fact["id"] == fact_id)
    fact["value"], fact["display"] = value, display(value, fact["unit"])


def test_a_first_briefing_has_nothing_to_compare_with() -> None:
    briefing = build_briefing(sample_request(), OfflineWriter())
    assert briefing.since_last is None
    assert briefing_as_json(briefing)["since_last"] is None


def test_the_same_again_says_that_nothing_moved(stored: Json) -> None:
    briefing = since(stored)
    assert lines(briefing) == [NOTHING_MOVED]
    assert briefing.since_last is not None
    assert briefing.since_last.title == "Since your last briefing (19 March 2026)"


def test_figures_that_moved_are_told_with_what_they_were(stored: Json) -> None:
    was(stored, "bookings.qtd", 1_104_000)
    was(stored, "pipeline_value.as_of", 9_000_000)
    briefing = since(stored)
    assert lines(briefing) == [
        "Bookings so far this quarter rose from $1.10M to $1.24M and open pipeline fell from $9.00M to $8.14M."
    ]
    assert briefing.since_last is not None
    assert briefing.since_last.lines[0].fact_ids == ("bookings.qtd", "pipeline_value.as_of")


@pytest.mark.parametrize("then", [1_243_600 * 1.019, 1_243_600 * 0.999])
def test_noise_is_not_told(stored: Json, then: float) -> None:
    was(stored, "bookings.qtd", then)
    assert lines(since(stored)) == [NOTHING_MOVED]


def test_only_the_three_largest_moves_are_told(stored: Json) -> None:
    for number, fact in enumerate(fact for fact in stored["facts"] if not fact["dimensions"]):
        if not fact["period"]["key"].startswith(("month", "week")):
            was(stored, fact["id"], fact["value"] * (1.5 + number / 100))
    told = since(stored).since_last
    assert told is not None and len(told.lines[0].fact_ids) == 3


def test_another_quarter_is_not_the_same_figure(stored: Json) -> None:
    was(stored, "bookings.qtd", 3_000_000)
    fact = next(fact for fact in stored["facts"] if fact["id"] == "bookings.qtd")
    fact["period"]["start"] = "2025-10-01"
    assert lines(since(stored)) == [NOTHING_MOVED]


@pytest.mark.parametrize(
    "lie",
    [
        {"display": "$9.99M"},
        {"display": "<script>alert(1)</script>"},
        {"value": "much"},
        {"value": None},
        {"value": float("nan")},
        {"unit": "days"},
        {"period": None},
        {"value": 1e400},
    ],
)
def test_a_stored_figure_that_does_not_agree_with_itself_is_never_shown(stored: Json, lie: Json) -> None:
    was(stored, "bookings.qtd", 1_000_000)
    next(fact for fact in stored["facts"] if fact["id"] == "bookings.qtd").update(lie)
    assert lines(since(stored)) == [NOTHING_MOVED]


def test_new_stories_and_those_that_are_over_are_named(stored: Json) -> None:
    told = [story for story in stored["stories"] if story["told"]]
    over = {**told[0], "id": "account_at_risk.account.gone", "subject_name": "Lucerne <b>Publishing</b> Co."}
    stored["stories"] = [story for story in stored["stories"] if story is not told[0]] + [over]
    assert lines(since(stored)) == [
        f"New: {told[0]['subject_name']}. No longer reported: Lucerne <b>Publishing</b> Co."
    ]


def test_a_story_whose_figures_are_missing_is_not_over(stored: Json) -> None:
    gone = {story["subject_name"] for story in stored["stories"] if story["told"]}
    request = sample_request(("hubspot",))
    told = " ".join(lines(since(stored, request)))
    at_risk = {story["subject_name"] for story in stored["stories"] if story["kind"] == "account_at_risk"}
    assert at_risk <= gone and at_risk and not any(name in told for name in at_risk)


def test_systems_that_came_back_or_fell_away_are_told(stored: Json) -> None:
    for entry in stored["freshness"]:
        entry["state"] = {"gong": "stale", "linear": "off"}.get(entry["system"], entry["state"])
    request = sample_request()
    statuses = tuple(
        replace(status, state="failed") if status.system == "hubspot" else status for status in request.statuses
    )
    assert lines(since(stored, replace(request, statuses=statuses))) == [
        "HubSpot is no longer up to date, Gong is up to date again and Linear gives data now."
    ]


def test_lines_that_were_changed_do_not_stand(stored: Json) -> None:
    was(stored, "bookings.qtd", 1_104_000)
    briefing = since(stored)
    assert briefing.since_last is not None
    forged = replace(
        briefing, since_last=replace(briefing.since_last, lines=(SinceLine("Bookings rose from $1 to $9M."),))
    )
    assert verify_briefing(forged, briefing.request.facts)
    assert verify_briefing(replace(briefing, since_last=None), briefing.request.facts)
    assert not verify_since_last(
        briefing.since_last, briefing.request, briefing.cited_facts(), briefing.told_story_ids()
    )


def test_it_comes_back_from_its_json(stored: Json) -> None:
    was(stored, "bookings.qtd", 1_104_000)
    told = since(stored).since_last
    assert since_last_from_json(json.loads(json.dumps(since_last_as_json(told)))) == told
    assert since_last_from_json(None) is None


def test_a_briefing_of_a_later_day_is_not_the_last_one(stored: Json) -> None:
    stored["date"] = (DAY + timedelta(days=1)).isoformat()
    assert since(stored).since_last is None


def test_an_older_version_of_the_stored_form_is_read_as_far_as_it_goes(stored: Json) -> None:
    last = LastBriefing.from_json({"date": stored["date"]})
    assert (last.facts, last.told_story_ids, last.systems) == ({}, frozenset(), {})
