"""What the ledger says was used is what the vendor would bill, however a call ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from sqlalchemy import func, select

from sophia_assets.control.schema import llm_calls
from sophia_assets.home import Home
from sophia_assets.insight.candidates import find_stories
from sophia_assets.insight.prompting import Prompts
from sophia_assets.llm.interface import Deadline, NoModelAnswered, Prompt, Tokens
from sophia_assets.llm.prices import Prices
from sophia_assets.llm.tokens import count_text
from sophia_assets.services import Services
from sophia_assets.settings import load_settings
from sophia_assets_tests.insight.sample_facts import sample_request
from sophia_assets_tests.sandbox.small_company import Served, served, small_company

FAULTS = (
    "",
    "refusal",
    "cut_stream",
    "overloaded",
    "overloaded_midstream",
    "quota",
    "truncated",
    "wrong_json",
    "wrong_schema",
    "empty_answer",
    "stall:0",
    "stall:5",
    "down",
    "errors:1",
    "auth",
    "rate_limit:30",
    "context_overflow:10",
)
_WITHIN = Decimal("0.01")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Served]:
    with served(small_company(), wait_for="listening") as running:
        yield running


@pytest.fixture(scope="module")
def prompt() -> Prompt:
    request = sample_request()
    stories = find_stories(request.facts, request.date, request.owners)
    return Prompts(replace(request, stories=tuple(stories)), lambda text: count_text(text, "gpt-5.5"), 12_000).writing()


@pytest.mark.parametrize("provider", ["anthropic", pytest.param("openai", marks=pytest.mark.long)])
@pytest.mark.parametrize("fault", FAULTS)
def test_the_ledger_is_within_one_percent_of_the_bill(
    sandbox: Served, prompt: Prompt, tmp_path: Path, provider: str, fault: str
) -> None:
    with closing(_services(tmp_path, sandbox, provider)) as services:
        _ask(services, prompt, times=3)
        before = _billed(sandbox, provider)
        recorded = _recorded(services)
        if fault:
            _control(sandbox, "/_control/faults", {"fault": f"{provider}:{fault}"})
        try:
            _ask(services, prompt, seconds=4.0)
        finally:
            _control(sandbox, f"/_control/faults?system={provider}", method="DELETE")
        billed = _less(_billed(sandbox, provider), before)
        used = _less(_recorded(services), recorded)
        model, prices = services.settings.llm.models[provider], Prices()
        price = prices.cost(provider, model, billed)
        assert abs(used.input - billed.input) <= _WITHIN * billed.input
        assert abs(prices.cost(provider, model, used) - price) <= _WITHIN * price


def _services(path: Path, sandbox: Served, provider: str) -> Services:
    settings = load_settings(
        {
            "SOPHIA_HOME": str(path),
            "SOPHIA_WRITER": provider,
            "SOPHIA_LLM_CACHE_SECONDS": "0",
            "SOPHIA_ANTHROPIC_MODE": "sandbox" if provider == "anthropic" else "off",
            "SOPHIA_OPENAI_MODE": "sandbox" if provider == "openai" else "off",
        }
    )
    return Services(settings, Home(path), sandbox_env=sandbox.env)


def _ask(services: Services, prompt: Prompt, *, times: int = 1, seconds: float = 30.0) -> None:
    for _ in range(times):
        with suppress(NoModelAnswered):
            services.language_models.complete(prompt, key="daily", deadline=Deadline.after(seconds))


def _recorded(services: Services) -> Tokens:
    """What the ledger holds of all calls that were made."""
    with services.control.reading() as connection:
        row = connection.execute(select(func.sum(llm_calls.c.input_tokens), func.sum(llm_calls.c.output_tokens))).one()
    return Tokens(int(row[0] or 0), int(row[1] or 0))


def _billed(sandbox: Served, provider: str) -> Tokens:
    found = _control(sandbox, "/_control/usage", method="GET")[provider]
    return Tokens(found["input_tokens"], found["output_tokens"])


def _less(after: Tokens, before: Tokens) -> Tokens:
    return Tokens(after.input - before.input, after.output - before.output)


def _control(sandbox: Served, path: str, body: object = None, *, method: str = "POST") -> dict[str, dict[str, int]]:
    address = sandbox.env["ANTHROPIC_BASE_URL"].rsplit("/anthropic", 1)[0] + path
    data = json.dumps(body).encode() if body is not None else None
    with urlopen(Request(address, data, {"content-type": "application/json"}, method=method)) as answer:
        found: dict[str, dict[str, int]] = json.loads(answer.read() or b"{}")
    return found
