"""What cannot be done is told in one line that says what, where and what to do, and leaves the data as it was."""

from __future__ import annotations

import fcntl
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from sophia_assets.home import CompanyIdentity
from sophia_assets_tests.command_line.commands import Sophia, contents, refused
from sophia_assets_tests.environment import off_but

TODAY = datetime.now(UTC).date()
TOMORROW = TODAY + timedelta(days=1)


@contextmanager
def taken_port() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield str(listener.getsockname()[1])


@pytest.mark.parametrize("text", ["yesterday", "2026-02-30", "31.12.2025", ""])
def test_what_is_not_a_date_is_told_with_an_example(sophia: Sophia, text: str) -> None:
    for command in (["run"], ["briefing", "show"]):
        line = refused(sophia(*command, "--date", text), 2, "--date is", "Write it as YYYY-MM-DD")
        assert repr(text) in line
    assert not sophia.base_home.exists()


@pytest.mark.parametrize("day", [TODAY, TOMORROW, date(2999, 1, 1)])
def test_a_day_that_is_not_over_is_refused_with_the_last_complete_one(sophia: Sophia, day: date) -> None:
    home = sophia.hold()
    before = contents(home.path)
    last = TODAY - timedelta(days=1)
    refused(sophia("run", "--date", str(day)), 2, f"{day} is not over yet", f"The last complete day is {last}")
    assert contents(home.path) == before


def test_a_day_before_the_company_existed_is_refused_with_its_first_day(sophia: Sophia) -> None:
    home = sophia.hold()
    before = contents(home.path)
    refused(
        sophia("run", "--date", "2025-12-31"),
        2,
        "2025-12-31 lies before 2026-01-01, the company's first day",
        "Choose a date from 2026-01-01 on",
    )
    assert contents(home.path) == before


def test_a_day_before_any_company_can_be_simulated_is_refused(sophia: Sophia) -> None:
    refused(sophia("run", "--date", "0001-01-01", "--days", "40"), 2, "0001-01-01 lies before 1970-01-01")
    refused(sophia("run", "--date", "0001-01-01"), 2, "Choose a date from 1970-01-01 on")


def test_a_day_before_the_set_history_is_refused(sophia: Sophia) -> None:
    live = off_but("hubspot") | {"SOPHIA_HUBSPOT_MODE": "live"}
    line = refused(
        sophia("run", "--date", "2026-01-01", **live, SOPHIA_HISTORY_START="2026-01-02"), 2, "SOPHIA_HISTORY_START"
    )
    assert "2026-01-01 lies before 2026-01-02" in line
    assert not (sophia.base_home / "company.json").exists()


def test_a_second_run_at_the_same_time_is_refused_with_the_process_of_the_first(sophia: Sophia) -> None:
    home = sophia.hold()
    before = contents(home.path)
    with home.run_lock.open("w") as lock:
        lock.write("4242")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused(sophia("run"), 1, f"another run (process 4242) is working in {home.path}", "SOPHIA_HOME of its own")
    assert contents(home.path) == before


def test_two_companies_in_one_command_are_refused(sophia: Sophia, tmp_path: Path) -> None:
    refused(sophia("run", "--seed", "7", "--data", str(tmp_path)), 2, "--seed and --data name two different companies")
    assert not sophia.base_home.exists()


def test_exports_that_are_no_folder_are_refused(sophia: Sophia, tmp_path: Path) -> None:
    (tmp_path / "file.csv").write_text("a\n1\n")
    for path in (tmp_path / "missing", tmp_path / "file.csv"):
        refused(sophia("run", "--data", str(path)), 2, f"{path} is not a folder", "Give --data a folder of exports")
    assert not sophia.base_home.exists()


def test_an_empty_folder_of_exports_is_refused_before_anything_is_read(sophia: Sophia, tmp_path: Path) -> None:
    home = sophia.hold()
    before = contents(home.path)
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(sophia("run", "--data", str(empty)), 2, str(empty))
    after = contents(home.path)
    assert {name: after[name] for name in before} == before
    assert not any(name.endswith(("current.json", "warehouse.duckdb")) for name in after)


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("SOPHIA_TIMEZONE", "Mars/Base", "SOPHIA_TIMEZONE is 'Mars/Base', which is not a time zone. Use an IANA name"),
        ("SOPHIA_TIMEZONE", "Europe", "SOPHIA_TIMEZONE is 'Europe', which is not a time zone"),
        ("SOPHIA_GONG_MODE", "simulated", "SOPHIA_GONG_MODE is 'simulated'. Allowed: sandbox, live, off"),
    ],
)
@pytest.mark.parametrize("command", [["run"], ["briefing", "show"], ["sandbox", "truth"], ["sandbox", "up"], ["ui"]])
def test_a_bad_setting_stops_every_command(
    sophia: Sophia, command: list[str], setting: str, value: str, told: str
) -> None:
    refused(sophia(*command, **{setting: value}), 2, told)
    assert not sophia.base_home.exists()


def test_a_home_that_cannot_be_written_is_refused(sophia: Sophia, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for command in (["run"], ["sandbox", "up"], ["ui", "--port", "4999"]):
        refused(
            sophia(*command, SOPHIA_HOME=str(tmp_path / "file" / "var")),
            2,
            f"{tmp_path}/file/var cannot be used as SOPHIA_HOME",
            "Set SOPHIA_HOME to a folder that can be written",
        )


def test_a_run_with_every_system_off_is_refused(sophia: Sophia) -> None:
    refused(
        sophia("run", **off_but()), 2, "every system is off", "Set at least one SOPHIA_<SYSTEM>_MODE to sandbox or live"
    )
    assert not sophia.base_home.exists()


def test_a_company_of_the_sandbox_cannot_be_chosen_for_live_systems(sophia: Sophia, tmp_path: Path) -> None:
    live = off_but("hubspot") | {"SOPHIA_HUBSPOT_MODE": "live"}
    for options in (["--seed", "7"], ["--data", str(tmp_path)]):
        refused(sophia("run", *options, **live), 2, "no system is read from the sandbox")


def test_a_warehouse_file_that_is_none_is_refused_and_left_as_it_is(sophia: Sophia, tmp_path: Path) -> None:
    live = off_but("hubspot") | {"SOPHIA_HUBSPOT_MODE": "live"}
    home = sophia.hold(CompanyIdentity("live"))
    home.warehouse_file.write_text("no database\n" * 1000)
    before = contents(home.path)
    refused(sophia("run", **live), 2, "warehouse.duckdb cannot be opened as a DuckDB file", "move")
    assert contents(home.path) == before


def test_showing_a_briefing_where_none_was_written_says_how_to_write_one(sophia: Sophia) -> None:
    refused(sophia("briefing", "show"), 6, "no briefing has been written yet. Run `sophia run` to write one")
    refused(sophia("briefing", "show", "--json", "--date", "2026-03-01"), 6, "Run `sophia run`")
    assert not sophia.base_home.exists()


def test_showing_the_briefing_of_an_unknown_day_names_the_newest(sophia: Sophia) -> None:
    sophia.with_briefing("2026-03-31")
    refused(
        sophia("briefing", "show", "--date", "2026-03-30"),
        6,
        "there is no briefing for 2026-03-30. Run `sophia run --date 2026-03-30` to write it",
        "the newest is of 2026-03-31",
    )
    assert sophia("briefing", "show").stdout == "# Briefing of 2026-03-31\n\n"


def test_a_taken_port_is_told_with_what_to_do(sophia: Sophia) -> None:
    with taken_port() as port:
        refused(sophia("sandbox", "up", "--port", port), 3, f"port {port} on 127.0.0.1 is in use", "--port")
        refused(sophia("ui", "--port", port), 3, f"port {port}, which Dagster's UI needs, is taken", "make ui PORT=")
    assert not (sophia.base_home / "sandbox.json").exists()


def test_a_host_that_is_not_ours_is_not_called_a_taken_port(sophia: Sophia) -> None:
    refused(sophia("ui", "--host", "192.0.2.1"), 2, "cannot listen on 192.0.2.1 port 3000", "Choose another --host")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--fault", "hubspot:earthquake"], "earthquake"),
        (["--as-of", "2999-01-01"], "2999-01-01 lies in the future"),
        (
            ["--start", "2026-03-01", "--as-of", "2026-02-01"],
            "the company would start on 2026-03-01, after its last day",
        ),
        (["--data", "missing"], "missing is not a folder"),
    ],
)
def test_a_sandbox_that_cannot_be_is_refused(sophia: Sophia, options: list[str], told: str) -> None:
    refused(sophia("sandbox", "up", "--port", "0", *options), 2, told)


def test_the_truth_of_a_company_that_cannot_be_is_refused(sophia: Sophia) -> None:
    refused(sophia("sandbox", "truth", "--start", "2026-03-01", "--as-of", "2026-02-01"), 2, "2026-03-01", "2026-02-01")
