"""What the systems show of each account beside its contract: mood, use, bugs, talk and debt, judged move by move.

A sign is a fact that moved materially, and the way that supports a story. Of several facts that show the same thing
the first known one that did stands for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sophia_assets.insight.materiality import by_entity
from sophia_assets.insight.moves import STANDS_OUT, among_peers, count_surprise, missing_days
from sophia_assets.metrics.facts import Fact, FactSet

#: What a sign shows.
Aspect = Literal["mood", "talk", "use", "bugs", "worry", "health"]

#: From 0 to 2, or from 1 to 4, a count is no longer what it was; on its own that is no story.
COUNT_SIGMAS = 1.3
#: A fall over days of which more than this part is not in the data is no fall.
MISSING_SHARE = 0.1
#: Of that many answers a mean may be made.
FEWEST_ANSWERS = 3
#: Debts younger than this are ordinary.
DAYS_OVERDUE = 30


@dataclass(frozen=True)
class _Rule:
    """Which move of a metric is a sign that a customer may leave; the opposite move is one that it grows.

    `least` is the least move: of a `change` as a share, else in the metric's own unit. `least_before` is from how much
    on a change says anything.
    """

    aspect: Aspect
    metric: str
    period: str
    leaving: Literal["up", "down"]
    judged_by: Literal["delta", "change", "count"]
    least: float
    least_before: float = 0.0


_RULES = (
    _Rule("mood", "satisfaction_score", "last_60d", "down", "delta", 0.3),
    _Rule("mood", "low_scores", "last_60d", "up", "count", 2),
    _Rule("talk", "churn_risk_mentions", "last_60d", "up", "count", 1),
    _Rule("talk", "churn_signals", "last_30d", "up", "count", 2),
    _Rule("use", "daily_users", "last_30d", "down", "change", 0.1, 10),
    _Rule("use", "product_actions", "last_30d", "down", "change", 0.1, 200),
    _Rule("use", "seats_in_use", "as_of", "down", "delta", 0.05),
    _Rule("bugs", "open_bugs", "as_of", "up", "count", 2),
    _Rule("bugs", "bugs_reported", "last_30d", "up", "count", 3),
    _Rule("worry", "worried_conversations", "last_30d", "up", "count", 2),
    _Rule("health", "customer_health", "as_of", "down", "delta", 5),
)


@dataclass(frozen=True)
class Sign:
    """A fact that supports a story, what it shows, and how far its move stands out, in sigmas above 0."""

    aspect: Aspect
    fact: Fact
    strength: float


class AccountSigns:
    """All signs of all accounts, by the account's id; each metric is looked at once, whatever is asked."""

    def __init__(self, facts: FactSet) -> None:
        self._answers = by_entity(facts, "satisfaction_responses", "last_60d", "account")
        self._leaving: dict[str, list[Sign]] = {}
        self._growing: dict[str, list[Sign]] = {}
        for rule in _RULES:
            known = by_entity(facts, rule.metric, rule.period, "account")
            for account, sigmas in _judged(rule, known).items():
                self._note(rule, account, known[account], sigmas)
        self._owed = by_entity(facts, "overdue_amount", "as_of", "account")
        self._age = by_entity(facts, "days_overdue", "as_of", "account")

    def leaving(self, account: str) -> list[Sign]:
        """What speaks for the account's leaving, the strongest first, at most one of each aspect."""
        return self._leaving.get(account, [])

    def growing(self, account: str) -> list[Sign]:
        """What speaks for the account's growing, likewise."""
        return self._growing.get(account, [])

    def enough_answers(self, account: str) -> bool:
        """Whether the account's satisfaction rests on more than an answer or two, now and before."""
        answers = self._answers.get(account)
        if answers is None:
            return not self._answers
        return min(answers.value, answers.value if answers.previous is None else answers.previous) >= FEWEST_ANSWERS

    def overdue_for_long(self, account: str) -> tuple[Fact, Fact | None, float] | None:
        """What the account owes, for how many days, and how much of it (US dollars) for more than a month.

        What was owed a month ago and still is must be that old; an exact count of days is used where it is known.
        """
        owed, age = self._owed.get(account), self._age.get(account)
        if owed is None:
            return None
        late = min(owed.value, owed.previous or 0.0) if age is None else owed.value * (age.value > DAYS_OVERDUE)
        return (owed, age, late) if late > 0 else None

    def _note(self, rule: _Rule, account: str, fact: Fact, sigmas: float) -> None:
        if rule.aspect == "mood" and not self.enough_answers(account):
            return
        falls_away = missing_days(fact.period.end, fact.as_of) > MISSING_SHARE * _length(fact)
        if fact.direction == "down" and falls_away and fact.period.key != "as_of" and rule.judged_by != "delta":
            return
        signs = self._leaving if fact.direction == rule.leaving else self._growing
        listed = signs.setdefault(account, [])
        if all(sign.aspect != rule.aspect for sign in listed):
            listed.append(Sign(rule.aspect, fact, abs(sigmas)))
            listed.sort(key=lambda sign: -sign.strength)


def _judged(rule: _Rule, known: Mapping[str, Fact]) -> dict[str, float]:
    """How far each account's move stands out, in sigmas; only of moves that are large enough."""
    moved = {
        account: fact
        for account, fact in known.items()
        if fact.direction in ("up", "down") and fact.delta is not None and fact.previous is not None
    }
    if rule.judged_by == "count":
        judged = {account: count_surprise(fact.value, fact.previous or 0.0) for account, fact in moved.items()}
        return {
            account: sigmas
            for account, sigmas in judged.items()
            if abs(sigmas) >= COUNT_SIGMAS and max(known[account].value, known[account].previous or 0.0) >= rule.least
        }
    sizes = {account: _size(rule, fact) for account, fact in known.items() if fact.delta is not None}
    return {
        account: sigmas
        for account, sigmas in among_peers({name: size for name, size in sizes.items() if size is not None}).items()
        if account in moved and abs(sigmas) >= STANDS_OUT and abs(sizes[account] or 0.0) >= rule.least
    }


def _size(rule: _Rule, fact: Fact) -> float | None:
    """A move as its rule measures it; None where too little was there for a change to say anything."""
    if rule.judged_by == "delta":
        return fact.delta
    return fact.change if (fact.previous or 0.0) >= rule.least_before else None


def _length(fact: Fact) -> int:
    return (fact.period.end - fact.period.start).days + 1
