"""Stories about no single customer: a topic that worries many, a team whose bugs pile up, use of the product falling.

A theme has to stand out far more than a customer's story does, since everything that grows moves a little, and since
what only the customers show who have a story of their own is no theme.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sophia_assets.insight.account_signs import MISSING_SHARE
from sophia_assets.insight.materiality import MONTHS_OF_EFFECT, by_entity
from sophia_assets.insight.moves import (
    STANDS_OUT,
    count_surprise,
    is_whole_month,
    missing_days,
    move_surprise,
    weekdays_in,
)
from sophia_assets.insight.search import Search
from sophia_assets.insight.stories import Story
from sophia_assets.metrics.facts import Period

#: Many topics and teams are looked at, and one of them always moves most.
THEME_SIGMAS = 3.0
TOPIC_CONVERSATIONS = 8
TOPIC_RATIO = 2.0
BUGS_OPEN = 12
BUGS_RATIO = 1.3
USE_FALL = 0.08
#: Topics that are no worry, or that have detectors of their own.
_NO_WORRY = frozenset({"praise", "expansion", "renewal", "product wish"})
_COMPETITOR = "competitor"


def rising_topic(search: Search, told: Sequence[Story]) -> Iterator[Story]:
    """A worry that came up in far more conversations than in the 30 days before, with customers of all kinds."""
    talks = by_entity(search.facts, "worried_conversations", "last_30d", "account")
    own = {story.subject_id for story in told if story.subject_type == "account"}
    explained = sum(max(0.0, talks[account].delta or 0.0) for account in own if account in talks)
    topics = search.facts.by("topic_conversations", "last_30d", "topic")
    total = search.facts.total("conversations", "last_30d")
    everything = total.value if total else sum(fact.value for fact in topics)
    for fact in topics:
        before, name = fact.previous, (fact.subject or "").lower()
        if before is None or name in _NO_WORRY or name.startswith(_COMPETITOR):
            continue
        rest = fact.value - explained
        if rest >= max(TOPIC_CONVERSATIONS, TOPIC_RATIO * before) and count_surprise(rest, before) >= THEME_SIGMAS:
            part = (fact.value - before) / everything if everything > 0 else 0.0
            yield search.story("rising_topic", "topic", fact, part * search.size.monthly)


def bug_pile(search: Search, told: Sequence[Story]) -> Iterator[Story]:
    """A team that has far more open bugs than a month ago."""
    teams = search.facts.by("open_bugs", "as_of", "team")
    reported = by_entity(search.facts, "bugs_reported", "last_30d", "team")
    everything = sum(fact.value for fact in teams)
    for fact in teams:
        before = fact.previous
        if before is None or fact.value < max(BUGS_OPEN, BUGS_RATIO * before):
            continue
        if count_surprise(fact.value, before) >= THEME_SIGMAS:
            part = (fact.value - before) / everything if everything > 0 else 0.0
            came = next((reported[team] for team in reported if reported[team].subject == fact.subject), None)
            evidence = (came if came and came.direction == "up" else None,)
            yield search.story("bug_pile", "team", fact, part * search.size.monthly, evidence)


def falling_usage(search: Search, told: Sequence[Story]) -> Iterator[Story]:
    """The product as a whole is used less on a working day than in the 30 days before, and than it usually moves."""
    fact = search.facts.total("product_actions", "last_30d")
    if fact is None or fact.previous is None or fact.previous_period is None or fact.direction != "down":
        return
    length = (fact.period.end - fact.period.start).days + 1
    if missing_days(fact.period.end, fact.as_of) > MISSING_SHARE * length:
        return
    now, before = _a_working_day(fact.value, fact.period), _a_working_day(fact.previous, fact.previous_period)
    months = [
        _a_working_day(month.value, month.period)
        for month in search.facts.series("product_actions", "month")
        if is_whole_month(month.period.start, month.period.end)
    ]
    if before <= 0 or (now - before) / before > -USE_FALL or move_surprise(months, now - before) > -STANDS_OUT:
        return
    evidence = tuple(
        other
        for metric in ("daily_users", "active_accounts")
        if (other := search.facts.total(metric, "last_30d")) is not None and other.direction == "down"
    )
    yield search.story(
        "falling_usage", "metric", fact, (before - now) / before * MONTHS_OF_EFFECT * search.size.monthly, evidence
    )


def _a_working_day(value: float, period: Period) -> float:
    """A period's value for each of its working days: months and spans of 30 days have more or fewer of them."""
    return value / max(1, weekdays_in(period.start, period.end))


THEMES: tuple[Callable[[Search, Sequence[Story]], Iterator[Story]], ...] = (rising_topic, bug_pile, falling_usage)
