"""`sophia retention`: what it shows of the rules, and of a store that cannot be read."""

from __future__ import annotations

import json

import pytest

from sophia_assets.retention.rules import RULES
from sophia_assets_tests.command_line.commands import Sophia, refused


@pytest.mark.parametrize(
    ("words", "head"), [(("show",), "Too old now"), (("apply", "--dry-run", "--reason", "a look"), "Would be removed")]
)
def test_every_rule_is_told_in_words_under_headers_and_a_shared_store_once(
    sophia: Sophia, words: tuple[str, ...], head: str
) -> None:
    sophia.hold()
    assert sophia("flags", "set", "gong.rollout", "50", "--by", "root", "--reason", "x").exit_code == 0

    shown = sophia("retention", *words).output
    first = shown.splitlines()[0]
    assert all(each in first for each in ("Rule", "Kept for", "Records", "Oldest (UTC)", "On disk", head))
    assert all(each.what in shown for each in RULES) and "400 days" in shown
    assert shown.count("The whole control store takes") == 1 and shown.count("MB; in it: measures, deliveries") == 1
    changes = next(line for line in shown.splitlines() if line.startswith("flag_changes"))
    assert " 1 " in changes and "MB" not in changes
    assert len(json.loads(sophia("retention", "show", "--json").stdout)) == len(RULES)


def test_a_broken_control_store_is_one_line_and_its_exit_code(sophia: Sophia) -> None:
    home = sophia.hold()
    for end in ("-wal", "-shm"):
        (sophia.base_home / f"control.db{end}").unlink(missing_ok=True)
    (home.path / "control.db").write_bytes(b"garbage " * 2_000)
    (sophia.base_home / "control.db").write_bytes(b"garbage " * 2_000)

    result = sophia("retention", "show")
    refused(result, 2, "is not a control store", "Restore it from a backup; else move it away", "without users, audit")
    assert result.output.count("is not a control store") == 1
