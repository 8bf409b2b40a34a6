"""How the offline writer tells each kind of story: as a change, as a risk, and as the decision it calls for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sophia_assets.insight.names import listed
from sophia_assets.insight.nouns import noun
from sophia_assets.insight.stories import Story
from sophia_assets.insight.writing import DraftSentence
from sophia_assets.metrics.facts import Fact, FactSet

#: Signs that a sentence tells at most, and with how many stories there is room for so many, or for two of them.
MOST_SIGNS = 3
_FEW_STORIES, _SOME_STORIES = 3, 6


def slot(fact: Fact, aspect: str = "value") -> str:
    """The slot that shows an aspect of a fact."""
    return f"{{{{fact:{fact.id}}}}}" if aspect == "value" else f"{{{{fact:{fact.id}|{aspect}}}}}"


def story_slot(story: Story, aspect: str = "subject") -> str:
    """The slot that shows an aspect of a story."""
    return f"{{{{story:{story.id}|{aspect}}}}}"


def of_fact(fact: Fact, word: str) -> str:
    """`word` in the number that a count asks for."""
    return word if fact.value == 1 else f"{word}s"


@dataclass(frozen=True)
class Told:
    """A story with its evidence at hand."""

    story: Story
    evidence: dict[str, Fact]
    signs: int = MOST_SIGNS

    @property
    def name(self) -> str:
        return story_slot(self.story)

    @property
    def main(self) -> Fact:
        """The decisive fact."""
        return next(iter(self.evidence.values()))

    def get(self, metric: str) -> Fact | None:
        return self.evidence.get(metric)

    def is_likely_to(self, outcome: str, gerund: str) -> str:
        """`is likely to leave`, or `has a roughly even chance of leaving`."""
        word = story_slot(self.story, "likelihood")
        if (self.story.likelihood or "").endswith("chance"):
            return f"has {'a ' if self.story.likelihood == 'roughly even chance' else ''}{word} of {gerund}"
        return f"is {word} to {outcome}"


def tell_change(story: Story, facts: FactSet, number: int, signs: int = MOST_SIGNS) -> DraftSentence:
    """The story as something that happened; `number` is its place, so that neighbours differ in form.

    `signs` is how many of the signs behind it are told at most.
    """
    told = replace(_told(story, facts), signs=signs)
    if story.kind == "metric_change":
        return DraftSentence(_metric_change(told.main, number), story.id)
    return DraftSentence(_CHANGES[story.kind](told), story.id)


def tell_risk(story: Story, facts: FactSet, signs: int = MOST_SIGNS) -> DraftSentence:
    """The story as something that may go wrong, with its likelihood and at most so many of the signs behind it."""
    return DraftSentence(_RISKS[story.kind](replace(_told(story, facts), signs=signs)), story.id)


def signs_that_fit(stories: int) -> int:
    """How many signs each of so many stories can be told with, so that a briefing has room for all of them."""
    return MOST_SIGNS if stories <= _FEW_STORIES else 2 if stories <= _SOME_STORIES else 1


def decision(story: Story, facts: FactSet) -> DraftSentence:
    """What the reader has to decide about the story, and by when."""
    told = _told(story, facts)
    return DraftSentence(f"Decide by {story_slot(story, 'due')} {_DECISIONS[story.kind](told)}.", story.id)


def _told(story: Story, facts: FactSet) -> Told:
    found = [fact for fact in map(facts.get, story.fact_ids) if fact is not None]
    return Told(story, {fact.metric: fact for fact in found})


def _moved(fact: Fact) -> bool:
    return fact.direction in ("up", "down") and bool(fact.delta_display)


def comparison(fact: Fact) -> str:
    """`, up 5 from the 30 days before`, or nothing where the fact has not moved."""
    if not _moved(fact) or fact.previous_period is None:
        return ""
    return f", {slot(fact, 'direction')} {slot(fact, 'delta')} from {slot(fact, 'previous_period')}"


def _metric_change(fact: Fact, number: int) -> str:
    name = noun(fact)
    when = "" if fact.period.key == "as_of" else f" {slot(fact, 'period')}"
    since = f"since {slot(fact, 'previous_period')}"
    forms = [
        f"{name.opening} {slot(fact, 'moved')} {slot(fact, 'delta')} to {slot(fact)}{when or ' ' + since}.",
        f"{name.opening} {name.be} {slot(fact)}{when}{comparison(fact)}.",
        f"{name.opening} {slot(fact, 'moved')} from {slot(fact, 'previous')} to {slot(fact)}{when or ' ' + since}.",
    ]
    return forms[number % len(forms)]


def _move_of(fact: Fact, aspect: str = "delta") -> str:
    """`fell 1.4 to 2.9`."""
    return f"{slot(fact, 'moved')} {slot(fact, aspect)} to {slot(fact)}"


def _use(fact: Fact, what: str) -> str:
    return f"its use {_move_of(fact, 'change')} {what}" if fact.change_display else ""


#: How each fact that is a sign is told; nothing where it has no such sign to tell.
_SIGNS: dict[str, Callable[[Fact], str]] = {
    "satisfaction_score": lambda fact: f"its satisfaction score {_move_of(fact)}" if _moved(fact) else "",
    "churn_risk_mentions": lambda fact: f"leaving came up in {slot(fact)} calls" if fact.value > 1 else "",
    "churn_signals": lambda fact: f"signs of leaving showed in {slot(fact)} conversations" if fact.value > 1 else "",
    "daily_users": lambda fact: _use(fact, "users") if _moved(fact) else "",
    "product_actions": lambda fact: _use(fact, "actions") if _moved(fact) else "",
    "seats_in_use": lambda fact: f"its share of seats in use {_move_of(fact)}" if _moved(fact) else "",
    "open_bugs": lambda fact: f"it has {slot(fact)} open bugs" if fact.value > 1 else "",
    "bugs_reported": lambda fact: f"it reported {slot(fact)} bugs" if fact.value > 1 else "",
    "worried_conversations": lambda fact: f"it had {slot(fact)} worried conversations" if fact.value > 1 else "",
    "customer_health": lambda fact: f"its health score {_move_of(fact)}" if _moved(fact) else "",
}


def _account_signs(told: Told) -> str:
    """The strongest signs of an account, and what it owes where that is a story of its own."""
    signs = [_SIGNS[metric](fact) for metric, fact in told.evidence.items() if metric in _SIGNS]
    signs = [sign for sign in signs if sign]
    owed = told.get("overdue_amount") if "overdue_payment" in told.story.also else None
    if owed is not None:
        return listed([*signs[: max(1, told.signs - 1)], f"it owes {slot(owed)} in overdue invoices"])
    return listed(signs[: told.signs])


def _debt(told: Told) -> str:
    owed = told.get("overdue_amount") if "overdue_payment" in told.story.also else None
    return f", and owes {slot(owed)} in overdue invoices" if owed is not None else ""


def _account_facts(told: Told) -> str:
    money, renewal = told.get("mrr"), told.get("days_to_renewal")
    parts = [f"pays {slot(money)} a month" if money else "", f"renews in {slot(renewal)}" if renewal else ""]
    return " and ".join(part for part in parts if part)


def _risk_account(told: Told) -> str:
    signs = _account_signs(told)
    return (
        f"{told.name}, which {_account_facts(told)}, {told.is_likely_to('leave', 'leaving')}"
        f"{': ' + signs if signs else ''}."
    )


def _change_account(told: Told) -> str:
    signs = _account_signs(told) or _account_facts(told)
    return f"At {told.name}, {signs}."


def _slips(told: Told) -> str:
    pushes, late = told.get("close_date_pushes"), told.get("days_past_close")
    signs = [
        f"its close date moved {slot(pushes)} {of_fact(pushes, 'time')}" if pushes else "",
        f"it is {slot(late)} past its close date" if late else "",
    ]
    return " and ".join(sign for sign in signs if sign)


def _risk_deal(told: Told) -> str:
    return f"{told.name}, worth {slot(told.main)}, {told.is_likely_to('slip again', 'slipping again')}: {_slips(told)}."


def _change_deal(told: Told) -> str:
    return f"{told.name}, worth {slot(told.main)}, keeps slipping: {_slips(told)}."


def _risk_stage(told: Told) -> str:
    what = told.is_likely_to("go cold", "going cold").replace("is ", "are ", 1).replace("has ", "have ", 1)
    value = told.get("stalled_value")
    worth = f", worth {slot(value)}" if value else ""
    return (
        f"Deals waiting in {told.name} {what}: {slot(told.main)} "
        f"{'is' if told.main.value == 1 else 'are'} stalled{comparison(told.main)}{worth}."
    )


def _change_stage(told: Told) -> str:
    value = told.get("stalled_value")
    worth = f", with {slot(value)} stuck" if value else ""
    return f"{told.name} has {slot(told.main)} stalled {of_fact(told.main, 'deal')}{comparison(told.main)}{worth}."


def _calls_naming(told: Told) -> str:
    fact = told.main
    return f"came up in {slot(fact)} {of_fact(fact, 'call')} {slot(fact, 'period')}{comparison(fact)}"


def _risk_competitor(told: Told) -> str:
    return f"{told.name} {told.is_likely_to('cost us deals', 'costing us deals')}: it {_calls_naming(told)}."


def _change_competitor(told: Told) -> str:
    return f"{told.name} {_calls_naming(told)}."


def _owes(told: Told) -> str:
    return f"owes {slot(told.main)} in overdue invoices"


def _beside_the_debt(told: Told) -> str:
    """The strongest other sign, or else how the debt has moved: what signs count is of other days than a debt's."""
    signs = _account_signs(replace(told, signs=1)) if told.signs > 1 else ""
    return f", and {signs}" if signs else comparison(told.main)


def _risk_overdue(told: Told) -> str:
    likely = told.is_likely_to("pay later still", "paying later still")
    return f"{told.name} {likely}: it {_owes(told)}{_beside_the_debt(told)}."


def _change_expansion(told: Told) -> str:
    fact, money = told.main, told.get("mrr")
    now = f" and now pays {slot(money)} a month" if money else ""
    return f"{told.name} added {slot(fact)} a month {slot(fact, 'period')}{now}{_debt(told)}."


def _change_churn(told: Told) -> str:
    fact, money = told.main, told.get("mrr")
    if money is not None and money.value > 0:
        stays = f" and still pays {slot(money)} a month{_debt(told)}"
        return f"{told.name} gave up {slot(fact)} a month {slot(fact, 'period')}{stays}."
    return f"{told.name} left {slot(fact, 'period')} and took {slot(fact)} a month with it{_debt(told)}."


def _change_win(told: Told) -> str:
    return f"We won {told.name}, worth {slot(told.main)}, {slot(told.main, 'period')}."


def _talked_of(told: Told) -> str:
    fact = told.main
    return f"was the topic of {slot(fact)} conversations {slot(fact, 'period')}{comparison(fact)}"


def _product_use(told: Told) -> str:
    return f"{_move_of(told.main, 'change')} actions"


_CHANGES: dict[str, Callable[[Told], str]] = {
    "account_at_risk": _change_account,
    "slipping_deal": _change_deal,
    "stalled_stage": _change_stage,
    "competitor_pressure": _change_competitor,
    "overdue_payment": lambda told: f"{told.name} {_owes(told)}{comparison(told.main)}.",
    "expansion": _change_expansion,
    "churn": _change_churn,
    "big_win": _change_win,
    "rising_topic": lambda told: f"{told.name} {_talked_of(told)}.",
    "bug_pile": lambda told: f"{told.name} has {slot(told.main)} open bugs{comparison(told.main)}.",
    "falling_usage": lambda told: f"Use of the product {_product_use(told)} {slot(told.main, 'period')}.",
}
_RISKS: dict[str, Callable[[Told], str]] = {
    "account_at_risk": _risk_account,
    "slipping_deal": _risk_deal,
    "stalled_stage": _risk_stage,
    "competitor_pressure": _risk_competitor,
    "overdue_payment": _risk_overdue,
}
_DECISIONS: dict[str, Callable[[Told], str]] = {
    "account_at_risk": lambda told: f"how to keep {told.name}, which {_account_facts(told)}",
    "slipping_deal": lambda told: f"whether {told.name}, worth {slot(told.main)}, stays in the forecast",
    "stalled_stage": lambda told: (
        f"what to do about the {told.name} stage, where {slot(told.main)} "
        f"{of_fact(told.main, 'deal')} {'is' if told.main.value == 1 else 'are'} stalled"
    ),
    "competitor_pressure": lambda told: f"how to answer {told.name}, which {_calls_naming(told)}",
    "overdue_payment": lambda told: f"how to collect from {told.name}, which owes {slot(told.main)}",
    "expansion": lambda told: f"what comes next for {told.name}, which added {slot(told.main)} a month",
    "churn": lambda told: f"how to win back {told.name}, which took {slot(told.main)} a month away",
    "big_win": lambda told: f"who looks after {told.name}, won for {slot(told.main)}",
    "rising_topic": lambda told: f"how to answer {told.name}, which {_talked_of(told)}",
    "bug_pile": lambda told: f"how {told.name} gets through its {slot(told.main)} open bugs",
    "falling_usage": lambda told: f"how to win back use of the product, which {_product_use(told)}",
}
