"""Homes: which one a company gets, which one readers see, and what a home remembers."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from sophia_assets.errors import ConfigurationError
from sophia_assets.home import CompanyIdentity, Home, current_home, home_for, make_current
from sophia_assets.settings import Settings, load_settings

SEED_42 = CompanyIdentity("simulated", seed=42)
SEED_7 = CompanyIdentity("simulated", seed=7)
EXPORTS = CompanyIdentity("exports", data_dir="/data/Our CRM")
LIVE = CompanyIdentity("live", name="Acme")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"SOPHIA_HOME": str(tmp_path / "var")})


def hold(home: Home, identity: CompanyIdentity) -> None:
    home.prepare()
    home.record_company(identity)


def test_the_first_company_gets_the_base_home(settings: Settings) -> None:
    assert home_for(settings, SEED_7).path == settings.base_home


def test_the_company_that_the_base_home_holds_stays_there(settings: Settings) -> None:
    hold(Home(settings.base_home), dataclasses.replace(SEED_42, start="2025-01-01", name="Northwind"))
    assert home_for(settings, SEED_42).path == settings.base_home


@pytest.mark.parametrize("other", [SEED_7, EXPORTS, LIVE])
def test_another_company_gets_a_home_of_its_own(settings: Settings, other: CompanyIdentity) -> None:
    hold(Home(settings.base_home), SEED_42)
    assert home_for(settings, other).path == settings.base_home / "companies" / other.key


def test_two_export_folders_of_the_same_name_get_different_homes() -> None:
    here, there = (CompanyIdentity("exports", data_dir=f"/{place}/crm") for place in ("here", "there"))
    assert here.key != there.key
    assert here.key.startswith("crm-") and there.key.startswith("crm-")
    assert EXPORTS.key.startswith("our-crm-")


def test_the_current_home_is_the_base_home_before_any_run(settings: Settings) -> None:
    assert current_home(settings).path == settings.base_home


def test_the_current_home_is_the_one_that_was_last_run(settings: Settings) -> None:
    hold(Home(settings.base_home), SEED_42)
    other = home_for(settings, SEED_7)
    hold(other, SEED_7)
    make_current(settings, other)
    assert current_home(settings).path == other.path
    make_current(settings, Home(settings.base_home))
    assert current_home(settings).path == settings.base_home


def test_a_base_home_that_was_moved_still_finds_its_current_home(settings: Settings, tmp_path: Path) -> None:
    other = Home(settings.base_home / "companies" / SEED_7.key)
    hold(other, SEED_7)
    make_current(settings, other)
    settings.base_home.rename(tmp_path / "moved")
    moved = dataclasses.replace(settings, base_home=tmp_path / "moved")
    assert current_home(moved).path == tmp_path / "moved" / "companies" / SEED_7.key


@pytest.mark.parametrize("torn", ["", "{", "[]", '{"home": "companies/gone"}'])
def test_a_torn_pointer_or_a_home_that_is_gone_leads_to_the_base_home(settings: Settings, torn: str) -> None:
    settings.base_home.mkdir()
    (settings.base_home / "current.json").write_text(torn)
    assert current_home(settings).path == settings.base_home


def test_a_company_is_remembered_as_it_was_recorded(settings: Settings) -> None:
    home = Home(settings.base_home)
    whole = CompanyIdentity(
        "exports",
        data_dir="/data/Our CRM",
        name="Ünïted",
        first_day="2016-10-20",
        last_day="2017-12-31",
        off=("gong", "snowflake"),
    )
    for identity in (whole, SEED_42, LIVE):
        hold(home, identity)
        assert home.company() == identity
    assert [path.name for path in home.path.iterdir() if path.name.startswith(".")] == []


def test_a_home_without_a_company_file_holds_none(settings: Settings) -> None:
    assert Home(settings.base_home).company() is None


def test_history_starts_at_the_setting_then_at_the_companys_first_day(settings: Settings) -> None:
    home = Home(settings.base_home)
    assert home.history_start(settings) == date(2025, 1, 1)
    hold(home, dataclasses.replace(SEED_42, first_day="2024-05-01"))
    assert home.history_start(settings) == date(2024, 5, 1)
    given = load_settings({"SOPHIA_HOME": str(settings.base_home), "SOPHIA_HISTORY_START": "2024-07-01"})
    assert home.history_start(given) == date(2024, 7, 1)


def test_a_sandbox_is_announced_only_while_its_process_runs(settings: Settings) -> None:
    home = Home(settings.base_home)
    home.prepare()
    assert home.sandbox_env() is None
    announced = {"env": {"HUBSPOT_BASE_URL": "http://127.0.0.1:1"}, "pid": os.getpid()}
    home.sandbox_file.write_text(json.dumps(announced))
    assert home.sandbox_env() == announced["env"]
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    home.sandbox_file.write_text(json.dumps({**announced, "pid": ended.pid}))
    assert home.sandbox_env() is None


def test_a_home_that_is_a_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "var"):
        with pytest.raises(ConfigurationError) as error:
            Home(path).prepare()
        assert f"{path} cannot be used as SOPHIA_HOME" in str(error.value)
        assert "Set SOPHIA_HOME to a folder that can be written" in str(error.value)


def test_a_home_that_exists_and_cannot_be_written_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    Home(settings.base_home).prepare()
    # The tests may run as a user who may write everywhere, so the answer of the operating system is set.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(ConfigurationError, match="cannot be used as SOPHIA_HOME: Permission denied"):
        Home(settings.base_home).prepare()


def test_another_business_time_zone_makes_another_company_since_its_moments_are_others(settings: Settings) -> None:
    hold(Home(settings.base_home), dataclasses.replace(SEED_42, timezone="UTC"))
    elsewhere = dataclasses.replace(SEED_42, timezone="America/Los_Angeles")
    assert home_for(settings, elsewhere).path.name == "seed-42-america-los-angeles"


def test_a_live_system_beside_simulated_ones_gets_a_home_of_its_own(settings: Settings) -> None:
    hold(Home(settings.base_home), SEED_42)
    mixed = dataclasses.replace(SEED_42, live=("hubspot",))
    assert home_for(settings, mixed).path.name == "seed-42-with-live-hubspot"
