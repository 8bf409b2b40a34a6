"""What both vendors' providers have in common: one call under one deadline, and a failure with all that is known of it.

Belongs here: what is neither vendor's. Does not belong here: events and errors of one of them, or any retry.
"""

from __future__ import annotations

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from sophia_assets.errors import SophiaError
from sophia_assets.llm import failures
from sophia_assets.llm.bounded import Line, http_client, within
from sophia_assets.llm.failures import Fault
from sophia_assets.llm.interface import FailureKind, ModelError, Prompt, RawAnswer, Tokens

if TYPE_CHECKING:
    import httpx2

_MOST_CHARACTERS = 2_000_000
_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")


@dataclass(frozen=True)
class Access:
    """Where a vendor is asked, and with which key."""

    address: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class Counting:
    """How tokens are counted here: of a prompt, and of what a model has written."""

    prompt: Callable[[Prompt], int]
    output: Callable[[str], int]


@dataclass
class Heard:
    """What came of one call so far.

    `started` says that the vendor has accepted it and begun to answer, `is_counted` that it has told the whole output,
    `is_refused` that what the model writes is why it does not answer.
    """

    line: Line = field(default_factory=Line, repr=False)
    started: bool = False
    pieces: list[str] = field(default_factory=list, repr=False)
    size: int = 0
    model: str = ""
    request_id: str | None = None
    input: int | None = None
    output: int = 0
    cached_input: int = 0
    is_counted: bool = False
    is_refused: bool = False

    @property
    def text(self) -> str:
        """What the model has written."""
        return "".join(self.pieces)

    def id_without(self, key: str) -> str | None:
        """The vendor's id of the request, where it looks like one and does not repeat the key."""
        told = self.request_id or ""
        return told if _ID.fullmatch(told) and key not in told else None

    def add(self, piece: str) -> None:
        """Adds what the model has just written."""
        self.pieces.append(piece)
        self.size += len(piece)
        if self.size > _MOST_CHARACTERS:
            raise Fault(FailureKind.CUT, "writes without an end")


class SdkProvider(ABC):
    """A vendor's model, asked through the vendor's own SDK. Thread-safe: nothing is kept from one call to the next.

    `access` is looked up for each call, since a sandbox has another address each time it is started.
    """

    name: str

    def __init__(self, model: str, access: Callable[[], Access], counting: Counting) -> None:
        self.model = model
        self._access = access
        self._counting = counting

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r})"

    def estimate(self, prompt: Prompt) -> int:
        """How many input tokens the prompt has, counted offline.

        Loads the SDK, too, which takes seconds once per process: they are none of the vendor's time.
        """
        self._load()
        return self._counting.prompt(prompt)

    def complete(self, prompt: Prompt, *, seconds: float) -> RawAnswer:
        """Asks once, and returns within about `seconds` whatever happens. Raises ModelError."""
        heard, began, key = Heard(), monotonic(), ""
        try:
            access = self._access()
            key = access.key
            self._load()
            left = max(0.0, seconds - (monotonic() - began))
            return within(left, lambda: self._answer(prompt, access, left, heard))
        except SophiaError as error:
            fault = Fault(FailureKind.CONNECTION, f"was not asked: {error.message}", used_nothing=True)
        except TimeoutError:
            fault = failures.timed_out(started=heard.started)
        except Exception as error:
            fault = self._fault(error, heard)
        # Outside of the handlers, so that the SDK's error, which holds the request, is no part of this one.
        raise self._error(fault, prompt, heard, key)

    async def _answer(self, prompt: Prompt, access: Access, seconds: float, heard: Heard) -> RawAnswer:
        async with http_client(access.address, seconds, heard.line) as client:
            try:
                await self._ask(prompt, access, client, seconds, heard)
            finally:
                await heard.line.close()
        told = heard.id_without(access.key)
        return RawAnswer(heard.text, heard.model or self.model, self._tokens(prompt, heard), told)

    @abstractmethod
    def _load(self) -> None:
        """Imports the SDK."""

    @abstractmethod
    async def _ask(
        self, prompt: Prompt, access: Access, client: httpx2.AsyncClient, seconds: float, heard: Heard
    ) -> None:
        """Asks, and tells `heard` all that comes. Returns only where the vendor says that the answer is complete."""

    @abstractmethod
    def _fault_of_vendor(self, error: Exception, heard: Heard) -> Fault | None:
        """What an error of the SDK's means; None for any other."""

    def _fault(self, error: Exception, heard: Heard) -> Fault:
        if isinstance(error, Fault):
            return error
        if found := self._fault_of_vendor(error, heard):
            return found
        if type(error).__module__.partition(".")[0] in ("httpx2", "httpcore2", "ssl", "anyio") or isinstance(
            error, OSError
        ):
            return failures.unreachable(error, started=heard.started)
        if heard.started and isinstance(error, (ValueError, TypeError, AttributeError, LookupError, RecursionError)):
            return Fault(FailureKind.CUT, "sent what is no stream of its API")
        return Fault(FailureKind.CONNECTION, f"could not be asked ({type(error).__name__})")

    def _error(self, fault: Fault, prompt: Prompt, heard: Heard, key: str) -> ModelError:
        if heard.is_refused:
            fault = Fault(FailureKind.REFUSAL, "refused to answer")
        return ModelError(
            fault.kind,
            fault.told,
            provider=self.name,
            tokens=Tokens() if fault.used_nothing and not heard.started else self._known_tokens(prompt, heard),
            retry_after=fault.retry_after,
            request_id=heard.id_without(key),
            partial=heard.text,
        )

    def _known_tokens(self, prompt: Prompt, heard: Heard) -> Tokens | None:
        """What was used as far as is known; nobody can tell for a request that nothing came back for."""
        if heard.started:
            return self._tokens(prompt, heard)
        return None if heard.line.is_sent else Tokens()

    def _tokens(self, prompt: Prompt, heard: Heard) -> Tokens:
        """What the vendor has said; counted here where it has not: an answer that was cut is billed all the same."""
        given = heard.input if heard.input is not None else self._counting.prompt(prompt)
        output = heard.output if heard.is_counted else max(heard.output, self._counting.output(heard.text))
        return Tokens(given, output, heard.cached_input)


def quiet(*loggers: str) -> None:
    """Keeps SDKs from logging requests, prompts included, where everything is logged or a variable asks for it."""
    for name in loggers:
        logging.getLogger(name).setLevel(logging.WARNING)


def whole(value: object) -> int:
    """A count as a vendor tells it; 0 for what can be none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else 0
