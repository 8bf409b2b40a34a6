"""The settings of retention: for how many days each kind of old record is kept, 0 for ever."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sophia_assets.errors import ConfigurationError
from sophia_assets.retention.rules import PREFIX, RULES, Rule, rule

_MOST_DAYS = 36_500
HOUR = f"{PREFIX}HOUR"


@dataclass(frozen=True)
class RetentionSettings:
    """For how many days each rule keeps its records, by the rule's name; `hour` is when they are removed every day, in
    the business time zone."""

    days: Mapping[str, int]
    hour: int

    def cutoff(self, rule: Rule, now: datetime) -> datetime | None:
        """The moment (UTC, aware) before which the rule removes; None where it keeps for ever."""
        return rule.cutoff(self.days[rule.name], now)


def read_retention(environment: Mapping[str, str]) -> RetentionSettings:
    """The settings of retention. Raises ConfigurationError naming the setting and what is allowed."""
    known = {each.setting for each in RULES} | {HOUR}
    for name in environment:
        if name.startswith(PREFIX) and name not in known:
            raise ConfigurationError(
                f"{name} is set, which is no setting", remedy=f"Use one of {', '.join(sorted(known))}"
            )
    days = {each.name: _days(environment, each) for each in RULES}
    logs, runs = rule("run_logs"), rule("runs")
    if days["runs"] and not (environment.get(logs.setting) or "").strip():
        days["run_logs"] = min(days["run_logs"], days["runs"])
    if days["runs"] and (days["run_logs"] == 0 or days["run_logs"] > days["runs"]):
        raise ConfigurationError(
            f"{logs.setting} is more than {runs.setting}",
            remedy=f"Set {logs.setting} to {days['runs']} or less: a run goes with its log",
        )
    return RetentionSettings(days, _whole(environment, HOUR, 3, 0, 23, "a whole number from 0 to 23"))


def _days(environment: Mapping[str, str], rule: Rule) -> int:
    allowed = f"a whole number of days from {rule.least} to {_MOST_DAYS}" + (
        ", or 0 to keep them for ever" if rule.may_be_for_ever else ""
    )
    text = (environment.get(rule.setting) or "").strip()
    if text == "0" and rule.may_be_for_ever:
        return 0
    return _whole(environment, rule.setting, rule.days, rule.least, _MOST_DAYS, allowed)


def _whole(environment: Mapping[str, str], name: str, default: int, low: int, high: int, allowed: str) -> int:
    text = (environment.get(name) or "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and low <= int(text) <= high):
        raise ConfigurationError(f"{name} is {text!r}", remedy=f"Set it to {allowed}")
    return int(text)
