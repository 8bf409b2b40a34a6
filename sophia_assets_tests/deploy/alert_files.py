"""What lies in `deploy/prometheus`, `deploy/grafana` and `deploy/runbooks.md`, taken apart for their tests.

Belongs here: reading the files, and which series and labels an expression names. Does not belong here: judging them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from sophia_assets.settings import PROJECT_ROOT
from sophia_assets.telemetry.series import Kind, every_series

DEPLOY = PROJECT_ROOT / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
RULES = PROMETHEUS / "alerts.yaml"
PLAYED = (PROMETHEUS / "alerts_test.yaml", PROMETHEUS / "alerts_test_days.yaml")
DASHBOARD = DEPLOY / "grafana" / "dashboard.json"
RUNBOOKS = DEPLOY / "runbooks.md"

_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}")
_MATCHER = re.compile(r"(\w+)\s*(=~|!~|!=|=)\s*(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_NAME = re.compile(r"(?<![\w:$.])[a-zA-Z_:][\w:]*")
_WORDS = frozenset({"and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring", "Inf", "NaN"})
_WORDS_TOO = frozenset({"group_left", "group_right"})
_QUERY = re.compile(r"query (?:\(printf )?\"((?:[^\"\\]|\\.)*)\"")


@dataclass(frozen=True)
class Matcher:
    """One condition on a label within a selector."""

    series: str
    label: str
    operator: str
    value: str

    @property
    def words(self) -> tuple[str, ...]:
        """The values that are meant, where they are listed."""
        return tuple(self.value.split("|"))


@dataclass(frozen=True)
class Named:
    """What an expression names: series, conditions on labels, and the labels that it groups or matches by."""

    series: frozenset[str]
    matchers: tuple[Matcher, ...]
    grouped_by: frozenset[str]


def named_in(expression: str) -> Named:
    """The series and labels of an expression; `label_replace` is left out of the labels."""
    matchers: list[Matcher] = []
    found: set[str] = set()
    for selector in _SELECTOR.finditer(expression):
        found.add(selector.group(1))
        for label, operator, quoted in _MATCHER.findall(selector.group(2)):
            matchers.append(Matcher(selector.group(1), label, operator, quoted[1:-1]))
    rest = _STRING.sub("", _SELECTOR.sub(" ", expression))
    grouped = {label.strip() for labels in _GROUPING.findall(rest) for label in labels.split(",") if label.strip()}
    rest = re.sub(r"\[[^\]]*\]", "", _GROUPING.sub(" ", rest))
    rest = re.sub(r"\boffset\s+\w+", "", rest)
    for name in _NAME.finditer(rest):
        is_function = rest[name.end() :].lstrip().startswith("(")
        if not is_function and name.group() not in _WORDS | _WORDS_TOO:
            found.add(name.group())
    return Named(frozenset(found), tuple(matchers), frozenset(grouped))


@dataclass(frozen=True)
class Rule:
    """One rule; `name` is that of the alert, or of the series that it records."""

    name: str
    expr: str
    group: str
    is_alert: bool
    waits: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def queries(self) -> list[str]:
        """The expressions that its texts ask for, with a system's name in place of what is filled in."""
        texts = " ".join(self.annotations.values())
        return [found.replace('\\"', '"').replace("%s", "gong") for found in _QUERY.findall(texts)]


@cache
def rules() -> tuple[Rule, ...]:
    """Every rule, in the order of the file."""
    return tuple(
        Rule(
            rule.get("alert") or rule["record"],
            rule["expr"],
            group["name"],
            "alert" in rule,
            rule.get("for", ""),
            rule.get("labels", {}),
            rule.get("annotations", {}),
        )
        for group in yaml.safe_load(RULES.read_text())["groups"]
        for rule in group["rules"]
    )


def alerts() -> tuple[Rule, ...]:
    """The rules that alert."""
    return tuple(rule for rule in rules() if rule.is_alert)


def labels_by_series() -> dict[str, frozenset[str]]:
    """Every series that an expression may name, with its labels: declared, recorded by a rule, or Prometheus' own."""
    scraped = {"job", "instance", "component"}
    found: dict[str, frozenset[str]] = {
        "up": frozenset(scraped),
        "ALERTS": frozenset({"alertname", "alertstate"}.union(*(rule.labels for rule in alerts()), {"mode"})),
    }
    for series in every_series():
        labels = scraped.union(series.labels)
        if series.kind is Kind.HISTOGRAM:
            found[f"{series.name}_bucket"] = frozenset(labels | {"le"})
            found[f"{series.name}_sum"] = found[f"{series.name}_count"] = frozenset(labels)
        else:
            found[series.name] = frozenset(labels)
    for rule in rules():
        if not rule.is_alert:
            named = named_in(rule.expr)
            inherited = [found[name] - scraped for name in named.series if name.startswith("sophia:")]
            found[rule.name] = frozenset().union(named.grouped_by, rule.labels, *inherited)
    return found


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana reads it."""
    content: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return content


def panels() -> list[dict[str, Any]]:
    """Its panels, without the rows' titles."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def expressions_of_dashboard() -> Iterator[tuple[str, str]]:
    """Where an expression stands, and the expression with values in place of the dashboard's variables."""
    for panel in panels():
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", without_variables(target["expr"])
    for note in dashboard()["annotations"]["list"]:
        yield note["name"], without_variables(note["expr"])


def without_variables(expression: str) -> str:
    """The expression as Grafana sends it."""
    return expression.replace("$source", ".*").replace("$__rate_interval", "5m")


@dataclass(frozen=True)
class Look:
    """What is expected of one alert at one moment of a played group: its `firing` alerts, none where empty."""

    minutes: float
    alert: str
    firing: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Group:
    """One group of a file that plays alerts."""

    name: str
    path: Path
    series: tuple[str, ...]
    looks: tuple[Look, ...]
    content: dict[str, Any]


@cache
def groups() -> tuple[Group, ...]:
    """Every group of every file that plays alerts."""
    return tuple(
        Group(
            group["name"],
            path,
            tuple(each["series"] for each in group["input_series"]),
            tuple(
                Look(_minutes(look["eval_time"]), look["alertname"], tuple(look.get("exp_alerts", ())))
                for look in group["alert_rule_test"]
            ),
            group,
        )
        for path in PLAYED
        for group in yaml.safe_load(path.read_text())["tests"]
    )


def _minutes(length: str) -> float:
    minutes = {"s": 1 / 60, "m": 1.0, "h": 60.0, "d": 1440.0}
    return sum(int(number) * minutes[unit] for number, unit in re.findall(r"(\d+)([smhd])", length))


def runbook_sections() -> dict[str, str]:
    """The runbooks' sections by their titles."""
    parts = re.split(r"^## (.+)$", RUNBOOKS.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))
