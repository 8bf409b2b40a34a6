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


@dataclass(frozen=True)
class LlmSettings:
    """Who writes and how.

    `writer` is `offline`, or the provider that is asked first. `modes` says of each provider whether its real API is
    asked (`live`, the default where its key is set), the sandbox's stand-in (`sandbox`), or neither (`off`). A live
    provider is never stood in for by a sandboxed one, nor the other way round. `deadline_seconds` bounds the writing
    of one briefing, `daily_budget_usd` the money of one business day.
    """

    writer: str
    modes: Mapping[str, str]
    models: Mapping[str, str]
    deadline_seconds: float
    daily_budget_usd: Decimal
    addresses: Mapping[str, str]
    keys: Mapping[str, str] = field(repr=False)

    @property
    def chain(self) -> tuple[str, ...]:
        """The providers that may write, the first one first; empty for the offline writer."""
        if self.writer == OFFLINE:
            return ()
        mode = self.modes[self.writer]
        others = (name for name in PROVIDERS if name != self.writer and self.modes[name] == mode)
        return (self.writer, *others) if mode != "off" else ()


def read_llm(environment: Mapping[str, str]) -> LlmSettings:
    """The settings of the models. Raises ConfigurationError naming the setting, its value and what is allowed."""
    keys = {name: environment.get(f"{name.upper()}_API_KEY", "") for name in PROVIDERS}
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
        models={name: environment.get(f"SOPHIA_{name.upper()}_MODEL") or DEFAULT_MODELS[name] for name in PROVIDERS},
        deadline_seconds=reading.number(environment, "SOPHIA_LLM_DEADLINE_SECONDS", 60.0, 1.0, 600.0),
        daily_budget_usd=_money(environment, "SOPHIA_LLM_DAILY_BUDGET_USD", "5.00"),
        addresses={name: environment.get(f"{name.upper()}_BASE_URL", "") for name in PROVIDERS},
        keys=keys,
    )


def _money(environment: Mapping[str, str], name: str, default: str) -> Decimal:
    text = environment.get(name) or default
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or not 0 <= amount <= 100_000:
        raise ConfigurationError(f"{name} is {text!r}", remedy="Allowed: an amount in US dollars such as 5.00, or 0")
    return amount
