"""Failing checks are remembered until they hold again, and the briefing says that they fail."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

from sophia_assets.insight.briefing import build_briefing, verify_briefing
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.insight.serialization import briefing_as_json
from sophia_assets.quality.failures import FailureLog
from sophia_assets.quality.outcomes import Outcome
from sophia_assets_tests.insight.sample_facts import sample_request

TABLE = "snowflake.satisfaction"
SCORES = f"{TABLE}.score_values_to_be_between"


def outcome(
    name: str, *, passed: bool = False, severity: str = "error", guards: bool = True, errored: bool = False
) -> Outcome:
    return Outcome(name, passed, severity, "expected", f"{name} observed", errored=errored, guards_downstream=guards)


def test_a_check_fails_until_it_holds_and_others_are_left_alone(tmp_path: Path) -> None:
    log = FailureLog(tmp_path)
    log.record(TABLE, "first", [outcome("scores"), outcome("keys")])
    log.record(TABLE, "second", [outcome("scores", passed=True)])
    assert log.failing("snowflake") == {f"{TABLE}.keys": "keys observed"}
    assert log.verdict(TABLE).holding_back == {"keys"}
    assert log.failing("hubspot") == {}


def test_only_broken_rules_about_the_rows_hold_a_table_back(tmp_path: Path) -> None:
    log = FailureLog(tmp_path)
    found = [
        outcome("broken"),
        outcome("warned", severity="warn"),
        outcome("refused by the loader", guards=False),
        outcome("not made", errored=True),
        outcome("met", passed=True),
    ]
    log.record(TABLE, "load", found)
    assert log.verdict(TABLE).holding_back == {"broken"}
    assert set(log.verdict(TABLE).failing) == {"broken", "refused by the loader", "not made"}


def test_a_verdict_is_final_only_for_the_load_and_the_checks_that_it_saw(tmp_path: Path) -> None:
    log = FailureLog(tmp_path)
    log.record(TABLE, "first", [outcome("scores", passed=True)])
    log.record(TABLE, "first", [outcome("keys", passed=True)])
    assert log.verdict(TABLE).is_final("first", {"scores", "keys"})
    assert not log.verdict(TABLE).is_final("first", {"scores", "volume"})
    assert not log.verdict(TABLE).is_final("second", {"scores"})
    log.record(TABLE, "second", [outcome("keys", passed=True)])
    assert not log.verdict(TABLE).is_final("second", {"scores", "keys"}), "scores were checked on the first load only"


def test_a_briefing_on_data_that_fails_its_checks_is_less_sure_and_names_the_table() -> None:
    request = sample_request()
    statuses = tuple(
        replace(status, failed_checks=(SCORES,)) if status.system == "snowflake" else status
        for status in request.statuses
    )
    briefing = briefing_as_json(build_briefing(replace(request, statuses=statuses), OfflineWriter()))
    assert briefing["confidence"]["level"] == "moderate"
    assert TABLE in briefing["confidence"]["reason"]
    assert {"snowflake": [SCORES]}.items() <= {s["system"]: s["failed_checks"] for s in briefing["freshness"]}.items()


def test_a_briefing_says_which_figures_reach_less_far_because_data_is_held_back() -> None:
    request = sample_request()
    held = {"snowflake.invoices": date(2026, 3, 4), "snowflake.satisfaction": None}
    statuses = tuple(
        replace(status, held_back=held) if status.system == "snowflake" else status for status in request.statuses
    )
    request = replace(request, statuses=statuses)
    briefing = build_briefing(request, OfflineWriter())
    told = next(sentence.text for sentence in briefing.sentences() if "did not pass the checks" in sentence.text)
    assert "satisfaction did not pass the checks, so figures that rest on that are left out." in told
    assert "invoices did not pass the checks, so figures that rest on that reach to" in told
    assert verify_briefing(briefing, request.facts) == []
    assert "snowflake.invoices and snowflake.satisfaction" in briefing.confidence.reason
