"""One call to one provider: let through by its circuit, in the ledger from beginning to end, and checked.

Belongs here: what happens around a single call. Does not belong here: who is asked next (`calling`), the circuits' own
rules (`control.breaker`), or money (`usage`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import TracebackType
from typing import Protocol, Self
from uuid import uuid4

from sophia_assets.control.breaker import Admission, Failure, Verdict
from sophia_assets.control.circuits import Circuits
from sophia_assets.errors import ControlStoreUnavailable, SophiaError, SourceError
from sophia_assets.llm.interface import (
    Completion,
    Deadline,
    FailureKind,
    ModelError,
    NoModelAnswered,
    Prompt,
    Provider,
    Tokens,
)
from sophia_assets.llm.structured import NotWhatWasAsked, parsed
from sophia_assets.telemetry.logs import get_logger

ANSWERED = "answered"
"""The outcome of a call that gave a usable answer; others are the words of `FailureKind`, and these three."""
INTERRUPTED = "interrupted"
UNEXPECTED = "unexpected"
NOT_ASKED = "not_asked"

# What a kind of failure says about the vendor; all others say nothing, since who answers is alive.
_IN_TROUBLE = frozenset(
    {
        FailureKind.CONNECTION,
        FailureKind.TIMEOUT,
        FailureKind.OVERLOADED,
        FailureKind.SERVER_ERROR,
        FailureKind.CUT,
    }
)
_NEEDS_SOMEBODY = frozenset({FailureKind.QUOTA, FailureKind.AUTHENTICATION})
ALIVE_LATER = _IN_TROUBLE | {FailureKind.RATE_LIMITED}
"""Failures that pass by themselves."""

# A probe has told its end well before its lease is over.
_SHARE_OF_LEASE = 0.75
# Clocks of the store's and of this process's may differ by so many seconds, and more, without harm.
_AFTER_LIMIT = 0.05

_log = get_logger(__name__)


class CallRecord(Protocol):
    """One call in the ledger, from before anything is sent until it has ended, however it ends."""

    def end(
        self,
        outcome: str,
        tokens: Tokens | None,
        *,
        model: str | None = None,
        request_id: str | None = None,
        partial: str = "",
    ) -> Decimal:
        """Records how the call ended, once, and returns what it cost in US dollars.

        `tokens` None means that nobody knows what was used: perhaps nothing, perhaps all of the input and output that
        was reserved. `Tokens()` means that nothing was. `partial` is what came of an answer that is not used.
        """
        ...


class Ledger(Protocol):
    """Knows what was used, and what may still be."""

    def begin(self, prompt: Prompt, *, key: str, provider: str, model: str, input_estimate: int) -> CallRecord:
        """Reserves the money for a call, before anything is sent. Raises BudgetSpent where there is not enough."""
        ...


@dataclass(frozen=True)
class Patience:
    """How often and how long one request is tried; all times are seconds.

    `tries` bounds the calls to one provider, `pause` is the wait before one is asked again (twice as long each time,
    less up to half of it by chance), and nothing is sent that would have less than `least`.
    """

    tries: int = 2
    pause: float = 0.5
    least: float = 0.3

    def wait(self, tries: int, chance: float) -> float:
        """How long to wait after that many tries; `chance` lies between 0 and 1."""
        return float(self.pause * 2 ** (tries - 1) * (1 - chance / 2))


class Turn:
    """One provider's part in a request. `ready_at` is on the deadline's clock; `why_not` why it was not asked."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.tries = 0
        self.ready_at = 0.0
        self.is_over = False
        self.why_not = ""

    def is_open(self, patience: Patience) -> bool:
        """Whether the provider may be asked, or asked again, for this request."""
        return not self.is_over and self.tries < patience.tries


class Request:
    """One prompt on its way to an answer, and how it has failed so far. `id` holds the probe, where it makes one."""

    def __init__(self, prompt: Prompt, key: str, deadline: Deadline) -> None:
        self.prompt = prompt
        self.key = key
        self.deadline = deadline
        self.id = uuid4().hex
        self.calls = 0
        self.failures: list[ModelError] = []
        self._most_output = prompt.max_output_tokens * 2

    @property
    def now(self) -> float:
        """The present on the deadline's clock."""
        return self.deadline.clock()

    def give_room(self) -> None:
        """Allows for an answer twice as long as was asked for."""
        self.prompt = replace(self.prompt, max_output_tokens=self._most_output)

    def nobody(self, turns: Sequence[Turn]) -> NoModelAnswered:
        """What it comes to where no provider is left, or no time."""
        told = [*map(str, self.failures), *(turn.why_not for turn in turns if turn.why_not)]
        what = "; ".join(told) or "the time was over before one could be asked"
        return NoModelAnswered(f"no language model has answered: {what}", tuple(self.failures))


class Caller:
    """Makes single calls. `credential_of` and `lease_of` are as in `calling.LanguageModels`."""

    def __init__(
        self,
        circuits: Circuits,
        ledger: Ledger,
        credential_of: Callable[[str], str],
        lease_of: Callable[[str], timedelta],
    ) -> None:
        self._circuits = circuits
        self._ledger = ledger
        self._credential_of = credential_of
        self._lease_of = lease_of

    def may_ask(self, turn: Turn) -> bool:
        """Whether the provider's circuit would let a call through now."""
        name = turn.provider.name
        admission = self._circuits.admission(name, self._credential_of(name))
        return admission.is_allowed or admission.verdict is Verdict.PROBE_DUE

    def call(self, request: Request, turn: Turn, share: Callable[[], float]) -> Completion | None:
        """The provider's answer; None where it was not asked, since its circuit is open or no time is left for it.

        `share` says how many seconds the call may take, once all is ready for it. Where a probe is due, this call is
        it, or another's is. Raises ModelError, BudgetSpent, and what nobody expects.
        """
        provider, credential = turn.provider, self._credential_of(turn.provider.name)
        admission = self._circuits.admission(provider.name, credential)
        if not admission.is_allowed and admission.verdict is not Verdict.PROBE_DUE:
            self._leave(request, turn, admission, credential)
            return None
        prompt = request.prompt
        estimate = provider.estimate(prompt)
        seconds = share()
        if seconds <= 0:
            return None
        begun = self._ledger.begin(
            prompt, key=request.key, provider=provider.name, model=provider.model, input_estimate=estimate
        )
        with _Entry(begun) as entry:
            owner = ""
            if not admission.is_allowed:
                if not self._circuits.take_probe(provider.name, request.id, credential):
                    entry.end(NOT_ASKED, Tokens())
                    self._leave(request, turn, self._circuits.admission(provider.name, credential), credential)
                    return None
                owner = request.id
                seconds = min(seconds, self._lease_of(provider.name).total_seconds() * _SHARE_OF_LEASE)
            turn.tries, turn.why_not, request.calls = turn.tries + 1, "", request.calls + 1
            completion = self._sent(turn.provider, prompt, seconds, entry, owner, credential)
        return replace(completion, calls=request.calls, failures=tuple(request.failures))

    def _sent(
        self, provider: Provider, prompt: Prompt, seconds: float, entry: _Entry, owner: str, credential: str
    ) -> Completion:
        """Asks, and tells the circuit how that went."""
        try:
            completion = _checked(provider, prompt, seconds, entry)
        except ModelError as error:
            self._tell(error, owner, credential)
            raise
        except Exception as error:
            if owner:
                self._circuits.failed(provider.name, Failure("unexpected", type(error).__name__), owner, credential)
            raise
        self._went_well(provider.name, owner)
        return completion

    def _went_well(self, name: str, owner: str) -> None:
        """An answer that was paid for is not lost because its circuit cannot be told of it."""
        try:
            self._circuits.succeeded(name, owner)
        except ControlStoreUnavailable as error:
            _log.error("a circuit could not be told of a success", provider=name, problem=error)

    def _tell(self, error: ModelError, owner: str, credential: str) -> None:
        """Tells the circuit of a failure, so far as it says anything about the vendor, and the log of each."""
        name = error.provider
        if error.kind in _NEEDS_SOMEBODY:
            self._circuits.failed(name, Failure("authentication", error.message), owner, credential)
            _log.error("%s. It is not asked again until %s", error, _what_to_do(error))
            return
        _log.log(logging.ERROR if error.kind is FailureKind.BAD_REQUEST else logging.WARNING, "%s", error)
        if error.kind in _IN_TROUBLE:
            self._circuits.failed(name, Failure("connection", error.message), owner, credential)
        elif error.kind is FailureKind.RATE_LIMITED:
            wait = error.retry_after
            not_before = datetime.now(UTC) + timedelta(seconds=wait) if wait else None
            self._circuits.failed(name, Failure("quota", error.message, not_before), owner, credential)
        elif owner:
            self._went_well(name, owner)

    def _leave(self, request: Request, turn: Turn, admission: Admission, credential: str) -> None:
        """Remembers why a provider is not asked, and when it may be, where that is only a matter of time."""
        name = turn.provider.name
        turn.why_not = f"{name}: not asked"
        try:
            self._circuits.admit(name, credential)
        except SourceError as error:
            turn.why_not = f"{name}: {error.message}"
        if admission.verdict is Verdict.LEFT_ALONE and admission.until:
            wait = (admission.until - datetime.now(UTC)).total_seconds()
            turn.ready_at = request.now + max(0.0, wait) + _AFTER_LIMIT
        else:
            turn.is_over = True


class _Entry:
    """A call's place in the ledger: ended once, whatever happens, interrupts included."""

    def __init__(self, record: CallRecord) -> None:
        self._record = record
        self._is_ended = False
        self.was_sent = False

    def end(
        self,
        outcome: str,
        tokens: Tokens | None,
        *,
        model: str | None = None,
        request_id: str | None = None,
        partial: str = "",
    ) -> Decimal:
        """See CallRecord."""
        self._is_ended = True
        return self._record.end(outcome, tokens, model=model, request_id=request_id, partial=partial)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_ended:
            return
        outcome = UNEXPECTED if error is None or isinstance(error, Exception) else INTERRUPTED
        try:
            self.end(outcome, None if self.was_sent else Tokens())
        except SophiaError as unwritten:
            # What is on its way up says more.
            _log.error("the end of a call could not be recorded", problem=unwritten)


def _checked(provider: Provider, prompt: Prompt, seconds: float, entry: _Entry) -> Completion:
    """Asks, and makes sure that the answer is the JSON that was asked for. Raises ModelError."""
    entry.was_sent = True
    try:
        raw = provider.complete(prompt, seconds=seconds)
    except ModelError as error:
        entry.end(error.kind.value, error.tokens, request_id=error.request_id, partial=error.partial)
        raise
    wrong = ""
    try:
        content = parsed(raw.text, prompt.schema)
    except NotWhatWasAsked as error:
        wrong = str(error)
    if wrong:
        entry.end(FailureKind.WRONG_JSON.value, raw.tokens, model=raw.model, request_id=raw.request_id)
        raise ModelError(
            FailureKind.WRONG_JSON,
            f"did not answer in the form that was asked for: {wrong}",
            provider=provider.name,
            tokens=raw.tokens,
            request_id=raw.request_id,
            partial=raw.text,
        )
    cost = entry.end(ANSWERED, raw.tokens, model=raw.model, request_id=raw.request_id)
    return Completion(provider.name, raw.model, content, raw.tokens, cost, request_id=raw.request_id)


def _what_to_do(error: ModelError) -> str:
    reset = f"somebody runs `sophia circuit reset {error.provider} --reason ...`"
    if error.kind is FailureKind.QUOTA:
        return f"there is credit, and {reset}"
    return f"it has another key, or {reset}"
