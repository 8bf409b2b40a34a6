"""Settings: defaults, what is refused and how it is told, and which connection a system gets."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from sophia_assets.control.breaker import BreakerPolicy
from sophia_assets.errors import ConfigurationError, ConnectionFailed
from sophia_assets.settings import PROJECT_ROOT, load_settings
from sophia_assets.settings.breakers import breaker_settings
from sophia_assets.sources import registry
from sophia_assets_tests.environment import off_but

SANDBOX = {"HUBSPOT_BASE_URL": "http://127.0.0.1:8710/hubspot", "HUBSPOT_ACCESS_TOKEN": "sandbox", "GONG_BASE_URL": "x"}


def test_everything_has_a_default() -> None:
    settings = load_settings({})
    assert settings.base_home == PROJECT_ROOT / "var"
    assert (settings.timezone, settings.briefing_hour, settings.fiscal_year_start_month) == ("UTC", 6, 1)
    assert settings.working_days == ("MON", "TUE", "WED", "THU", "FRI")
    assert set(settings.modes.values()) == {"sandbox"}
    assert settings.uses_sandbox


def test_empty_settings_count_as_not_set() -> None:
    assert load_settings({"SOPHIA_TIMEZONE": "", "SOPHIA_SEED": "", "SOPHIA_HOME": ""}).timezone == "UTC"


def test_settings_are_read_as_people_write_them() -> None:
    settings = load_settings(
        {
            "SOPHIA_WORKING_DAYS": " sun, mon,Tue,wed , thu",
            "SOPHIA_GONG_MODE": " Off ",
            "SOPHIA_HISTORY_START": "2024-02-29",
            "SOPHIA_TIMEZONE": "America/New_York",
        }
    )
    assert settings.working_days == ("MON", "TUE", "WED", "THU", "SUN")
    assert settings.modes["gong"] == "off"
    assert settings.history_start == date(2024, 2, 29)
    assert str(settings.tzinfo) == "America/New_York"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("SOPHIA_TIMEZONE", "Mars/Base", "Use an IANA name such as Europe/Berlin"),
        ("SOPHIA_TIMEZONE", "Europe", "Use an IANA name such as Europe/Berlin"),
        ("SOPHIA_TIMEZONE", "../etc/passwd", "Use an IANA name such as Europe/Berlin"),
        ("SOPHIA_HUBSPOT_MODE", "on", "Allowed: sandbox, live, off"),
        ("SOPHIA_WORKING_DAYS", "MON,FUNDAY", "Allowed: a comma-separated list of MON, TUE"),
        ("SOPHIA_WORKING_DAYS", ",", "Allowed: a comma-separated list of MON, TUE"),
        ("SOPHIA_FISCAL_YEAR_START_MONTH", "13", "Allowed: a whole number from 1 to 12"),
        ("SOPHIA_FISCAL_YEAR_START_MONTH", "four", "Allowed: a whole number from 1 to 12"),
        ("SOPHIA_BRIEFING_HOUR", "0", "Allowed: a whole number from 1 to 23"),
        ("SOPHIA_BRIEFING_HOUR", "6.5", "Allowed: a whole number from 1 to 23"),
        ("SOPHIA_SEED", "-1", "Allowed: a whole number from 0"),
        ("SOPHIA_HISTORY_START", "01/02/2025", "Write it as YYYY-MM-DD"),
        ("SOPHIA_HISTORY_START", "2025-02-30", "Write it as YYYY-MM-DD"),
    ],
)
def test_a_bad_setting_is_told_with_its_value_and_what_is_allowed(name: str, value: str, allowed: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        load_settings({name: value})
    text = str(error.value)
    assert text.startswith(f"{name} is {value!r}")
    assert allowed in text
    assert "\n" not in text


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("SOPHIA_TIMEZONE=Europe/Berlin\nSOPHIA_SEED=7\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOPHIA_SEED", "8")
    monkeypatch.delenv("SOPHIA_TIMEZONE", raising=False)
    settings = load_settings()
    assert (settings.timezone, settings.seed) == ("Europe/Berlin", 8)


def test_secrets_are_not_in_the_settings_text() -> None:
    assert "s3cret" not in repr(load_settings({"HUBSPOT_ACCESS_TOKEN": "s3cret"}))


def test_a_sandboxed_system_is_reached_where_the_sandbox_says() -> None:
    assert load_settings({}).connection("hubspot", SANDBOX) == {
        name: SANDBOX[name] for name in ("HUBSPOT_BASE_URL", "HUBSPOT_ACCESS_TOKEN")
    }


def test_an_address_of_ones_own_wins_over_the_sandbox() -> None:
    own = {"HUBSPOT_BASE_URL": "http://127.0.0.1:9", "HUBSPOT_ACCESS_TOKEN": "mine"}
    settings = load_settings(own)
    assert settings.connection("hubspot", SANDBOX) == own
    assert settings.uses_sandbox, "the other systems still need it"


def test_a_sandboxed_system_without_a_sandbox_says_how_to_start_one() -> None:
    with pytest.raises(
        ConnectionFailed, match=r"hubspot: the sandbox is not running\. Start it with `sophia sandbox up`"
    ):
        load_settings({}).connection("hubspot", None)


def test_a_live_system_without_its_credential_names_what_is_missing() -> None:
    settings = load_settings({"SOPHIA_HUBSPOT_MODE": "live"})
    with pytest.raises(ConfigurationError, match=r"hubspot: HUBSPOT_ACCESS_TOKEN is not set\. Set it in \.env, or set"):
        settings.connection("hubspot", SANDBOX)


def test_a_system_that_is_off_is_not_reached_even_while_a_sandbox_runs() -> None:
    settings = load_settings({"SOPHIA_HUBSPOT_MODE": "off"})
    with pytest.raises(
        ConfigurationError, match=r"hubspot: the system is off\. Set SOPHIA_HUBSPOT_MODE=sandbox or live"
    ):
        settings.connection("hubspot", SANDBOX)


def test_nothing_needs_the_sandbox_where_every_system_is_live_off_or_elsewhere() -> None:
    elsewhere = off_but("hubspot", "snowflake") | {
        "SOPHIA_HUBSPOT_MODE": "live",
        "SNOWFLAKE_ACCOUNT": "a",
        "SNOWFLAKE_HOST": "h",
    }
    assert not load_settings(elsewhere).uses_sandbox


SOURCE = {
    "SOPHIA_SNOWFLAKE_MODE": "live",
    "SNOWFLAKE_ACCOUNT": "acme-main",
    "SNOWFLAKE_USER": "reader",
    "SNOWFLAKE_PRIVATE_KEY_PATH": "/keys/reader.p8",
    "SNOWFLAKE_DATABASE": "COMPANY",
    "SNOWFLAKE_WAREHOUSE": "READING",
    "SNOWFLAKE_ROLE": "READER",
}


def test_the_warehouse_is_a_file_unless_it_is_set() -> None:
    assert load_settings({}).warehouse == "duckdb"
    assert load_settings({"SOPHIA_WAREHOUSE": "Snowflake"}).warehouse == "snowflake"
    with pytest.raises(ConfigurationError, match="Allowed: duckdb, snowflake"):
        load_settings({"SOPHIA_WAREHOUSE": "bigquery"})


def test_the_warehouse_uses_the_source_s_login_but_never_its_database() -> None:
    found = load_settings({**SOURCE, "SOPHIA_WAREHOUSE_SNOWFLAKE_ROLE": "LOADER"}).snowflake_warehouse(None)

    assert (found["account"], found["user"], found["private_key_path"]) == ("acme-main", "reader", "/keys/reader.p8")
    assert (found["database"], found["warehouse"], found["role"]) == ("SOPHIA", "READING", "LOADER")


def test_a_warehouse_with_an_account_of_its_own_takes_nothing_from_the_source() -> None:
    own = {"ACCOUNT": "acme-data", "USER": "loader", "PASSWORD": "secret", "WAREHOUSE": "LOADING", "DATABASE": "DATA"}
    given = {f"SOPHIA_WAREHOUSE_SNOWFLAKE_{name}": value for name, value in own.items()}
    found = load_settings({**SOURCE, **given}).snowflake_warehouse(None)

    assert {name: value for name, value in found.items() if value} == {k.lower(): v for k, v in own.items()}


def test_a_warehouse_without_a_credential_is_refused() -> None:
    given = {"SOPHIA_WAREHOUSE_SNOWFLAKE_ACCOUNT": "acme-data", "SOPHIA_WAREHOUSE_SNOWFLAKE_USER": "loader"}
    with pytest.raises(ConfigurationError, match="SOPHIA_WAREHOUSE_SNOWFLAKE_WAREHOUSE is not set"):
        load_settings(given).snowflake_warehouse(None)


def test_a_sandboxed_warehouse_needs_the_sandbox() -> None:
    with pytest.raises(ConnectionFailed, match="sandbox is not running"):
        load_settings({"SOPHIA_WAREHOUSE": "snowflake"}).snowflake_warehouse(None)


def test_a_breaker_has_the_policy_of_all_and_what_is_its_own() -> None:
    settings = load_settings(
        {
            "SOPHIA_BREAKER_FAILURE_THRESHOLD": "3",
            "SOPHIA_BREAKER_WINDOW_SECONDS": "120",
            "SOPHIA_GONG_BREAKER_FAILURE_THRESHOLD": "7",
            "SOPHIA_GONG_BREAKER_RECOVERY_TIMEOUT_SECONDS": "0.5e1",
            "SOPHIA_OPENAI_BREAKER_FAILURE_RATIO": "0.25",
            "SOPHIA_SLACK_BREAKER_FAILURE_THRESHOLD": "",
        }
    )
    gong, slack, openai = map(settings.breaker_policy, ("gong", "slack", "openai"))
    assert (gong.failure_threshold, slack.failure_threshold) == (7, 3)
    assert (gong.window, gong.recovery_timeout) == (timedelta(minutes=2), timedelta(seconds=5))
    assert (openai.failure_ratio, slack.failure_ratio) == (0.25, BreakerPolicy().failure_ratio)


def test_every_system_and_provider_has_the_default_policy_where_nothing_is_set() -> None:
    settings = load_settings({})
    assert set(settings.breakers) == {*registry.SYSTEMS, "anthropic", "openai"}
    assert set(settings.breakers.values()) == {BreakerPolicy()}


def test_nothing_else_has_a_breaker() -> None:
    with pytest.raises(
        ConfigurationError, match=r"nothing with a circuit breaker is called 'gogn'\. Use one of gong, "
    ):
        load_settings({}).breaker_policy("gogn")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("SOPHIA_BREAKER_FAILURE_THRESHOLD", "0", "is '0'. Allowed: a whole number from 1 to 100"),
        ("SOPHIA_BREAKER_FAILURE_THRESHOLD", "2.5", "is '2.5'. Allowed: a whole number from 1 to 100"),
        ("SOPHIA_GONG_BREAKER_FAILURE_RATIO", "50%", "is '50%'. Allowed: a number from 0.01 to 1"),
        ("SOPHIA_GONG_BREAKER_FAILURE_RATIO", "nan", "is 'nan'. Allowed: a number from 0.01 to 1"),
        ("SOPHIA_BREAKER_JITTER", "1", "is '1'. Allowed: a number from 0 to 0.9"),
        ("SOPHIA_BREAKER_LEASE_SECONDS", "inf", "is 'inf'. Allowed: a number from 1 to 86400"),
        ("SOPHIA_BREAKER_RECOVERY_TIMEOUT_SECONDS", "-1", "is '-1'. Allowed: a number from 1 to 86400"),
        (
            "SOPHIA_GOGN_BREAKER_FAILURE_RATIO",
            "0.5",
            "is set, but nothing with a circuit breaker is called 'gogn'. Use",
        ),
        ("SOPHIA_BREAKER_TRESHOLD", "5", "is set, which is no setting of a circuit breaker. Its end is one of FAILURE"),
        ("SOPHIA_GONG_BREAKER_WINDOW", "5", "is set, which is no setting of a circuit breaker. Its end is one of"),
        ("SOPHIA_SENSOR_SECONDS", "0", "is '0'. Allowed: a whole number from 1 to 3600"),
        ("SOPHIA_GONG_CACHE_SECONDS", "0", "is '0'. Allowed: a whole number from 1 to 86400"),
        ("SOPHIA_CACHE_SECONDS", "60", "is set, which is no setting. Use one of SOPHIA_GONG_CACHE_SECONDS"),
    ],
)
def test_a_bad_setting_of_breakers_or_cache_is_told_in_one_line(name: str, value: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        load_settings({name: value})
    assert str(error.value).startswith(f"{name} {told}")
    assert "\n" not in str(error.value)


def test_the_longest_open_time_is_not_below_the_first() -> None:
    with pytest.raises(ConfigurationError) as error:
        load_settings({"SOPHIA_GONG_BREAKER_RECOVERY_TIMEOUT_SECONDS": "7200"})
    assert str(error.value) == (
        "SOPHIA_BREAKER_LONGEST_SECONDS is 3600. Allowed: at least SOPHIA_GONG_BREAKER_RECOVERY_TIMEOUT_SECONDS, which "
        "is 7200"
    )


def test_what_rests_on_several_systems_is_kept_as_long_as_the_shortest_allows() -> None:
    settings = load_settings({"SOPHIA_GONG_CACHE_SECONDS": "30"})
    assert settings.cache_seconds("hubspot") == registry.settings_of("hubspot").cache_seconds
    assert settings.cache_seconds("hubspot", "gong") == 30
    assert settings.cache_seconds() == 30
    with pytest.raises(ConfigurationError, match="no source is called 'gogn'"):
        settings.cache_seconds("gogn")


def test_the_stores_are_of_this_machine_unless_they_are_set() -> None:
    settings = load_settings({})
    assert (settings.control_url, settings.cache_url, settings.sensor_seconds) == (None, None, 30)
    given = load_settings({"SOPHIA_CONTROL_URL": "postgresql://a:b@db/control", "SOPHIA_CACHE_URL": "rediss://:c@r:1"})
    assert (given.control_url, given.cache_url) == ("postgresql://a:b@db/control", "rediss://:c@r:1")


@pytest.mark.parametrize("name", ["SOPHIA_CONTROL_URL", "SOPHIA_CACHE_URL"])
@pytest.mark.parametrize(
    "address", ["mysql://u:s3cret@host/db", "s3cret@host", "redis://:s3cret@host:port", "postgresql://u:s3cret@[host/d"]
)
def test_an_address_that_is_none_is_told_without_its_password(name: str, address: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{name} is no address of \w+://") as error:
        load_settings({name: address})
    assert "s3cret" not in str(error.value)


def test_no_password_of_a_store_is_in_the_settings_text() -> None:
    given = {"SOPHIA_CONTROL_URL": "postgresql://u:s3cret@db/c", "SOPHIA_CACHE_URL": "redis://:s3cret@r"}
    assert "s3cret" not in repr(load_settings(given))


class _Asked(dict[str, str]):
    """An environment that remembers which names were looked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)


def test_the_example_file_names_every_setting_that_is_read() -> None:
    asked = _Asked()
    load_settings(asked)
    text = (PROJECT_ROOT / ".env.example").read_text(encoding="utf-8")
    written = set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", text, re.MULTILINE))
    of_one_circuit = {name for name in breaker_settings() if not name.startswith("SOPHIA_BREAKER_")}
    assert asked.names - of_one_circuit <= written
    assert {name for name in written if "BREAKER" in name} <= set(breaker_settings())


def test_the_example_file_tells_the_defaults() -> None:
    text = (PROJECT_ROOT / ".env.example").read_text(encoding="utf-8")
    told = dict(
        re.findall(r"^# (SOPHIA_(?:BREAKER_\w+|SENSOR_SECONDS|[A-Z]+_CACHE_SECONDS))=(.*)$", text, re.MULTILINE)
    )
    given, default = load_settings(told), load_settings({})
    assert told
    assert (given.breakers, given.sensor_seconds) == (default.breakers, default.sensor_seconds)
    assert given.cache_lifetimes == default.cache_lifetimes
