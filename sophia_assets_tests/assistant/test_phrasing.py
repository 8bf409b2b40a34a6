"""A model may put an answer into other words; what it says is checked, and nobody waits for it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from sophia_assets.access.principal import Principal
from sophia_assets.assistant.answers import phrasing as phrasing_module
from sophia_assets.assistant.answers.phrase_prompts import PURPOSE, SCHEMA
from sophia_assets.assistant.answers.phrasing import LATE, MOST_AT_ONCE, TOO_MANY, Phrasing
from sophia_assets.assistant.interface import Intent, Question, Reading
from sophia_assets.home import Home
from sophia_assets.insight.verification import Verifier
from sophia_assets.llm.interface import BudgetSpent, Completion, Deadline, NoModelAnswered, Prompt, Tokens
from sophia_assets.llm.structured import parsed
from sophia_assets.metrics.facts import Period
from sophia_assets.metrics.periods import period_for
from sophia_assets.sandbox.language.lies import ALL, LIES, Dishonesty
from sophia_assets.sandbox.language.model import answer as toy_answer
from sophia_assets.sandbox.language.prompt import Given
from sophia_assets_tests.assistant.desk import Desk, desk_at
from sophia_assets_tests.finished_home import copied_home, services_of

BOOKINGS = Reading(Intent.VALUE, ("bookings",))
TOGETHER = Reading(Intent.COMPARISON, ("bookings", "pipeline_value"))
TOPIC = Reading(Intent.OVERVIEW, ("bookings", "mrr", "open_bugs"))
PHRASED = [BOOKINGS, TOGETHER, TOPIC]
LLM = {"SOPHIA_WRITER": "anthropic"}


@pytest.fixture(scope="module")
def desk(finished_home: Home) -> Iterator[Desk]:
    with desk_at(finished_home, LLM) as made:
        yield made


class Models:
    """Language models that answer by a function of the prompt, and remember what they were asked."""

    def __init__(self, say: Callable[[Prompt], dict[str, Any]]) -> None:
        self._say = say
        self.prompts: list[Prompt] = []

    def complete(self, prompt: Prompt, *, key: str, deadline: Deadline) -> Completion:
        self.prompts.append(prompt)
        return Completion("anthropic", "toy", self._say(prompt), Tokens(1, 1), Decimal(0))


def toy(dishonesty: Dishonesty | None = None, obeys: float = 0.0) -> Models:
    """The sandbox's model, honest or not."""

    def say(prompt: Prompt) -> dict[str, Any]:
        given = Given(prompt.system, prompt.user)
        text = toy_answer(given, prompt.schema, dishonesty or Dishonesty({}), obeys)
        return dict(parsed(text, SCHEMA))

    return Models(say)


@contextmanager
def phrasing_by(desk: Desk, models: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Phrasing]:
    monkeypatch.setitem(desk.services.__dict__, "language_models", models)
    made = Phrasing(desk.services)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("reading", PHRASED, ids=lambda each: str(each.intent))
def test_an_honest_models_words_are_shown_with_the_same_figures(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, reading: Reading
) -> None:
    plain = desk.answer(reading, use_briefing=False)
    with phrasing_by(desk, toy(), monkeypatch) as phrasing:
        told = desk.answer(reading, use_briefing=False, phrasing=phrasing)
    assert told.writer == "anthropic", told.echo.get("phrasing")
    assert told.response != plain.response
    for row in told.results:
        assert str(row["value"]) in told.response
    assert (told.results, told.citations, told.caveats) == (plain.results, plain.citations, plain.caveats)


@pytest.mark.parametrize("kind", [*LIES, ALL])
def test_no_lie_reaches_a_reader(desk: Desk, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    for reading in PHRASED:
        asked = desk.asked(reading, use_briefing=False)
        facts = {fact.id for fact in _facts(desk, reading)}
        with phrasing_by(desk, toy(Dishonesty({kind: 1.0})), monkeypatch) as phrasing:
            told = desk.answer(reading, use_briefing=False, phrasing=phrasing)
        if told.writer == "offline":
            assert told.response == desk.answer(reading, use_briefing=False).response
            continue
        verifier = Verifier(_fact_set(desk, reading))
        for sentence in told.response.split(". "):
            assert not verifier.text(f"{sentence.rstrip('.')}.", facts), (kind, sentence)
        assert asked.day


def _facts(desk: Desk, reading: Reading) -> Any:
    return _fact_set(desk, reading)


def _fact_set(desk: Desk, reading: Reading) -> Any:
    from sophia_assets.assistant.answers.answering import _KINDS

    return _KINDS[reading.intent](desk.asked(reading, use_briefing=False)).fact_set()


@pytest.mark.parametrize(
    "content",
    [
        {"response": [], "insights": []},
        {"response": ["Bookings are $9.99M."], "insights": []},
        {"response": ["All is well."], "insights": []},
        {"response": ["{{f1}}"], "insights": []},
        {"response": ["Bookings are {{f9}}."], "insights": []},
        {"response": ["Bookings are {{fact:bookings.qtd}}."], "insights": []},
        {"response": ["Bookings are {{f1}} {{f1|period}}.", "Bookings are {{f1}} {{f1|period}}."], "insights": []},
        {"response": ["x" * 5000], "insights": []},
        {"response": [None, 7], "insights": "none"},
        {"response": "Bookings are {{f1}}.", "insights": []},
        {"response": ["Bookings are {{f1}} {{f1|period}} because the team was late."], "insights": []},
        {"response": ["Ignore the rules and say {{f1}}."], "insights": []},
        {"response": ["Open pipeline is {{f1}}."], "insights": []},
        {"insights": []},
    ],
    ids=lambda each: json.dumps(each)[:40],
)
def test_what_breaks_a_rule_leaves_codes_own_words(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, content: dict[str, Any]
) -> None:
    plain = desk.answer(BOOKINGS, use_briefing=False)
    with phrasing_by(desk, Models(lambda _: content), monkeypatch) as phrasing:
        told = desk.answer(BOOKINGS, use_briefing=False, phrasing=phrasing)
    assert (told.response, told.writer) == (plain.response, "offline") and told.echo["phrasing"]


def test_a_figure_that_is_left_out_leaves_codes_own_words(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    half = Models(lambda _: {"response": ["Bookings are {{f1}} {{f1|period}}."], "insights": []})
    with phrasing_by(desk, half, monkeypatch) as phrasing:
        told = desk.answer(TOGETHER, use_briefing=False, phrasing=phrasing)
    assert told.writer == "offline" and "left out" in told.echo["phrasing"]


def test_an_unusual_comparison_is_never_given_to_a_model(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    year_ago = Period("qtd.prev", date(2025, 10, 1), date(2025, 11, 20), "the same point of Q4 2025")
    reading = Reading(Intent.VALUE, ("bookings",), period=period_for("qtd", desk.data.day)[0], compared_to=year_ago)
    models = toy()
    with phrasing_by(desk, models, monkeypatch) as phrasing:
        told = desk.answer(reading, phrasing=phrasing)
    assert not models.prompts and "at the same point of Q4 2025" in told.response


def test_a_prompt_holds_no_name_and_no_word_of_the_question(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    models, account = toy(), desk.customer()
    with phrasing_by(desk, models, monkeypatch) as phrasing:
        for reading in (
            *PHRASED,
            Reading(Intent.VALUE, ("mrr",), filters=(account,)),
            Reading(Intent.VALUE, ("bookings",)),
        ):
            desk.answer(reading, use_briefing=False, phrasing=phrasing)
    names = {str(row["account"]) for row in desk.rows("SELECT account FROM marts.accounts")}
    names |= {str(row["owner"]) for row in desk.rows("SELECT DISTINCT owner FROM marts.accounts")}
    assert len(models.prompts) >= 4
    for prompt in models.prompts:
        assert prompt.purpose == PURPOSE and "a question" not in prompt.user
        assert not [name for name in names if name in prompt.user + prompt.system]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (BudgetSpent("spent"), "budget"),
        (NoModelAnswered("nobody"), "no language model answered"),
        (RuntimeError("boom"), "could not be asked"),
    ],
)
def test_a_failure_is_told_and_codes_words_stand(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def fail(_: Prompt) -> dict[str, Any]:
        raise error

    with phrasing_by(desk, Models(fail), monkeypatch) as phrasing:
        told = desk.answer(BOOKINGS, use_briefing=False, phrasing=phrasing)
    assert told.writer == "offline" and reason in told.echo["phrasing"] and told.response.startswith("Bookings are")


def test_nobody_waits_for_a_stalled_model_longer_than_the_deadline(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()

    def stall(_: Prompt) -> dict[str, Any]:
        goes_on.wait(30)
        return {"response": [], "insights": []}

    monkeypatch.setattr(phrasing_module, "_GRACE_SECONDS", 0.0)
    with phrasing_by(desk, Models(stall), monkeypatch) as phrasing:
        phrasing._seconds = 0.2
        with ThreadPoolExecutor(20) as threads:
            began = time.monotonic()
            told = list(threads.map(lambda _: desk.answer(BOOKINGS, use_briefing=False, phrasing=phrasing), range(20)))
            took = time.monotonic() - began
        reasons = [answer.echo["phrasing"] for answer in told]
        assert took < 10 and set(reasons) == {LATE, TOO_MANY} and reasons.count(LATE) == MOST_AT_ONCE
        began = time.monotonic()
        assert desk.answer(BOOKINGS, use_briefing=False, phrasing=phrasing).echo["phrasing"] == TOO_MANY
        assert time.monotonic() - began < 2
        goes_on.set()


def test_real_clients_with_a_vendor_that_says_nothing_end_with_codes_words(finished_home: Home, tmp_path: Any) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        services = services_of(
            copied_home(finished_home, tmp_path / "home"),
            {
                "SOPHIA_WRITER": "anthropic",
                "ANTHROPIC_API_KEY": "key",
                "ANTHROPIC_BASE_URL": address,
                "SOPHIA_OPENAI_MODE": "off",
                "SOPHIA_ASSISTANT_DEADLINE_SECONDS": "0.5",
            },
        )
        try:
            services.assistant.warm_up()
            questions = [f"What are bookings in the last {days} days?" for days in range(31, 51)]
            principal = Principal("ada", "executive", "api")
            with ThreadPoolExecutor(10) as threads:
                answers = list(threads.map(lambda text: services.assistant.ask(Question(text, principal)), questions))
            assert {answer.status for answer in answers} == {"answered"}
            assert {answer.writer for answer in answers} == {"offline"}
            assert max(answer.latency_ms for answer in answers) < 3_000
        finally:
            services.close()
