"""Providers, a ledger and a cache that do what a test says, and language models made of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from sophia_assets.control.breaker import BreakerPolicy, Circuit
from sophia_assets.control.circuits import Circuits
from sophia_assets.control.store import ControlStore
from sophia_assets.llm.calling import LanguageModels, Patience
from sophia_assets.llm.interface import (
    Completion,
    Deadline,
    FailureKind,
    ModelError,
    Prompt,
    Provider,
    RawAnswer,
    Tokens,
)
from sophia_assets_tests.llm.vendors import PROMPT, TEXT

COST = Decimal("0.01")
POLICY = BreakerPolicy(failure_threshold=3, jitter=0.0, recovery_timeout=timedelta(seconds=60))

Outcome = str | FailureKind | BaseException | float | Callable[[Prompt], str]


@dataclass
class Clock:
    """Time that passes only where somebody says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Scripted:
    """A provider that plays outcomes, the last one again and again: a text, a kind of failure, an exception, a text
    made from the prompt, or a number of seconds of which it stalls as many as it is given (on `clock`)."""

    name: str
    outcomes: list[Outcome] = field(default_factory=lambda: [TEXT])
    model: str = "model-1"
    prompts: list[Prompt] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    retry_after: float | None = None
    clock: Clock = field(default_factory=Clock)
    seconds_to_load: float = 0.0

    def complete(self, prompt: Prompt, *, seconds: float) -> RawAnswer:
        self.prompts.append(prompt)
        self.seconds.append(seconds)
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, BaseException):
            raise outcome
        if isinstance(outcome, float):
            self.clock.now += min(outcome, seconds)
            outcome = FailureKind.TIMEOUT
        if isinstance(outcome, FailureKind):
            raise ModelError(
                outcome,
                f"failed with {outcome}",
                provider=self.name,
                tokens=Tokens(7, 3),
                retry_after=self.retry_after,
                partial="par",
            )
        text = outcome if isinstance(outcome, str) else outcome(prompt)
        return RawAnswer(text, f"{self.model}-dated", Tokens(100, 20), "req-1")

    def estimate(self, prompt: Prompt) -> int:
        self.clock.now += self.seconds_to_load
        return len(prompt.user)

    @property
    def calls(self) -> int:
        return len(self.prompts)


@dataclass
class Recorded:
    """One call in the ledger; `ends` has all that it was told of its end."""

    provider: str
    key: str
    most_output: int
    input_estimate: int
    ends: list[tuple[str, Tokens | None]] = field(default_factory=list)
    failure: Exception | None = None

    def end(
        self,
        outcome: str,
        tokens: Tokens | None,
        *,
        model: str | None = None,
        request_id: str | None = None,
        partial: str = "",
    ) -> Decimal:
        self.ends.append((outcome, tokens))
        if self.failure:
            raise self.failure
        return COST


@dataclass
class ListLedger:
    """A ledger in memory, with money for so many calls."""

    money_for: int = 1000
    records: list[Recorded] = field(default_factory=list)
    refusal: Exception | None = None
    end_failure: Exception | None = None

    def begin(self, prompt: Prompt, *, key: str, provider: str, model: str, input_estimate: int) -> Recorded:
        if self.refusal and len(self.records) >= self.money_for:
            raise self.refusal
        record = Recorded(provider, key, prompt.max_output_tokens, input_estimate, failure=self.end_failure)
        self.records.append(record)
        return record

    @property
    def outcomes(self) -> list[str]:
        """How each call ended; each must have ended exactly once."""
        assert all(len(record.ends) == 1 for record in self.records), self.records
        return [record.ends[0][0] for record in self.records]


@dataclass
class ListAnswers:
    """A cache in memory."""

    kept: dict[tuple[str, tuple[str, ...]], Completion] = field(default_factory=dict)

    def get(self, prompt: Prompt, chain: tuple[str, ...]) -> Completion | None:
        return self.kept.get((repr(prompt), chain))

    def put(self, prompt: Prompt, chain: tuple[str, ...], completion: Completion) -> None:
        self.kept[(repr(prompt), chain)] = completion


class Place:
    """Language models over a real control store. A request's deadline is on `clock`, which waits and stalls move."""

    def __init__(self, store: ControlStore, *providers: Provider, policy: BreakerPolicy = POLICY) -> None:
        self.store = store
        self.clock = Clock()
        for provider in providers:
            if isinstance(provider, Scripted):
                provider.clock = self.clock
        self.circuits = Circuits(store, lambda _: policy)
        self.ledger, self.answers = ListLedger(), ListAnswers()
        self.order: Sequence[str] | None = None
        self.credential = "first"
        self.waits: list[float] = []
        self.models = LanguageModels(
            providers,
            preferred=lambda _, chain: chain if self.order is None else tuple(self.order),
            circuits=self.circuits,
            ledger=self.ledger,
            answers=self.answers,
            credential_of=lambda _: self.credential,
            lease_of=lambda _: policy.lease,
            patience=Patience(pause=0.02, least=0.05),
            sleep=self._sleep,
            chance=lambda: 0.0,
        )

    def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.clock.now += seconds
        time.sleep(seconds)

    def complete(self, prompt: Prompt = PROMPT, seconds: float = 5.0) -> Completion:
        return self.models.complete(prompt, key="daily 2026-11-20", deadline=Deadline.after(seconds, self.clock))

    def circuit(self, name: str) -> Circuit:
        return self.circuits.get(name)
