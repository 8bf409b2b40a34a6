"""Settings from Pulumi ESC: what is taken, who wins, and what is told where it cannot be read."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from sophia_assets.cli import main
from sophia_assets.errors import ConfigurationError
from sophia_assets.settings import PROJECT_ROOT, load_settings
from sophia_assets.settings.esc import EscEnvironment, fetch
from sophia_assets_tests.environment import default_settings
from sophia_assets_tests.home.esc_service import ENVIRONMENT, TOKEN, EscService, running_esc

SECRET = "canary-0815-secret"
HELD = {
    "SOPHIA_HUBSPOT_MODE": "live",
    "HUBSPOT_ACCESS_TOKEN": SECRET,
    "SOPHIA_TIMEZONE": "Europe/Berlin",
    "SOPHIA_SEED": 7,
    "SOPHIA_GONG_BREAKER_FAILURE_RATIO": 0.25,
    "ANTHROPIC_API_KEY": SECRET,
    "PATH": "/nowhere",
    "PULUMI_ACCESS_TOKEN": "another",
    "SOPHIA_ESC_ENVIRONMENT": "acme/other/one",
    "SOPHIA_COMPANY_NAME": None,
}


@pytest.fixture
def esc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EscService]:
    """The service, and settings that name an environment of it."""
    service = EscService(dict(HELD), secrets=("HUBSPOT_ACCESS_TOKEN", "ANTHROPIC_API_KEY"))
    with running_esc(service), default_settings(tmp_path):
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("SOPHIA_ESC_ENVIRONMENT", ENVIRONMENT)
        monkeypatch.setenv("PULUMI_ACCESS_TOKEN", TOKEN)
        monkeypatch.setenv("PULUMI_BACKEND_URL", service.url)
        yield service


def test_settings_are_taken_from_the_environment_s_variables(esc: EscService) -> None:
    settings = load_settings()
    assert (settings.modes["hubspot"], settings.timezone, settings.seed) == ("live", "Europe/Berlin", 7)
    assert settings.connection("hubspot", None) == {"HUBSPOT_ACCESS_TOKEN": SECRET}
    assert settings.breaker_policy("gong").failure_ratio == 0.25


def test_what_is_no_setting_of_ours_is_left_alone(esc: EscService) -> None:
    path = os.environ["PATH"]
    environment = load_settings().environment
    assert (environment["PATH"], environment["PULUMI_ACCESS_TOKEN"]) == (path, TOKEN)
    assert environment["SOPHIA_ESC_ENVIRONMENT"] == ENVIRONMENT
    assert "SOPHIA_COMPANY_NAME" not in environment
    assert "HUBSPOT_ACCESS_TOKEN" not in os.environ


def test_the_environment_wins_over_the_file_and_the_file_over_esc(
    esc: EscService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("SOPHIA_SEED=8\nSOPHIA_TIMEZONE=Asia/Tokyo\nHUBSPOT_ACCESS_TOKEN=\n")
    monkeypatch.setenv("SOPHIA_SEED", "9")
    settings = load_settings()
    assert (settings.seed, settings.timezone) == (9, "Asia/Tokyo")
    assert settings.connection("hubspot", None) == {"HUBSPOT_ACCESS_TOKEN": SECRET}, "empty counts as not set"


def test_the_values_are_fetched_once_per_process(esc: EscService) -> None:
    load_settings()
    load_settings()
    opening = f"/api/esc/environments/{ENVIRONMENT}/open"
    assert esc.requests == [f"POST {opening}", f"GET {opening}/session-1"]


def test_a_failure_is_not_remembered(esc: EscService) -> None:
    esc.troubles = [403]
    with pytest.raises(ConfigurationError):
        load_settings()
    assert load_settings().seed == 7


def test_settings_that_are_given_are_all_there_is(esc: EscService) -> None:
    assert load_settings({"SOPHIA_ESC_ENVIRONMENT": ENVIRONMENT, "PULUMI_ACCESS_TOKEN": TOKEN}).seed == 42
    assert not esc.requests


@pytest.mark.parametrize("trouble", [429, 500, 503, "torn", "strange"])
def test_a_failure_that_passes_is_waited_for(esc: EscService, trouble: int | str) -> None:
    esc.troubles = [trouble]
    assert load_settings().seed == 7


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (401, "the access token is refused (HTTP 401). Set PULUMI_ACCESS_TOKEN to a valid one"),
        (403, "the access token may not open it (HTTP 403). Grant its owner to open acme/sophia/production"),
        (404, "there is no such environment, or the token may not see it (HTTP 404). Check its name"),
        (400, "it cannot be evaluated (HTTP 400). `esc open acme/sophia/production` says where"),
        (302, "HTTP 302. Try again; to run on the environment and .env alone, unset SOPHIA_ESC_ENVIRONMENT"),
    ],
)
def test_a_refusal_is_told_in_one_line_and_not_repeated(esc: EscService, trouble: int, told: str) -> None:
    esc.troubles = [trouble]
    with pytest.raises(ConfigurationError) as error:
        load_settings()
    assert str(error.value) == f"the settings cannot be read from Pulumi ESC {ENVIRONMENT}: {told}"
    assert len(esc.requests) == 1


def test_a_wrong_token_and_an_unknown_environment_are_refused_by_the_service(
    esc: EscService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOPHIA_ESC_ENVIRONMENT", "acme/sophia/staging")
    with pytest.raises(ConfigurationError, match="HTTP 404"):
        load_settings()
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "pul-wrong")
    with pytest.raises(ConfigurationError, match="HTTP 401"):
        load_settings()


@pytest.mark.parametrize("trouble", ["hang", "drip"])
def test_a_service_that_does_not_end_its_answer_is_given_up(esc: EscService, trouble: str) -> None:
    esc.troubles = [trouble] * 10
    with pytest.raises(ConfigurationError, match=r"no answer within 0\.3 s|it does not answer"):
        fetch(EscEnvironment(ENVIRONMENT, TOKEN, esc.url), patience_s=0.3)


@pytest.mark.parametrize("trouble", ["hang", "drip"])
def test_a_process_ends_in_order_while_the_service_still_answers(esc: EscService, trouble: str) -> None:
    esc.troubles = [trouble] * 10
    code = "from sophia_assets.settings.esc import *\n"
    code += f"try: fetch(EscEnvironment({ENVIRONMENT!r}, {TOKEN!r}, {esc.url!r}), patience_s=0.3)\n"
    code += "except ConfigurationError: raise SystemExit(2)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT).returncode == 2


def test_a_service_that_is_down_does_not_lead_to_the_sandbox() -> None:
    with running_esc(EscService({})) as gone:
        pass
    with pytest.raises(ConfigurationError, match=r"it does not answer\. Try again; .* unset SOPHIA_ESC_ENVIRONMENT"):
        fetch(EscEnvironment(ENVIRONMENT, TOKEN, gone.url), patience_s=1.0)


@pytest.mark.parametrize("held", [{}, {"PATH": "/bin"}])
def test_an_environment_without_a_setting_of_ours_is_a_mistake(esc: EscService, held: dict[str, str]) -> None:
    esc.variables = held
    esc.has_variables = bool(held)
    with pytest.raises(ConfigurationError, match="its environmentVariables hold no setting of this platform"):
        load_settings()


@pytest.mark.parametrize("value", [["a"], {"value": {"a": 1}}, {"value": "[unknown]", "unknown": True}])
def test_a_value_that_is_no_text_is_told_by_its_name_alone(esc: EscService, value: object) -> None:
    esc.variables["SOPHIA_WORKING_DAYS"] = value
    with pytest.raises(ConfigurationError, match="SOPHIA_WORKING_DAYS has no value, or one that is not a text"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("SOPHIA_ESC_ENVIRONMENT", "production", "SOPHIA_ESC_ENVIRONMENT is 'production'. Write it as organisation/"),
        ("SOPHIA_ESC_ENVIRONMENT", "acme/../production", "Write it as organisation/project/environment"),
        ("PULUMI_ACCESS_TOKEN", "", "PULUMI_ACCESS_TOKEN is not set. Set it to a token that may open acme/"),
        ("PULUMI_ACCESS_TOKEN", f"{SECRET}\r\nX: y", "PULUMI_ACCESS_TOKEN is not a token"),
        ("PULUMI_BACKEND_URL", "http://esc.example.com", "would send the token in plain text"),
        ("PULUMI_BACKEND_URL", "esc.example.com", "or is no address. Allowed: https://"),
    ],
)
def test_a_wrong_way_in_is_refused_before_anything_is_sent(
    esc: EscService, monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as error:
        load_settings()
    assert told in str(error.value)
    assert SECRET not in str(error.value)
    assert not esc.requests


def test_the_command_line_says_it_in_one_line_and_exits_with_2(esc: EscService) -> None:
    esc.troubles = [404]
    result = CliRunner().invoke(main, ["briefing", "show"])
    assert result.exit_code == 2
    assert result.output.count("\n") == 1
    assert "the settings cannot be read from Pulumi ESC acme/sophia/production" in result.output


@pytest.mark.parametrize("trouble", [None, 401, 404, 500, "strange", "torn"])
def test_no_secret_is_told_or_logged(
    esc: EscService, trouble: int | str | None, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    esc.troubles = [trouble] * 4 if trouble else []
    try:
        told = repr(load_settings() if trouble is None else fetch(EscEnvironment(ENVIRONMENT, TOKEN, esc.url), 0.2))
    except ConfigurationError as error:
        told = f"{error!r} {error} {error.__context__!r} {error.__cause__!r}"
    seen = "".join((told, caplog.text, *capfd.readouterr(), repr(EscEnvironment("a/b/c", TOKEN))))
    assert TOKEN not in seen
    assert SECRET not in seen


def test_a_library_that_is_missing_is_told(esc: EscService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pulumi_esc_sdk", None)
    with pytest.raises(ConfigurationError, match=r"pulumi-esc-sdk is not installed\. Install sophia-assets\[esc\]"):
        load_settings()


def test_its_library_is_imported_only_where_an_environment_is_named() -> None:
    code = "import sys; from sophia_assets.settings import load_settings; load_settings(); "
    code += "print('pulumi_esc_sdk' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT_ROOT)
    assert done.stdout.strip() == "False"
