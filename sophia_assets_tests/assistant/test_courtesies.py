"""What people say around a question is passed over, and nothing of the question with it."""

from __future__ import annotations

import time

import pytest

from sophia_assets.assistant.understanding.courtesy import courtesies_in
from sophia_assets.assistant.understanding.words import Line, cleaned, tokens_of


def left_of(text: str) -> str:
    """The words that no courtesy takes."""
    tokens = tokens_of(cleaned(text))
    taken = {place for tokens_of_one in courtesies_in(Line(tokens)) for place in tokens_of_one}
    return " ".join(token.folded for place, token in enumerate(tokens) if token.is_word and place not in taken)


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("Good morning! Would you be so kind as to tell me the win rate?", "tell me the win rate"),
        ("Morning. Pipeline by rep", "pipeline by rep"),
        ("Could you please help me understand why churn rose?", "why churn rose"),
        ("If it's not too much trouble, bookings by owner", "bookings by owner"),
        ("I'm preparing for a board meeting next Tuesday and would love to know our ARR", "our arr"),
        ("Before my call with Raventoft Robotics, how are they doing?", "raventoft robotics how are they doing"),
        ("Sorry to bother you, but how many meetings took place last week?", "how many meetings last week"),
        ("The state of the business in one paragraph", "the state of the business"),
    ],
)
def test_a_courtesy_is_passed_over_and_the_question_stays(said: str, left: str) -> None:
    assert left_of(said) == left


@pytest.mark.parametrize(
    "question",
    [
        "Share of bugs for the Apps team",
        "How many meetings did Agnes hold before October?",
        "bookings in one quarter",
        "calls with Holstead Freight",
        "Which customers would leave?",
    ],
)
def test_a_question_without_courtesies_stays_whole(question: str) -> None:
    assert left_of(question) == left_of(question).strip() == " ".join(cleaned(question).rstrip("?").casefold().split())


def test_long_garbage_takes_no_time() -> None:
    began = time.perf_counter()
    for text in ("i am preparing " * 40, "would you please " * 40, "in one short " * 40, "if it is not a " * 40):
        left_of(text)
    assert time.perf_counter() - began < 1
