"""Failing checks are remembered until they hold again, and the briefing says that they fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sophia_assets.insight.briefing import build_briefing
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.insight.serialization import briefing_as_json
from sophia_assets.quality.failures import FailureLog
from sophia_assets_tests.insight.sample_facts import sample_request

SCORES = "snowflake.satisfaction.score_values_to_be_between"
KEYS = "snowflake.invoices.invoice_id_values_to_be_unique"


def test_a_check_fails_until_it_holds_and_others_are_left_alone(tmp_path: Path) -> None:
    log = FailureLog(tmp_path)
    log.record("snowflake", [SCORES, KEYS], {SCORES: "1 of 3 rows", KEYS: "2 of 9 rows"})
    log.record("snowflake", [SCORES], {})
    assert log.failing("snowflake") == {KEYS: "2 of 9 rows"}
    assert log.failing("hubspot") == {}


def test_a_briefing_on_data_that_fails_its_checks_is_less_sure_and_names_the_table() -> None:
    request = sample_request()
    statuses = tuple(
        replace(status, failed_checks=(SCORES,)) if status.system == "snowflake" else status
        for status in request.statuses
    )
    briefing = briefing_as_json(build_briefing(replace(request, statuses=statuses), OfflineWriter()))
    assert briefing["confidence"]["level"] == "moderate"
    assert "snowflake.satisfaction" in briefing["confidence"]["reason"]
    assert {"snowflake": [SCORES]}.items() <= {s["system"]: s["failed_checks"] for s in briefing["freshness"]}.items()
