"""`sophia audit`: what operators read of the trail, and how it tells that somebody changed it."""

from __future__ import annotations

import json
import sqlite3

import pytest

from sophia_assets_tests.command_line.commands import Sophia, refused

WHY = ("--by", "root", "--reason", "asked for")


@pytest.fixture
def used(sophia: Sophia) -> Sophia:
    """A home in which operators have done a few things."""
    sophia.hold()
    for name in ("ada", "bob", "eve"):
        assert sophia("users", "add", name, "--role", "analyst", *WHY).exit_code == 0
    assert sophia("flags", "set", "gong.rollout", "50", *WHY).exit_code == 0
    return sophia


def change(sophia: Sophia, statement: str) -> None:
    with sqlite3.connect(sophia.base_home / "control.db") as connection:
        connection.execute(statement)
    connection.close()


def test_an_empty_trail_is_told_in_one_line(sophia: Sophia) -> None:
    sophia.hold()

    assert sophia("audit", "verify").output == "Nothing has been recorded yet.\n"
    assert sophia("audit", "tail").output == "Nothing has been recorded yet.\n"


def test_the_newest_entries_are_shown_newest_last_and_reading_them_is_recorded(used: Sophia) -> None:
    lines = used("audit", "tail", "-n", "2").output.splitlines()
    assert [line.split()[0] for line in lines] == ["3", "4"]
    assert "allowed  root, operator: flag.set gong.rollout" in lines[1] and "reason: asked for" in lines[1]

    assert [entry["action"] for entry in json.loads(used("audit", "tail", "--json").stdout)][-1] == "audit.read"
    assert [entry["target"] for entry in json.loads(used("audit", "tail", "--action", "users", "--json").stdout)] == [
        "ada",
        "bob",
        "eve",
    ]
    assert used("audit", "tail", "--who", "nobody").output == "No such entry.\n"


def test_what_a_terminal_would_obey_is_not_shown(used: Sophia) -> None:
    used("flags", "set", "gong.rollout", "10", "--by", "root", "--reason", "a\x1b[2Jb")

    assert "\x1b" not in used("audit", "tail").output


def test_a_whole_trail_verifies(used: Sophia) -> None:
    result = used("audit", "verify")
    assert result.exit_code == 0 and "4 entries" in result.output and "is whole" in result.output
    told = json.loads(used("audit", "verify", "--json").stdout)

    assert (told["whole"], told["entries"], told["first"], told["last"], told["first_bad"]) == (True, 4, 1, 4, None)


def test_a_changed_trail_fails_with_the_first_bad_entry(used: Sophia) -> None:
    change(used, "UPDATE audit SET target = 'mallory' WHERE seq = 3")
    result = used("audit", "verify")
    assert result.exit_code == 1 and "the audit trail is not whole." in result.output
    assert "  entry 3: it was changed, or put in the place of another" in result.output.splitlines()
    told = used("audit", "verify", "--json")

    assert told.exit_code == 1 and json.loads(told.stdout)["first_bad"] == 3


def test_deeds_are_refused_while_the_head_is_not_whole_and_the_trail_can_still_be_read(used: Sophia) -> None:
    change(used, "UPDATE audit_head SET seq = 3")
    refused(used("users", "add", "mallory", "--role", "executive", *WHY), 9, "the audit trail's head was changed")
    result = used("audit", "tail")
    assert result.exit_code == 0 and "warning: this reading is not recorded" in result.stderr
    assert "What was there lies in" in used("audit", "restart", *WHY).output
    assert used("users", "add", "carl", "--role", "analyst", *WHY).exit_code == 0

    verified = used("audit", "verify")
    assert verified.exit_code == 0 and "note: an earlier trail was put aside" in verified.output


def test_old_entries_are_archived_and_stay_verified(used: Sophia) -> None:
    told = json.loads(used("audit", "archive", "--before", "2099-01-01", *WHY, "--json").stdout)
    assert (told["entries"], told["first"], told["last"]) == (4, 1, 4)
    assert "4 of them archived" in used("audit", "verify").output
    refused(used("audit", "archive", "--before", "2020-01-01", *WHY), 2, "no entry is from before")
    change(used, "DELETE FROM audit")

    refused(used("audit", "archive", "--before", "2099-01-01", *WHY), 2, "the audit trail is not whole")


def test_the_key_is_renewed_and_what_the_old_one_signed_still_verifies(used: Sophia) -> None:
    assert "signed with the key" in used("audit", "renew-key", *WHY).output
    assert used("audit", "verify").exit_code == 0
    refused(used("audit", "renew-key", *WHY, SOPHIA_AUDIT_KEY="ab" * 32), 2, "the audit trail's key is a setting")


def test_a_lost_key_is_told(used: Sophia) -> None:
    (used.base_home / "audit.key").unlink()
    result = used("audit", "verify")

    assert result.exit_code == 1 and "no key is here: bring back audit.key from a backup" in result.output


@pytest.mark.parametrize("command", ["archive", "renew-key", "restart"])
def test_a_deed_needs_a_reason(used: Sophia, command: str) -> None:
    more = ("--before", "2026-01-01") if command == "archive" else ()
    refused(used("audit", command, *more), 2, "a reason was not given")


def test_what_looks_like_a_secret_is_masked_where_it_is_shown_and_stays_in_the_trail(used: Sophia) -> None:
    why = "my password is hunter22, token=abcdef99 for eve@corp.example, sk-1234567890abcdef"
    used("flags", "set", "gong.rollout", "10", "--by", "root", "--reason", why)

    for shown in (used("audit", "tail").output, used("audit", "tail", "--json").output):
        assert not any(secret in shown for secret in ("hunter22", "abcdef99", "eve@corp", "sk-1234"))
        assert "[secret]" in shown and "[e-mail]" in shown and "asked for" in shown
    assert "is whole" in used("audit", "verify").output
    with sqlite3.connect(used.base_home / "control.db") as connection:
        stored = str(connection.execute("SELECT * FROM audit WHERE action = 'flag.set'").fetchall())
    connection.close()
    assert "hunter22" in stored and "eve@corp.example" in stored


def test_a_reason_that_was_left_out_is_asked_for_by_its_option(used: Sophia) -> None:
    for command in (("audit", "renew-key"), ("flags", "set", "gong.rollout", "5"), ("circuit", "open", "gong")):
        refused(used(*command), 2, "a reason was not given. Add --reason WHY")
        assert "[required]" in used(*command[:2], "--help").output
    refused(used("users", "disable", "ada"), 2, "a reason was not given. Add --reason WHY")
    refused(used("users", "disable", "ada", "--reason", "x", "--by", " "), 2, "who does this was not given. Add --by")
    assert "[required]" not in used("retention", "apply", "--help").output
