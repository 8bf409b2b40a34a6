"""Every alert is played by promtool: before it fires, firing with exact labels and texts, over, and without any series.

Cases are worth something only if they notice a changed rule, so each rule is also spoiled in every way that matters,
and its own cases have to fail.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sophia_assets_tests.deploy import alert_files as files
from sophia_assets_tests.deploy.alert_files import Group, Rule

PROMTOOL = shutil.which("promtool")
pytestmark = [
    pytest.mark.long,
    pytest.mark.takes(40),
    pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)"),
]


def played(*paths: Path) -> subprocess.CompletedProcess[str]:
    """Runs promtool on files that play alerts. Its garbage collector would else take half of the time."""
    command = [str(PROMTOOL), "test", "rules", *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"GOGC": "400"})


@pytest.mark.parametrize("path", files.PLAYED, ids=lambda path: str(path.stem))
def test_every_alert_does_what_its_cases_say(path: Path) -> None:
    done = played(path)
    assert done.returncode == 0, done.stdout + done.stderr


def spoiled(rule: Rule) -> dict[str, dict[str, Any]]:
    """The rule without its patience, and with each of its conditions made an alternative instead."""
    whole = {
        "alert": rule.name,
        "expr": rule.expr,
        "for": rule.waits or "0s",
        "labels": rule.labels,
        "annotations": rule.annotations,
    }
    found = {"unspoiled": whole}
    if rule.waits:
        found["fires at once"] = whole | {"for": "0s"}
    for number, place in enumerate(re.finditer(r"\band\b(?: on \([^)]*\))?", rule.expr), 1):
        other = rule.expr[: place.start()] + "or" + place.group()[3:] + rule.expr[place.end() :]
        found[f"condition {number} need not hold"] = whole | {"expr": other}
    return found


def _plays(group: Group, rule: Rule) -> bool:
    return group.name.partition(":")[0] == rule.name or not group.series


def _own(group: Group, rule: Rule) -> dict[str, Any]:
    """The group with what it says of this alert alone."""
    looks = [look for look in group.content["alert_rule_test"] if look["alertname"] == rule.name]
    return {key: value for key, value in group.content.items() if key != "promql_expr_test"} | {
        "alert_rule_test": looks
    }


def survives(rule: Rule, content: dict[str, Any], folder: Path) -> bool:
    """Whether the alert's own cases hold for the given content of its rule."""
    every = yaml.safe_load(files.RULES.read_text())["groups"]
    recorded = [group for group in every if "record" in group["rules"][0]]
    names = [group["name"] for group in recorded]
    (folder / "alerts.yaml").write_text(yaml.safe_dump({"groups": [*recorded, {"name": "one", "rules": [content]}]}))
    paths = []
    for path in files.PLAYED:
        own = [_own(group, rule) for group in files.groups() if group.path == path and _plays(group, rule)]
        if own:
            head = yaml.safe_load(path.read_text()) | {"group_eval_order": [*names, "one"], "tests": own}
            paths.append(folder / path.name)
            paths[-1].write_text(yaml.safe_dump(head))
    return played(*paths).returncode == 0


@pytest.mark.parametrize("rule", files.alerts(), ids=lambda rule: str(rule.name))
def test_its_cases_notice_a_spoiled_rule(rule: Rule, tmp_path: Path) -> None:
    unnoticed = {how for how, content in spoiled(rule).items() if survives(rule, content, tmp_path)}
    assert unnoticed == {"unspoiled"}
