"""The settings of the language models: who writes, with which model, until when, and for how much money a day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from sophia_assets.errors import ConfigurationError
from sophia_assets.settings import reading
from sophia_assets.settings.breakers import PROVIDERS

OFFLINE = "offline"
WRITERS = (OFFLINE, *PROVIDERS)
MODES = ("sandbox", "live", "off")
DEFAULT_MODELS = {"anthropic": "claude-sonnet-5-5", "openai": "gpt-5.5"}
BUDGET = "SOPHIA_LLM_DAILY_BUDGET_USD"
LLM_CACHE_SECONDS = "SOPHIA_LLM_CACHE_SECONDS"
ANSWERS_KEPT_S = 7 * 86_400
_MOST_MONEY = 100_000


@dataclass(frozen=True)
class Price:
    """What a model costs, in US dollars per million tokens."""

    input: Decimal
    output: Decimal


@dataclass(frozen=True)
class LlmSettings:
    """Who writes and how.

    `writer` is `offline`, or the provider that is asked first. `modes` says of each provider whether its real API is
    asked (`live`, the default where its key is set), the sandbox's stand-in (`sandbox`), or neither (`off`). A live
    provider is never stood in for by a sandboxed one, nor the other way round. `deadline_seconds` bounds the writing
    of one briefing, `daily_budget_usd` the money of one business day (0: no model is asked), `cache_seconds` how long
    the answer to an identical request is kept (0: not at all). `prices` are those of providers' models that have no
    list price here, where they are set.
    """

    writer: str
    modes: Mapping[str, str]
    models: Mapping[str, str]
    deadline_seconds: float
    daily_budget_usd: Decimal
    addresses: Mapping[str, str]
    keys: Mapping[str, str] = field(repr=False)
    prices: Mapping[str, Price] = field(default_factory=dict)
    cache_seconds: int = ANSWERS_KEPT_S

    @property
    def chain(self) -> tuple[str, ...]:
        """The providers that may write, the first one first; empty for the offline writer."""
        if self.writer == OFFLINE:
            return ()
        mode = self.modes[self.writer]
        others = (name for name in PROVIDERS if name != self.writer and self.modes[name] == mode)
        return (self.writer, *others) if mode != "off" else ()

    @property
    def simulated(self) -> frozenset[str]:
        """The providers whose calls cost nobody money: the sandbox's stand-ins, unless an address leads elsewhere."""
        return frozenset(
            name for name, mode in self.modes.items() if mode == "sandbox" and not self.addresses.get(name)
        )


def read_llm(environment: Mapping[str, str]) -> LlmSettings:
    """The settings of the models. Raises ConfigurationError naming the setting, its value and what is allowed."""
    keys = {name: environment.get(f"{name.upper()}_API_KEY", "").strip() for name in PROVIDERS}
    modes = {
        name: reading.choice(environment, f"SOPHIA_{name.upper()}_MODE", MODES, "live" if keys[name] else "sandbox")
        for name in PROVIDERS
    }
    writer = reading.choice(environment, "SOPHIA_WRITER", WRITERS, OFFLINE)
    if writer != OFFLINE and modes[writer] == "live" and not keys[writer]:
        raise ConfigurationError(
            f"SOPHIA_WRITER is {writer}, but {writer.upper()}_API_KEY is not set",
            remedy=f"Set it in .env, or set SOPHIA_WRITER=offline or SOPHIA_{writer.upper()}_MODE=sandbox",
        )
    return LlmSettings(
        writer=writer,
        modes=modes,
        models={name: _model(environment, name) for name in PROVIDERS},
        deadline_seconds=reading.number(environment, "SOPHIA_LLM_DEADLINE_SECONDS", 60.0, 1.0, 600.0),
        daily_budget_usd=_money(environment, BUDGET, "5.00"),
        addresses={name: _address(environment, name) for name in PROVIDERS},
        keys=keys,
        prices=_prices(environment),
        cache_seconds=reading.integer(environment, LLM_CACHE_SECONDS, ANSWERS_KEPT_S, 0, 366 * 86_400),
    )


def _model(environment: Mapping[str, str], provider: str) -> str:
    setting = f"SOPHIA_{provider.upper()}_MODEL"
    name = (environment.get(setting) or "").strip() or DEFAULT_MODELS[provider]
    if len(name) > 200 or not name.isprintable() or " " in name:
        raise ConfigurationError(f"{setting} is {name[:60]!r}", remedy=f"Write it as {DEFAULT_MODELS[provider]}")
    return name


def _address(environment: Mapping[str, str], provider: str) -> str:
    example = {"anthropic": "https://api.anthropic.com", "openai": "https://api.openai.com/v1"}[provider]
    return reading.address(environment, f"{provider.upper()}_BASE_URL", ("https", "http"), example) or ""


def _money(environment: Mapping[str, str], name: str, default: str) -> Decimal:
    text = environment.get(name) or default
    amount = _amount(text)
    if amount is None:
        raise ConfigurationError(f"{name} is {text!r}", remedy="Allowed: an amount in US dollars such as 5.00, or 0")
    return amount


def _prices(environment: Mapping[str, str]) -> dict[str, Price]:
    found = {}
    for provider in PROVIDERS:
        name = f"SOPHIA_{provider.upper()}_PRICE"
        text = environment.get(name)
        if not text:
            continue
        amounts = [_amount(part) for part in text.split(",")]
        if len(amounts) != 2 or amounts[0] is None or amounts[1] is None:
            raise ConfigurationError(
                f"{name} is {text!r}",
                remedy="Allowed: input,output in US dollars per million tokens, such as 3.00,15.00",
            )
        found[provider] = Price(amounts[0], amounts[1])
    return found


def _amount(text: str) -> Decimal | None:
    """An amount of US dollars from 0 to 100,000, or None for anything else."""
    try:
        amount = Decimal(text.strip())
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount <= _MOST_MONEY else None
