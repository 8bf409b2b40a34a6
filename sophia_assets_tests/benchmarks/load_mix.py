"""The reference mix of what readers do: which pages they open, and what they ask how often.

Belongs here: the mix, as data. The four first questions are those that every company asks; popular ones repeat, and
some are asked by nobody else.
"""

from __future__ import annotations

import random
from collections.abc import Callable

#: Questions with how often they are asked, by weight.
POPULAR: dict[str, int] = {
    "Top deals this quarter": 14,
    "Revenue trend": 14,
    "Compare sales performance with customer satisfaction": 12,
    "How is customer health?": 12,
    "What are bookings this quarter?": 8,
    "How is the pipeline?": 6,
    "Why did bookings change?": 4,
    "Win rate by owner": 4,
    "How many urgent bugs are open?": 4,
    "What is MRR?": 4,
    "Which accounts are at risk?": 4,
    "Customer satisfaction over the last 6 months": 3,
    "Bookings by industry this quarter": 3,
    "What do customers say about pricing?": 3,
    "How fresh is the data?": 3,
    "What does win rate mean?": 2,
}
_METRICS = (
    "bookings",
    "deals won",
    "new deals",
    "customer calls",
    "bugs reported",
    "issues completed",
    "product sessions",
)
_SPANS = ("in {month}", "over the last {weeks} weeks", "between 3 {month} and 20 {month}", "since {month}")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October")
#: How large a part of the questions nobody else asks.
OWN_SHARE = 0.15


def popular(chance: random.Random) -> str:
    """A question that many ask."""
    return chance.choices(list(POPULAR), list(POPULAR.values()))[0]


def own(chance: random.Random) -> str:
    """A question of one's own."""
    span = chance.choice(_SPANS).format(month=chance.choice(_MONTHS), weeks=chance.randint(2, 30))
    return f"{chance.choice(_METRICS)} {span}"


def question(chance: random.Random) -> str:
    """The next question of a reader."""
    choose: Callable[[random.Random], str] = own if chance.random() < OWN_SHARE else popular
    return choose(chance)
