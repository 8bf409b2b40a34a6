"""OpenAI's API: responses, the count of their tokens, chat completions, and the list of models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sophia_assets.sandbox.company_data import CompanyData
from sophia_assets.sandbox.config import Credentials
from sophia_assets.sandbox.standins import tokens
from sophia_assets.sandbox.standins.answers import JsonAnswer
from sophia_assets.sandbox.standins.faults import FaultBoard
from sophia_assets.sandbox.standins.model_standin import ModelStandin, new_request_id, read_request
from sophia_assets.sandbox.standins.openai.chat import ChatCompletions
from sophia_assets.sandbox.standins.openai.errors import INVALID, OpenAIErrors, Refused, failure
from sophia_assets.sandbox.standins.openai.requests import MODELS, read_chat_request, read_response_request
from sophia_assets.sandbox.standins.openai.responses import Responses
from sophia_assets.sandbox.standins.standin import base_url

SYSTEM = "openai"
REQUESTS_A_MINUTE = 10_000
TOKENS_A_MINUTE = 2_000_000


def create(company: CompanyData, credentials: Credentials, faults: FaultBoard, *, limits: bool) -> OpenAIStandin:
    """The stand-in for OpenAI's API."""
    return OpenAIStandin(credentials.openai_api_key, faults, limits=limits)


class OpenAIStandin(ModelStandin):
    """Serves OpenAI's API."""

    system = SYSTEM

    def __init__(self, api_key: str, faults: FaultBoard, *, limits: bool = True) -> None:
        self._api_key = api_key
        self._responses, self._chat = Responses(), ChatCompletions()
        routes = [
            Route("/v1/responses", self.checked(self._respond), methods=["POST"]),
            Route("/v1/responses/input_tokens", self.checked(self._count), methods=["POST"]),
            Route("/v1/chat/completions", self.checked(self._complete), methods=["POST"]),
            Route("/v1/models", self.checked(self._models), methods=["GET"]),
            Route("/v1/models/{model}", self.checked(self._model), methods=["GET"]),
        ]
        missing: Any = {404: _not_found, 405: _not_allowed}
        super().__init__(
            faults,
            tokens.Counter(),
            errors=OpenAIErrors(),
            app=Starlette(routes=routes, exception_handlers=missing),
            requests_a_minute=REQUESTS_A_MINUTE,
            limits=limits,
        )

    def settings(self, host: str, port: int) -> dict[str, str]:
        """See `Standin.settings`."""
        return {"OPENAI_BASE_URL": base_url(host, port, f"/{SYSTEM}/v1"), "OPENAI_API_KEY": self._api_key}

    def headers(self, request_id: str) -> Mapping[str, str]:
        """The request's id and what is left of the limits."""
        left = min(self.limit.remaining, REQUESTS_A_MINUTE)
        return {
            "x-request-id": request_id,
            "openai-organization": "sandbox",
            "openai-version": "2020-10-01",
            "openai-processing-ms": "5",
            "x-ratelimit-limit-requests": str(REQUESTS_A_MINUTE),
            "x-ratelimit-limit-tokens": str(TOKENS_A_MINUTE),
            "x-ratelimit-remaining-requests": str(left),
            "x-ratelimit-remaining-tokens": str(TOKENS_A_MINUTE),
            "x-ratelimit-reset-requests": "6ms",
            "x-ratelimit-reset-tokens": "0s",
        }

    def window(self, model: str) -> int:
        """See `ModelStandin.window`."""
        return MODELS[model][1]

    def check(self, request: Request) -> None:
        """See `ModelStandin.check`."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Refused("You didn't provide an API key.", status=401)
        if token.strip() != self._api_key:
            raise Refused(f"Incorrect API key provided: {token.strip()[:4]}***.", None, "invalid_api_key", 401)

    async def _respond(self, request: Request) -> Response:
        return await self.respond(read_response_request(await read_request(request)), self._responses)

    async def _complete(self, request: Request) -> Response:
        return await self.respond(read_chat_request(await read_request(request)), self._chat)

    async def _count(self, request: Request) -> Response:
        asked = read_response_request(await read_request(request), counts_only=True)
        await tokens.get_ready()
        count = self.counter.input(asked.texts, asked.schema)
        body = {"object": "response.input_tokens", "input_tokens": count}
        return JsonAnswer(body, headers=self.headers(new_request_id()))

    async def _models(self, request: Request) -> Response:
        body = {"object": "list", "data": [_shown(name) for name in MODELS]}
        return JsonAnswer(body, headers=self.headers(new_request_id()))

    async def _model(self, request: Request) -> Response:
        name = request.path_params["model"]
        if name not in MODELS:
            raise Refused(f"The model '{name}' does not exist", "model", "model_not_found", 404)
        return JsonAnswer(_shown(name), headers=self.headers(new_request_id()))


def _shown(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": MODELS[name][0], "owned_by": "openai"}


async def _not_found(request: Request, problem: Exception) -> Response:
    return failure(404, f"Invalid URL ({request.method} {request.url.path})", INVALID)


async def _not_allowed(request: Request, problem: Exception) -> Response:
    return failure(405, f"Not allowed to {request.method} on {request.url.path}", INVALID, code="method_not_supported")
