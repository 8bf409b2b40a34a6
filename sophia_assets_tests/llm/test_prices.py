"""Calls cost what the vendors' lists say, and never nothing by accident."""

from __future__ import annotations

import logging
import socket
from decimal import Decimal

import pytest

from sophia_assets.llm.interface import Tokens
from sophia_assets.llm.prices import Prices, dearest, dollars, nanos, shown
from sophia_assets.settings.llm import DEFAULT_MODELS, Price

MILLION = Tokens(input=1_000_000, output=1_000_000)


@pytest.mark.parametrize(("provider", "model"), DEFAULT_MODELS.items())
def test_the_default_models_have_a_list_price(
    provider: str, model: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a price was looked for on the net"))
    prices = Prices()

    assert prices.is_known(provider, model)
    assert prices.cost(provider, model, Tokens(1000, 1000)) > 0
    assert caplog.text == ""


def test_input_output_and_what_the_vendor_had_cached_have_prices_of_their_own() -> None:
    prices = Prices()
    given = prices.cost("openai", "gpt-5.5", Tokens(input=1_000))
    written = prices.cost("openai", "gpt-5.5", Tokens(output=1_000))
    cached = prices.cost("openai", "gpt-5.5", Tokens(input=1_000, cached_input=1_000))

    assert 0 < cached < given < written
    assert prices.cost("openai", "gpt-5.5", Tokens(1_000, 1_000)) == given + written


def test_a_model_of_the_sandbox_costs_what_the_real_one_would() -> None:
    prices = Prices()
    for provider, model in DEFAULT_MODELS.items():
        assert prices.cost(provider, f"{model}-sandbox", MILLION) == prices.cost(provider, model, MILLION)


@pytest.mark.parametrize("model", ["gpt-77", "", "tts-1", "whisper-1", "gpt-5.5; DROP TABLE", "x" * 5_000])
def test_a_model_without_a_price_counts_as_the_dearest_and_is_told_once(
    model: str, caplog: pytest.LogCaptureFixture
) -> None:
    prices = Prices()
    with caplog.at_level(logging.WARNING):
        costs = {prices.cost("openai", model, Tokens(1000, 1000)) for _ in range(3)}

    most = dearest("openai")
    assert costs == {(most.input + most.output) / 1000}
    assert costs.pop() >= prices.cost("openai", "o1-pro", Tokens(1000, 1000))
    assert len(caplog.records) == 1 and "SOPHIA_OPENAI_PRICE=input,output" in caplog.text


def test_a_model_without_a_list_price_costs_what_is_set(caplog: pytest.LogCaptureFixture) -> None:
    prices = Prices({"openai": Price(Decimal("3"), Decimal("15"))})

    assert prices.cost("openai", "our-own-model", Tokens(2_000_000, 1_000_000)) == Decimal(21)
    assert prices.cost("openai", "gpt-5.5", MILLION) == Prices().cost("openai", "gpt-5.5", MILLION)
    assert caplog.text == ""


def test_a_vendor_that_nobody_knows_is_dear() -> None:
    assert Prices().cost("nobody", "model", Tokens(1000, 1000)) >= Decimal("0.5")


def test_the_worst_cost_is_never_below_the_real_one() -> None:
    prices = Prices()
    worst = prices.worst_cost("anthropic", "claude-sonnet-5-5", 1000, 500)
    for cached in (0, 500, 1000):
        for written in (0, 499, 500):
            assert prices.cost("anthropic", "claude-sonnet-5-5", Tokens(1000, written, cached)) <= worst


@pytest.mark.parametrize(
    "tokens", [Tokens(-5, -5, -5), Tokens(0, 0, 50), Tokens(10, 0, 10**12), Tokens(10**15, 10**15, 0)]
)
def test_what_a_vendor_cannot_mean_breaks_nothing(tokens: Tokens) -> None:
    assert 0 <= nanos(Prices().cost("openai", "gpt-5.5", tokens)) < 2**63


def test_money_is_kept_to_the_nano_dollar_and_rounded_up() -> None:
    assert dollars(nanos(Decimal("0.0000000011"))) == Decimal("0.000000002")
    assert dollars(nanos(Decimal("12.345678901"))) == Decimal("12.345678901")


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "$0.00"), ("0.000001", "$0.0001"), ("0.03124", "$0.0312"), ("1", "$1.00"), ("12345.678", "$12,345.68")],
)
def test_money_is_shown_as_people_read_it(amount: str, text: str) -> None:
    assert shown(Decimal(amount)) == text
