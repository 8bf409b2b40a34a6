"""What the stand-ins for vendors of language models share: from a request that was read to the answer that goes out."""

from __future__ import annotations

import gzip
import secrets
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sophia_assets.sandbox.company_data import CompanyData
from sophia_assets.sandbox.language.model import answer
from sophia_assets.sandbox.language.prompt import Given
from sophia_assets.sandbox.standins import tokens
from sophia_assets.sandbox.standins.answers import JsonAnswer, MalformedBody, read_object
from sophia_assets.sandbox.standins.billing import Call, Meter
from sophia_assets.sandbox.standins.event_streams import Ends, Event, EventStream, cut, silence
from sophia_assets.sandbox.standins.faults import FaultBoard
from sophia_assets.sandbox.standins.limits import RollingLimit
from sophia_assets.sandbox.standins.model_faults import Break, Interruption, Troubles
from sophia_assets.sandbox.standins.standin import Standin, VendorErrors

MINUTE_S = 60.0
_PIECE_TOKENS = 6
_UNLIMITED = 10**9

Outcome = Literal["completed", "truncated", "refused", "stopped", "failed"]

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Asked:
    """A request for an answer. `texts` are those of all messages, the system's among them."""

    model: str
    given: Given
    texts: tuple[str, ...]
    schema: Mapping[str, Any] | None
    most_tokens: int
    stream: bool
    stops: tuple[str, ...] = ()
    with_usage: bool = True

    @property
    def shown_model(self) -> str:
        """The model's name in answers: everybody can tell that it is the sandbox's."""
        return f"{self.model}-sandbox"


@dataclass(frozen=True)
class Reply:
    """What the model answers, and what the vendor counts for it. `stop` is the sequence that ended it."""

    request_id: str
    text: str
    outcome: Outcome
    input_tokens: int
    output_tokens: int
    stop: str | None = None

    @property
    def pieces(self) -> list[str]:
        """The text as it is generated."""
        return tokens.pieces(self.text, _PIECE_TOKENS)


class Voice(Protocol):
    """One endpoint's way to say a reply."""

    def whole(self, asked: Asked, reply: Reply) -> Any:
        """The body of an answer in one piece."""
        ...

    def events(self, asked: Asked, reply: Reply) -> Sequence[Event]:
        """The events of a streamed answer."""
        ...

    def broken(self, asked: Asked, reply: Reply, kind: Break) -> Sequence[Event]:
        """The events that end a streamed answer which fails."""
        ...


class ModelErrors(VendorErrors):
    """A vendor's bodies for what can keep a request from being accepted."""

    def overloaded(self) -> Response:
        """The vendor has too much to do."""
        raise NotImplementedError

    def no_credit(self) -> Response:
        """The account's money is spent."""
        raise NotImplementedError

    def malformed(self, problem: MalformedBody) -> Response:
        """The answer to a body that cannot be read."""
        raise NotImplementedError

    def too_long(self, count: int, most: int) -> Response:
        """The prompt has more tokens than the model takes."""
        raise NotImplementedError


class Unanswered(Response):
    """No answer in one piece: silence until the client goes, or a cut connection."""

    def __init__(self, kind: Break) -> None:
        super().__init__()
        self._kind = kind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say nothing, or cut."""
        await (silence(receive) if self._kind == "stall" else cut(scope, receive))


class RefusedRequest(Exception):
    """A request that a vendor answers with an error."""

    def answer(self) -> Response:
        """The answer."""
        raise NotImplementedError


class ModelStandin(Standin):
    """A vendor of language models: it holds none of the company's data, so that every sandbox has it."""

    errors: ModelErrors

    def __init__(
        self,
        faults: FaultBoard,
        counter: tokens.Counter,
        *,
        errors: ModelErrors,
        app: Starlette,
        requests_a_minute: int,
        limits: bool,
    ) -> None:
        super().__init__()
        self.meter = Meter()
        self.errors = errors
        self.troubles = Troubles(self.system, faults)
        self.counter = counter
        self.limit = RollingLimit(requests_a_minute if limits else _UNLIMITED, MINUTE_S)
        self._app = app

    def load(self, company: CompanyData) -> None:
        """Do nothing: a model knows no company."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._app(scope, receive, send)

    def check(self, request: Request) -> None:
        """Look at what every request has to bring, such as its key. Raises RefusedRequest."""
        raise NotImplementedError

    def checked(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint for requests that bring what they have to; the others get the vendor's error."""

        async def answered(request: Request) -> Response:
            try:
                self.check(request)
                return await endpoint(request)
            except RefusedRequest as refusal:
                return refusal.answer()
            except MalformedBody as problem:
                return self.errors.malformed(problem)

        return answered

    def headers(self, request_id: str) -> Mapping[str, str]:
        """The vendor's headers of every answer."""
        raise NotImplementedError

    def window(self, model: str) -> int:
        """How many tokens a prompt for a model may have."""
        raise NotImplementedError

    async def respond(self, asked: Asked, voice: Voice) -> Response:
        """The answer to a request that is well formed and comes from a customer."""
        await tokens.get_ready()
        request_id = new_request_id()
        count = self.counter.input(asked.texts, asked.schema)
        refusal = self._turned_away(asked, count)
        if refusal is not None:
            outcome, response = refusal
            self.meter.refuse(request_id, asked.model, outcome)
            response.headers.update(self.headers(request_id))
            return response
        reply = self._compose(asked, request_id, count)
        interruption = self.troubles.interruption()
        if interruption is not None and not asked.stream and interruption.kind == "overloaded":
            self.meter.refuse(request_id, asked.model, "overloaded")
            response = self.errors.overloaded()
            response.headers.update(self.headers(request_id))
            return response
        call = self.meter.accept(request_id, asked.model, count)
        if asked.stream:
            return self._streamed(asked, reply, voice, call, interruption)
        return self._whole(asked, reply, voice, call, interruption)

    def _turned_away(self, asked: Asked, count: int) -> tuple[str, Response] | None:
        wait = self.limit.take()
        if wait:
            return "rate_limited", self.errors.rate_limited(wait)
        if self.troubles.strikes("overloaded"):
            return "overloaded", self.errors.overloaded()
        if self.troubles.strikes("quota"):
            return "quota", self.errors.no_credit()
        most = min(self.window(asked.model), _or(self.troubles.window, _UNLIMITED))
        if count > most:
            return "context_overflow", self.errors.too_long(count, most)
        return None

    def _compose(self, asked: Asked, request_id: str, count: int) -> Reply:
        troubles = self.troubles
        outcome: Outcome = "completed"
        stop = None
        if troubles.is_empty:
            text = ""
        elif troubles.strikes("refusal"):
            text, outcome = "I can't help with this request.", "refused"
        else:
            text = self._text(asked)
            if troubles.strikes("truncated"):
                text, outcome = text[: len(text) // 2], "truncated"
        for each in asked.stops:
            if outcome == "completed" and each in text:
                text, outcome, stop = text.partition(each)[0], "stopped", each
        short = tokens.shortened(text, self.counter.as_many(asked.most_tokens))
        if len(short) < len(text):
            text, outcome, stop = short, "truncated", None
        return Reply(request_id, text, outcome, count, self.counter.output(text), stop)

    def _text(self, asked: Asked) -> str:
        text = answer(asked.given, asked.schema, self.troubles.dishonesty(), self.troubles.obeys())
        if self.troubles.strikes("wrong_json"):
            return f"Here is the answer:\n```json\n{text[:-1]},\n```"
        if self.troubles.strikes("wrong_schema"):
            return orjson.dumps({"answer": text[:40], "confidence": 0.9}).decode()
        return text

    def _streamed(
        self, asked: Asked, reply: Reply, voice: Voice, call: Call, interruption: Interruption | None
    ) -> Response:
        def ended(outcome: str) -> None:
            call.outcome = outcome

        return EventStream(
            voice.events(asked, reply),
            Ends(lambda text: self.meter.generated(call, self.counter.output(text)), ended),
            self.headers(reply.request_id),
            interruption=interruption,
            broken=() if interruption is None else voice.broken(asked, reply, interruption.kind),
            pause=self.troubles.pause,
            outcome=reply.outcome,
        )

    def _whole(
        self, asked: Asked, reply: Reply, voice: Voice, call: Call, interruption: Interruption | None
    ) -> Response:
        if interruption is not None and interruption.kind != "failed":
            call.outcome = "stalled" if interruption.kind == "stall" else "cut"
            if interruption.kind != "stall":
                self.meter.generated(call, reply.output_tokens)
            return Unanswered(interruption.kind)
        if interruption is not None:
            reply = replace(reply, text="", outcome="failed", output_tokens=0)
        self.meter.generated(call, reply.output_tokens)
        call.outcome = reply.outcome
        return JsonAnswer(voice.whole(asked, reply), 200, self.headers(reply.request_id))


async def read_request(request: Request) -> dict[str, Any]:
    """The request's JSON object. Raises MalformedBody, whatever is wrong with it."""
    try:
        return await read_object(request)
    except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
        raise MalformedBody(str(problem)) from problem


def new_request_id() -> str:
    """An id in the form that the vendors give requests."""
    return f"req_{secrets.token_hex(12)}"


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value
