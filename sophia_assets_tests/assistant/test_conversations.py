"""Short questions that complete the one before, and whole ones that do not."""

from __future__ import annotations

import pytest

from sophia_assets.assistant.interface import Intent
from sophia_assets_tests.assistant.small_ground import read, unread

FIRST = "How much did we book this quarter?"


def test_another_time_keeps_the_figure() -> None:
    found = read(FIRST, "and last month?")
    assert found.metrics == ("bookings",)
    assert found.period is not None
    assert found.period.key == "month.2026-10"


def test_the_time_before_is_told_from_the_one_that_was_asked_for() -> None:
    found = read("bookings last month", "and the month before?")
    assert found.period is not None
    assert found.period.key == "month.2026-09"


def test_another_figure_keeps_time_and_names() -> None:
    found = read("bookings of Joel in Q3", "and the win rate?")
    assert (found.metrics, found.period and found.period.key) == (("win_rate",), "quarter.2026-q3")
    assert found.filters[0].names == ("Joel Fischer",)


@pytest.mark.parametrize(
    ("short", "intent"),
    [("by owner?", Intent.BREAKDOWN), ("why?", Intent.EXPLANATION), ("show the trend", Intent.TREND),
     ("how is that calculated?", Intent.DEFINITION)],
)  # fmt: skip
def test_a_short_question_asks_for_another_kind_of_answer(short: str, intent: Intent) -> None:
    found = read(FIRST, short)
    assert (found.intent, found.metrics) == (intent, ("bookings",))


def test_a_name_replaces_one_of_its_kind_and_joins_others() -> None:
    found = read("bookings this quarter", "what about Joel?", "only construction", "and Agnes Holt?")
    assert {each.dimension: each.names for each in found.filters} == {
        "industry": ("Construction",),
        "owner": ("Agnes Holt",),
    }


def test_a_number_shortens_a_list() -> None:
    found = read("bookings by owner this quarter", "and the top 3?")
    assert (found.intent, found.dimension, found.limit) == (Intent.RANKING, "owner", 3)


def test_who_means_what_was_listed() -> None:
    assert read("open bugs by team", "who has the most?").dimension == "team"


def test_they_are_those_who_were_spoken_of() -> None:
    found = read("How is Acme doing?", "how many open bugs do they have?")
    assert found.filters[0].names == ("Acme Tooling Ltd",)
    said = read("How is Acme doing?", "what did they say about pricing?")
    assert (said.intent, said.search, said.filters[0].ids) == (Intent.QUOTES, ("pricing",), ("1",))


def test_a_whole_question_inherits_nothing() -> None:
    found = read("bookings of Joel in Q3", "How many open bugs are there?")
    assert (found.metrics, found.period, found.filters) == (("open_bugs",), None, ())


@pytest.mark.parametrize("short", ["and last month?", "why?", "by owner?", "what about it?", "and the top 3?"])
def test_a_short_question_with_nothing_before_it_is_asked_back(short: str) -> None:
    assert unread(short).status == "clarify"


def test_a_question_that_was_not_understood_is_not_completed() -> None:
    assert unread("bookings of Joel", "employees of the moon", "and last month?").status == "clarify"


def test_only_the_newest_questions_are_looked_back_on() -> None:
    assert unread(FIRST, *["blorp"] * 6, "and last month?").status == "clarify"


def test_the_same_conversation_is_read_the_same_each_time() -> None:
    turns = (FIRST, "what about Joel?", "and in Q3?", "by industry")
    assert read(*turns) == read(*turns)
