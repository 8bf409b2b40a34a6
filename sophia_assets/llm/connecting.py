"""From settings to language models that can be asked: addresses, keys, accounts, and what stands around them.

Belongs here: wiring. Nothing is imported of a vendor, and nothing sent, before the first call.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from sophia_assets.control.flag_names import CACHING
from sophia_assets.errors import ConfigurationError, ConnectionFailed
from sophia_assets.ingestion.limiter import account_digest
from sophia_assets.llm import anthropic_provider, openai_provider
from sophia_assets.llm.answers import AnswerCache
from sophia_assets.llm.anthropic_provider import AnthropicProvider
from sophia_assets.llm.calling import LanguageModels
from sophia_assets.llm.openai_provider import OpenAIProvider
from sophia_assets.llm.sdk_provider import Access, Counting, SdkProvider
from sophia_assets.llm.tokens import count_output, count_prompt
from sophia_assets.llm.usage import UsageLedger

if TYPE_CHECKING:
    from sophia_assets.services import Services

_PROVIDERS: dict[str, type[SdkProvider]] = {"anthropic": AnthropicProvider, "openai": OpenAIProvider}
_ADDRESSES = {"anthropic": anthropic_provider.ADDRESS, "openai": openai_provider.ADDRESS}


def language_models(services: Services) -> LanguageModels:
    """The providers that the settings name, in one chain; it is empty for the offline writer.

    A sandbox that does not run yet is looked for with each call. Raises ConfigurationError for a key that is none.
    """
    settings = services.settings
    ledger = UsageLedger(services.control, settings.llm, timezone=settings.tzinfo)
    for name in settings.llm.chain:
        check_key(name, settings.llm.keys[name])

    def provider(name: str) -> SdkProvider:
        model = settings.llm.models[name]
        counting = Counting(
            prompt=lambda prompt: count_prompt(prompt, name, model, ledger.calibration),
            output=lambda text: count_output(text, name, model, ledger.calibration),
        )
        return _PROVIDERS[name](model, access_to(services, name), counting)

    return LanguageModels(
        [provider(name) for name in settings.llm.chain],
        preferred=services.flags.preferred_providers,
        circuits=services.circuits,
        ledger=ledger,
        answers=AnswerCache(
            services.control,
            settings.llm,
            is_enabled=lambda: services.flags.is_on(CACHING),
            timezone=settings.tzinfo,
            vault=services.vault,
            on_request=partial(services.count_request, "model_answer"),
        ),
        credential_of=partial(_account, services),
        lease_of=lambda name: settings.breaker_policy(name).lease,
    )


def access_to(services: Services, name: str) -> Callable[[], Access]:
    """What looks up where a provider is asked, and with which key; it raises ConnectionFailed without a sandbox."""
    settings = services.settings.llm

    def look() -> Access:
        if settings.modes[name] != "sandbox":
            return Access(settings.addresses[name] or _ADDRESSES[name], settings.keys[name])
        announced = services.connections.sandbox_env or {}
        address = settings.addresses[name] or announced.get(f"{name.upper()}_BASE_URL", "")
        if not address:
            raise ConnectionFailed(
                "the sandbox's stand-in is not running", remedy="Start it with `sophia sandbox up`", system=name
            )
        return Access(address, announced.get(f"{name.upper()}_API_KEY") or f"sandbox-{name}-key")

    return look


def _account(services: Services, name: str) -> str:
    """What tells what opens a provider's account from what did before, with neither address nor key in it.

    A sandbox has another address each time it is started; there it is the company that tells.
    """
    settings = services.settings.llm
    if settings.modes[name] == "sandbox":
        company = services.home.company()
        return f"sandbox {company.key if company else ''}"
    return account_digest(settings.addresses[name] or _ADDRESSES[name], settings.keys[name])


def check_key(name: str, key: str) -> None:
    """Raises ConfigurationError for a key that no header can hold: the errors of libraries would repeat it."""
    if not all("!" <= each <= "~" for each in key):
        raise ConfigurationError(
            f"{name.upper()}_API_KEY has blanks or characters that no key has",
            remedy=f"Copy it again from {name.title()}'s console",
        )
