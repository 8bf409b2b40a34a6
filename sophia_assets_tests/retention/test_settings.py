"""For how long what is kept: what may be set, and what is said where it may not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sophia_assets.errors import ConfigurationError
from sophia_assets.retention.rules import RULES, rule
from sophia_assets.settings import PROJECT_ROOT
from sophia_assets.settings.retention import read_retention


def test_every_rule_has_its_default_and_may_be_set() -> None:
    assert read_retention({}).days == {each.name: each.days for each in RULES}
    assert read_retention({each.setting: str(each.least) for each in RULES}).days["runs"] == rule("runs").least


def test_no_day_counts_as_for_ever_where_that_makes_sense_and_is_refused_elsewhere() -> None:
    assert read_retention({"SOPHIA_RETENTION_AUDIT_DAYS": "0"}).days["audit"] == 0
    with pytest.raises(ConfigurationError, match="SOPHIA_RETENTION_TICKS_DAYS is '0'"):
        read_retention({"SOPHIA_RETENTION_TICKS_DAYS": "0"})


@pytest.mark.parametrize("text", ["-1", "1", "ten", "1e3", "٣٠", "30.5", "9" * 40, "\x00"])
def test_what_is_no_number_of_days_is_refused_and_named(text: str) -> None:
    with pytest.raises(ConfigurationError, match="SOPHIA_RETENTION_RUNS_DAYS is ") as refused:
        read_retention({"SOPHIA_RETENTION_RUNS_DAYS": text})
    assert "a whole number of days from 8" in str(refused.value)


def test_a_setting_that_is_no_rules_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="SOPHIA_RETENTION_RUN_DAYS is set, which is no setting"):
        read_retention({"SOPHIA_RETENTION_RUN_DAYS": "30"})


def test_a_log_is_not_kept_for_longer_than_its_run() -> None:
    assert read_retention({"SOPHIA_RETENTION_RUNS_DAYS": "10"}).days["run_logs"] == 10
    with pytest.raises(ConfigurationError, match="SOPHIA_RETENTION_RUN_LOGS_DAYS is more than"):
        read_retention({"SOPHIA_RETENTION_RUN_LOGS_DAYS": "40", "SOPHIA_RETENTION_RUNS_DAYS": "30"})


def test_the_example_of_the_settings_names_every_one_with_its_default() -> None:
    text = (Path(PROJECT_ROOT) / ".env.example").read_text(encoding="utf-8")
    found = dict(re.findall(r"^# (SOPHIA_RETENTION_\w+)=(\d+)$", text, re.MULTILINE))
    assert found == {each.setting: str(each.days) for each in RULES} | {"SOPHIA_RETENTION_HOUR": "3"}
