"""What is asked of a model and what comes back: prompts, completions, and every way in which a call can fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from sophia_assets.errors import SophiaError


@dataclass(frozen=True)
class Prompt:
    """One request for structured output.

    `purpose` (`briefing.write`, `briefing.criticise`, `briefing.revise`, `answer.phrase`) and `version` stand in the
    ledger; `schema` is a JSON schema that both vendors' structured output takes (every property required, no
    additional ones). A prompt is equal to another where every field is: the cache of answers relies on that.
    """

    purpose: str
    version: str
    system: str
    user: str
    schema_name: str
    schema: Mapping[str, Any]
    max_output_tokens: int = 4_000


@dataclass(frozen=True)
class Tokens:
    """What a call used. `cached_input` is the part of `input` that the vendor read from its own cache."""

    input: int = 0
    output: int = 0
    cached_input: int = 0


@dataclass(frozen=True)
class RawAnswer:
    """What a provider's wire gave for one call that ended well: `text` is complete, and not yet parsed."""

    text: str
    model: str
    tokens: Tokens
    request_id: str | None = None


@dataclass(frozen=True)
class Completion:
    """A model's answer as parsed JSON that meets the prompt's schema, with what it cost.

    `cost_usd` is that of the call which gave the answer; one `from_cache` cost nothing. `calls` counts every call
    that was made for it, failed ones too.
    """

    provider: str
    model: str
    content: Mapping[str, Any]
    tokens: Tokens
    cost_usd: Decimal
    calls: int = 1
    from_cache: bool = False
    request_id: str | None = None
    failures: tuple[ModelError, ...] = ()


class FailureKind(StrEnum):
    """How a call can fail; the words stand in the ledger, in metrics and in reviews."""

    CONNECTION = "connection"
    TIMEOUT = "timeout"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    RATE_LIMITED = "rate_limited"
    QUOTA = "quota"
    AUTHENTICATION = "authentication"
    BAD_REQUEST = "bad_request"
    CONTEXT_OVERFLOW = "context_overflow"
    REFUSAL = "refusal"
    CUT = "cut"
    TRUNCATED = "truncated"
    WRONG_JSON = "wrong_json"


class ModelError(SophiaError):
    """One call to a model that gave nothing usable. `tokens` is what it used all the same, as far as is known.

    `retry_after` is in seconds, where the vendor named them.
    """

    def __init__(
        self,
        kind: FailureKind,
        message: str,
        *,
        provider: str,
        tokens: Tokens | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
        partial: str = "",
    ) -> None:
        super().__init__(message, system=provider, request_id=request_id)
        self.kind = kind
        self.provider = provider
        self.tokens = tokens
        self.retry_after = retry_after
        self.partial = partial


class NoModelAnswered(SophiaError):
    """No provider gave a usable answer in time; `failures` says what each was asked and how it failed."""

    def __init__(self, message: str, failures: tuple[ModelError, ...] = (), *, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.failures = failures


class ModelRefused(NoModelAnswered):
    """A model refused. No other is asked the same: the deterministic way takes over."""


class ContextOverflow(NoModelAnswered):
    """The prompt is longer than the model takes: it is compressed once and asked again."""


class BudgetSpent(NoModelAnswered):
    """The day's budget does not cover the call, so nothing was asked."""


@dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock by which all of a task has to be done, its retries and waits included."""

    at: float
    clock: Callable[[], float] = field(default=time.monotonic, compare=False)

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> Deadline:
        """A deadline that many seconds from now."""
        return cls(clock() + seconds, clock)

    @property
    def left(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self.at - self.clock())


class Provider(Protocol):
    """One vendor's model. Neither retries nor falls back: `calling.LanguageModels` does."""

    name: str
    model: str

    def complete(self, prompt: Prompt, *, seconds: float) -> RawAnswer:
        """Asks once, and returns within about `seconds` whatever happens. Raises ModelError."""
        ...

    def estimate(self, prompt: Prompt) -> int:
        """How many input tokens the prompt has, counted offline; rather too many than too few."""
        ...


class Models(Protocol):
    """What writers ask: `calling.LanguageModels`, or a test's own."""

    def complete(self, prompt: Prompt, *, key: str, deadline: Deadline) -> Completion:
        """A checked completion. `key` is the briefing's or conversation's id, which the rollout goes by.

        Raises ModelRefused, ContextOverflow, BudgetSpent, or NoModelAnswered for everything else.
        """
        ...
