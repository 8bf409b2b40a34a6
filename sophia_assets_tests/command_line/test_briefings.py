"""`sophia briefing`: shows each edition, verifies what is stored, and says in one line what is not there."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sophia_assets.control.published import Register
from sophia_assets.control.store import ControlStore
from sophia_assets.insight.archive import BriefingArchive
from sophia_assets.insight.briefing import build_briefing
from sophia_assets.insight.evidence import manifest_of, seal_digest
from sophia_assets.insight.kinds import DAILY, WEEKLY, BriefingKind
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets_tests.command_line.commands import Sophia, refused
from sophia_assets_tests.insight.sample_facts import DAY, sample_request

SUNDAY = WEEKLY.last_day(DAY)


def write(sophia: Sophia, *editions: tuple[BriefingKind, str]) -> BriefingArchive:
    """A home with these editions of a day's and a week's briefing."""
    archive = BriefingArchive(sophia.hold().briefings)
    for kind, role in editions:
        request = replace(sample_request(), kind=kind, role=role, date=SUNDAY if kind is WEEKLY else DAY)
        archive.write(build_briefing(request, OfflineWriter()))
    return archive


def test_each_edition_is_shown_to_whoever_asks_as_its_role(sophia: Sophia) -> None:
    write(sophia, (DAILY, "executive"), (DAILY, "executive"), (WEEKLY, "executive"))
    day = json.loads(sophia("briefing", "show", "--json").stdout)
    week = json.loads(sophia("briefing", "show", "--weekly", "--json").stdout)
    assert (day["kind"], day["role"], day["date"]) == ("daily_briefing", "executive", "2026-03-20")
    assert (week["kind"], week["covers"]) == ("weekly_business_review", "Week of 16 to 22 March 2026")
    text = sophia("briefing", "show", "--weekly").stdout
    assert "weekly business review" in text and "Week of 16 to 22 March 2026" in text


def test_any_day_of_a_week_names_its_review(sophia: Sophia) -> None:
    write(sophia, (WEEKLY, "executive"))
    for back in range(7):
        day = str(SUNDAY - timedelta(days=back))
        found = json.loads(sophia("briefing", "show", "--weekly", "--date", day, "--json").stdout)
        assert found["date"] == str(SUNDAY)
    refused(sophia("briefing", "show", "--weekly", "--date", str(SUNDAY + timedelta(days=1))), 6, "no weekly review")


@pytest.mark.parametrize("command", ["show", "verify"])
def test_an_unknown_role_is_refused_with_those_that_there_are(sophia: Sophia, command: str) -> None:
    write(sophia, (DAILY, "executive"))
    for role in ("board", "", "../executive", "Executive"):
        refused(sophia("briefing", command, "--as", role), 2, f"there is no role {role!r}", "Use one of executive")


def test_an_edition_that_was_not_written_says_how_it_comes_to_be(sophia: Sophia) -> None:
    write(sophia, (DAILY, "executive"))
    refused(
        sophia("briefing", "show", "--as", "auditor", "--date", str(DAY)),
        6,
        f"the briefing of {DAY} was not written for auditor. Add auditor to SOPHIA_EDITIONS and run `sophia run",
    )
    refused(sophia("briefing", "show", "--as", "auditor"), 6, "no briefing has been written for auditor")
    refused(sophia("briefing", "show", "--weekly"), 6, "no weekly review has been written yet", "for a Sunday")


def test_stored_briefings_are_verified_one_or_all(sophia: Sophia) -> None:
    write(sophia, (DAILY, "executive"), (WEEKLY, "executive"))
    one = sophia("briefing", "verify")
    assert one.exit_code == 0
    assert one.stdout.splitlines()[0].startswith("2026-03-20 daily_briefing executive: ")
    assert one.stdout.splitlines()[-1] == "1 of 1 briefings verified, 0 do not stand"
    everything = json.loads(sophia("briefing", "verify", "--all", "--json").stdout)
    assert [(each["date"], each["kind"], each["state"]) for each in everything] == [
        ("2026-03-20", "daily_briefing", "verified"),
        ("2026-03-22", "weekly_business_review", "verified"),
    ]
    assert len(json.loads(sophia("briefing", "verify", "--all", "--weekly", "--json").stdout)) == 1


def test_a_briefing_that_was_tampered_with_is_told_line_by_line_with_exit_code_1(sophia: Sophia) -> None:
    archive = write(sophia, (DAILY, "executive"), (WEEKLY, "executive"))
    path = archive.files(DAY).markdown
    path.write_text(path.read_text().replace("down", "up", 1))
    result = sophia("briefing", "verify", "--all")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert "2026-03-20 daily_briefing executive: briefing.md: it is not as it was written" in lines
    assert lines[-1] == "1 of 2 briefings verified, 1 do not stand"


def test_a_sealed_briefing_whose_json_is_gone_is_not_overlooked(sophia: Sophia) -> None:
    archive = write(sophia, (DAILY, "executive"), (WEEKLY, "executive"))
    archive.files(DAY).json.unlink()
    result = sophia("briefing", "verify", "--all")
    assert result.exit_code == 1 and "briefing.json: it is not there" in result.stdout


def test_an_old_briefing_is_told_as_one_that_cannot_be_verified(sophia: Sophia) -> None:
    sophia.with_briefing("2026-03-31")
    result = sophia("briefing", "verify")
    assert result.exit_code == 0
    assert "written before evidence was kept" in result.stdout
    assert result.stdout.splitlines()[-1] == "0 of 1 briefings verified, 0 do not stand, 1 cannot be verified"


def test_verifying_where_nothing_was_written_says_how_to_write_one(sophia: Sophia) -> None:
    for options in ([], ["--all"], ["--weekly"], ["--as", "analyst"]):
        refused(sophia("briefing", "verify", *options), 6, "has been written yet")
    refused(sophia("briefing", "verify", "--all", "--date", "2026-03-20"), 2, "--all and --date exclude each other")


def test_a_folder_that_is_no_day_is_no_briefing(sophia: Sophia) -> None:
    archive = write(sophia, (DAILY, "executive"))
    for name in ("2026-99-99", "notes", "weekly"):
        folder = Path(archive.files(DAY).folder.parent, name)
        folder.mkdir(exist_ok=True)
        (folder / "briefing.json").write_text("{}")
    assert archive.days() == [DAY] and archive.days(WEEKLY) == []
    assert sophia("briefing", "verify", "--all").exit_code == 0


@pytest.mark.parametrize("given", ["board", "executive,board", "executive;analyst"])
def test_editions_for_an_unknown_role_are_refused(sophia: Sophia, given: str) -> None:
    refused(sophia("briefing", "show", SOPHIA_EDITIONS=given), 2, "SOPHIA_EDITIONS names", "which is no role")


def test_a_briefing_is_held_against_the_register_where_it_was_entered(sophia: Sophia) -> None:
    archive = write(sophia, (DAILY, "executive"))
    first = sophia("briefing", "verify")
    assert first.exit_code == 0 and "not in the register" in first.stdout
    assert not (sophia.base_home / "control.db").exists(), "verifying makes no store"
    files = archive.files(DAY)
    register = Register(ControlStore.at(sophia.base_home / "control.db"))
    register.enter(DAILY.key, DAY, "executive", seal_digest(files.manifest.read_bytes()))
    second = sophia("briefing", "verify")
    assert second.exit_code == 0 and "register" not in second.stdout
    content = json.loads(files.json.read_text())
    files.json.write_text(json.dumps(content))
    held = {path.name: path.read_bytes() for path in (files.html, files.markdown, files.json)}
    files.manifest.write_text(json.dumps(manifest_of(content, held)))
    third = sophia("briefing", "verify")
    assert third.exit_code == 1 and "the register has another seal for this briefing" in third.stdout


def test_a_register_out_of_reach_is_told_and_fails_nothing(sophia: Sophia) -> None:
    write(sophia, (DAILY, "executive"))
    result = sophia("briefing", "verify", SOPHIA_CONTROL_URL="postgresql://nobody:secret@127.0.0.1:1/none")
    assert result.exit_code == 0 and "not in the register" in result.stdout
    assert "the register of published briefings cannot be read" in result.stderr and "secret" not in result.output


def test_holding_quotes_against_a_warehouse_needs_one(sophia: Sophia) -> None:
    write(sophia, (DAILY, "executive"))
    refused(sophia("briefing", "verify", "--against-warehouse"), 2, "there is no warehouse in")
