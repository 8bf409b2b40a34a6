"""Asking language models: who is asked, for how long, how often, and what a failure means for the next one.

Belongs here: the one loop of providers and tries. Does not belong here: a single call and its bookkeeping (`one_call`),
a vendor's wire (`anthropic_provider`, `openai_provider`), what a call costs (`usage`), or what is asked (`insight`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Protocol

from sophia_assets.control.circuits import Circuits
from sophia_assets.errors import ControlStoreUnavailable
from sophia_assets.llm.interface import (
    BudgetSpent,
    Completion,
    ContextOverflow,
    Deadline,
    FailureKind,
    ModelError,
    ModelRefused,
    NoModelAnswered,
    Prompt,
    Provider,
)
from sophia_assets.llm.one_call import (
    ALIVE_LATER,
    ANSWERED,
    INTERRUPTED,
    NOT_ASKED,
    UNEXPECTED,
    Caller,
    CallRecord,
    Ledger,
    Patience,
    Request,
    Turn,
)

__all__ = [
    "ANSWERED",
    "INTERRUPTED",
    "NOT_ASKED",
    "UNEXPECTED",
    "Answers",
    "CallRecord",
    "LanguageModels",
    "Ledger",
    "Patience",
]

_AT_ONCE_AGAIN = frozenset({FailureKind.WRONG_JSON, FailureKind.TRUNCATED})


class Answers(Protocol):
    """Answers to identical prompts, kept for a while."""

    def get(self, prompt: Prompt, chain: tuple[str, ...]) -> Completion | None:
        """The answer to exactly this prompt from one of the chain (`provider:model`), where it is kept."""
        ...

    def put(self, prompt: Prompt, chain: tuple[str, ...], completion: Completion) -> None:
        """Keeps an answer."""
        ...


class LanguageModels:
    """Asks the providers of a chain, one after the other, until one has answered or the time is over. Thread-safe.

    `preferred` gives the order for a briefing's or conversation's key, `credential_of` tells what opens a provider's
    account from what did before, `lease_of` how long a probe of its circuit may take.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        *,
        preferred: Callable[[str, tuple[str, ...]], tuple[str, ...]],
        circuits: Circuits,
        ledger: Ledger,
        answers: Answers,
        credential_of: Callable[[str], str] = lambda _: "",
        lease_of: Callable[[str], timedelta] = lambda _: timedelta(seconds=120),
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._providers = {provider.name: provider for provider in providers}
        self._preferred = preferred
        self._answers = answers
        self._one_by_one = Caller(circuits, ledger, credential_of, lease_of)
        self._patience = patience or Patience()
        self._sleep, self._chance = sleep, chance

    def complete(self, prompt: Prompt, *, key: str, deadline: Deadline) -> Completion:
        """A checked completion, from one provider alone, before the deadline.

        Raises ModelRefused, ContextOverflow, BudgetSpent, or NoModelAnswered for everything else.
        """
        order = [self._providers[name] for name in self._preferred(key, tuple(self._providers))]
        if not order:
            raise NoModelAnswered(
                "no language model may be asked",
                remedy="See SOPHIA_WRITER, and `sophia flags list` for the rollouts of the providers",
            )
        chain = tuple(f"{provider.name}:{provider.model}" for provider in order)
        with _store_in_order():
            if kept := self._answers.get(prompt, chain):
                return replace(kept, from_cache=True, cost_usd=Decimal(0), calls=0, failures=())
            request = Request(prompt, key, deadline)
            turns = [Turn(provider) for provider in order]
            completion = self._first_round(request, turns) or self._second_round(request, turns)
            self._answers.put(prompt, chain, completion)
        return completion

    def _first_round(self, request: Request, turns: Sequence[Turn]) -> Completion | None:
        for number, turn in enumerate(turns):
            if completion := self._ask(request, turn, turns[number + 1 :]):
                return completion
        return None

    def _second_round(self, request: Request, turns: Sequence[Turn]) -> Completion:
        """Asks again those whose failure may have passed, the one that may be asked first before the others."""
        left = sorted((turn for turn in turns if turn.is_open(self._patience)), key=lambda turn: turn.ready_at)
        for number, turn in enumerate(left):
            wait = turn.ready_at - request.now
            if wait + self._patience.least >= request.deadline.left:
                continue
            if wait > 0:
                self._sleep(wait)
            if completion := self._ask(request, turn, left[number + 1 :]):
                return completion
        raise request.nobody(turns)

    def _ask(self, request: Request, turn: Turn, others: Sequence[Turn]) -> Completion | None:
        """Asks one provider; at once again where its answer was not what was asked for."""
        while turn.is_open(self._patience) and request.deadline.left >= self._patience.least:
            try:
                return self._one_by_one.call(request, turn, partial(self._share, request, others))
            except ModelError as failed:
                error = failed
            except BudgetSpent as spent:
                spent.failures = spent.failures or tuple(request.failures)
                raise
            request.failures.append(error)
            self._judge(request, turn, error)
            if error.kind not in _AT_ONCE_AGAIN:
                return None
        return None

    def _share(self, request: Request, others: Sequence[Turn]) -> float:
        """How long a call may take: half of what is left while another is to be asked after it; 0 for not at all."""
        left = request.deadline.left
        if left < self._patience.least:
            return 0.0
        if any(other.is_open(self._patience) and self._one_by_one.may_ask(other) for other in others):
            return max(left / 2, self._patience.least)
        return left

    def _judge(self, request: Request, turn: Turn, error: ModelError) -> None:
        """What a failure means for the request. Raises where it means that nobody else is to be asked."""
        if error.kind is FailureKind.REFUSAL:
            raise ModelRefused(str(error), tuple(request.failures))
        if error.kind is FailureKind.CONTEXT_OVERFLOW:
            raise ContextOverflow(str(error), tuple(request.failures))
        if error.kind is FailureKind.TRUNCATED:
            request.give_room()
        if error.kind in ALIVE_LATER:
            pause = self._patience.wait(max(1, turn.tries), self._chance())
            turn.ready_at = request.now + max(pause, (error.retry_after or 0.0) + pause / 10)
        elif error.kind not in _AT_ONCE_AGAIN:
            turn.is_over = True


@contextmanager
def _store_in_order() -> Iterator[None]:
    """Nothing is asked that cannot be accounted for."""
    try:
        yield
    except ControlStoreUnavailable as error:
        raise NoModelAnswered(f"no language model is asked: {error.message}", remedy=error.remedy) from error
