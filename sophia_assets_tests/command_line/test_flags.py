"""`sophia flags`: what operators read and what they are refused."""

from __future__ import annotations

import json

import pytest

from sophia_assets_tests.command_line.commands import Sophia, contents, refused

WHY = ("--reason", "first step", "--by", "ada")


def test_the_list_shows_value_default_since_who_and_why(sophia: Sophia) -> None:
    sophia.hold()
    assert sophia("flags", "set", "gong.rollout", "10", *WHY).exit_code == 0
    lines = {line.split()[0]: line for line in sophia("flags", "list").output.splitlines()}
    assert lines["gong.rollout"].split("%")[0].split() == ["gong.rollout", "10"]
    assert "100 %" in lines["gong.rollout"]
    assert lines["gong.rollout"].endswith("ada: first step")
    assert lines["slack.enabled"].split() == ["slack.enabled", "on", "on"]


def test_the_list_is_there_for_programs(sophia: Sophia) -> None:
    sophia.hold()
    sophia("flags", "set", "enable_caching", "off", *WHY)
    rows = {row["flag"]: row for row in json.loads(sophia("flags", "list", "--json").output)}
    changed = rows["enable_caching"]
    assert (changed["value"], changed["default"], changed["by"], changed["reason"]) == (
        "off",
        "on",
        "ada",
        "first step",
    )
    assert rows["gong.rollout"]["since"] is None


def test_a_change_is_told_and_kept_in_the_history(sophia: Sophia) -> None:
    sophia.hold()
    assert "gong.rollout: 100 % -> 50 %." in sophia("flags", "set", "gong.rollout", "50%", *WHY).output
    assert "gong.rollout: 50 % -> 0 %." in sophia("flags", "rollback", "gong", *WHY).output
    history = json.loads(sophia("flags", "history", "gong.rollout", "--json").output)
    assert [(change["before"], change["after"]) for change in history] == [("50", "0"), ("100", "50")]
    assert "-> 0 %" in sophia("flags", "history", "gong.rollout").output.splitlines()[0]


def test_a_change_is_there_for_programs(sophia: Sophia) -> None:
    sophia.hold()
    told = json.loads(sophia("flags", "set", "gong.rollout", "10", *WHY, "--json").output)
    assert (told["flag"], told["before"], told["after"], told["changed"]) == ("gong.rollout", "100", "10", True)
    assert told["rebuilt"] is None and told["rebuild_error"] is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("set", "gong.rolout", "10", *WHY), "there is no flag 'gong.rolout'. Did you mean gong.rollout?"),
        (("set", "gong.rollout", "101", *WHY), "gong.rollout cannot be '101'. Allowed: a whole number of percent"),
        (("set", "gong.rollout", "-1", *WHY), "gong.rollout cannot be '-1'. Allowed: a whole number of percent"),
        (("set", "gong.rollout", "many", *WHY), "gong.rollout cannot be 'many'"),
        (("set", "gong.enabled", "maybe", *WHY), "gong.enabled cannot be 'maybe'. Allowed: on or off"),
        (("set", "gong.rollout", "10"), "gong.rollout is not changed: a reason was not given"),
        (("set", "gong.rollout", "10", "--reason", " "), "a reason was not given"),
        (("rollback", "slack.enabled", *WHY), "slack.enabled is on and was never changed"),
        (("promote", "gong", *WHY), "gong.rollout is at 100 % already"),
        (("promote", "salesforce", *WHY), "there is no flag 'salesforce'"),
        (("history", "salesforce"), "there is no flag 'salesforce'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_nothing_is_changed(
    sophia: Sophia, arguments: tuple[str, ...], told: str
) -> None:
    sophia.hold()
    before = sophia("flags", "list", "--json").output
    refused(sophia("flags", *arguments), 2, told)
    assert sophia("flags", "list", "--json").output == before


def test_a_promotion_is_refused_with_what_speaks_against_it(sophia: Sophia) -> None:
    sophia.hold()
    sophia("flags", "set", "gong.rollout", "10", *WHY)
    refused(sophia("flags", "promote", "gong", *WHY), 1, "stays at 10 %: not all of its tables have ever been loaded")


def test_a_flag_of_a_system_that_is_off_is_set_and_said_to_wait(sophia: Sophia) -> None:
    sophia.hold()
    result = sophia("flags", "set", "gong.rollout", "10", *WHY, SOPHIA_GONG_MODE="off")
    assert result.exit_code == 0
    assert "Gong is not connected: the flag counts once it is." in result.output


def test_changing_a_flag_makes_no_warehouse(sophia: Sophia) -> None:
    home = sophia.hold()
    sophia("flags", "set", "gong.rollout", "10", *WHY)
    assert not any("duckdb" in name for name in contents(home.path))
