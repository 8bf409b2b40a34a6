"""Anthropic's API: messages, the count of their tokens, and the list of models."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sophia_assets.sandbox.company_data import CompanyData
from sophia_assets.sandbox.config import Credentials
from sophia_assets.sandbox.standins import tokens
from sophia_assets.sandbox.standins.answers import JsonAnswer, second_stamp
from sophia_assets.sandbox.standins.anthropic.errors import AnthropicErrors, Refused
from sophia_assets.sandbox.standins.anthropic.messages import Messages
from sophia_assets.sandbox.standins.anthropic.requests import MODELS, MOST_TOKENS, VERSION, read_message_request
from sophia_assets.sandbox.standins.faults import FaultBoard
from sophia_assets.sandbox.standins.model_standin import MINUTE_S, ModelStandin, new_request_id, read_request
from sophia_assets.sandbox.standins.standin import base_url

SYSTEM = "anthropic"
REQUESTS_A_MINUTE = 4_000
TOKENS_A_MINUTE = 2_000_000
#: The vendor's tokenizer gives this many tokens for one of `o200k_base`; even an empty answer has one.
FACTOR = "1.15"


def create(company: CompanyData, credentials: Credentials, faults: FaultBoard, *, limits: bool) -> AnthropicStandin:
    """The stand-in for Anthropic's API."""
    return AnthropicStandin(credentials.anthropic_api_key, faults, limits=limits)


class AnthropicStandin(ModelStandin):
    """Serves Anthropic's API."""

    system = SYSTEM

    def __init__(self, api_key: str, faults: FaultBoard, *, limits: bool = True) -> None:
        self._api_key = api_key
        self._voice = Messages()
        routes = [
            Route("/v1/messages", self.checked(self._messages), methods=["POST"]),
            Route("/v1/messages/count_tokens", self.checked(self._count), methods=["POST"]),
            Route("/v1/models", self.checked(self._models), methods=["GET"]),
            Route("/v1/models/{model}", self.checked(self._model), methods=["GET"]),
        ]
        missing: Any = {404: _not_found, 405: _not_allowed}
        super().__init__(
            faults,
            tokens.Counter(FACTOR, least=1),
            errors=AnthropicErrors(),
            app=Starlette(routes=routes, exception_handlers=missing),
            requests_a_minute=REQUESTS_A_MINUTE,
            limits=limits,
        )

    def settings(self, host: str, port: int) -> dict[str, str]:
        """See `Standin.settings`."""
        return {"ANTHROPIC_BASE_URL": base_url(host, port, f"/{SYSTEM}"), "ANTHROPIC_API_KEY": self._api_key}

    def headers(self, request_id: str) -> Mapping[str, str]:
        """The request's id and what is left of the limits."""
        reset = second_stamp((datetime.now(UTC) + timedelta(seconds=MINUTE_S)).replace(microsecond=0))
        found = {"request-id": request_id, "anthropic-organization-id": "sandbox"}
        for name, most, left in (
            ("requests", REQUESTS_A_MINUTE, min(self.limit.remaining, REQUESTS_A_MINUTE)),
            ("tokens", TOKENS_A_MINUTE, TOKENS_A_MINUTE),
            ("input-tokens", TOKENS_A_MINUTE, TOKENS_A_MINUTE),
            ("output-tokens", TOKENS_A_MINUTE, TOKENS_A_MINUTE),
        ):
            prefix = f"anthropic-ratelimit-{name}"
            found |= {f"{prefix}-limit": str(most), f"{prefix}-remaining": str(left), f"{prefix}-reset": reset}
        return found

    def window(self, model: str) -> int:
        """See `ModelStandin.window`."""
        return MODELS[model][2]

    def check(self, request: Request) -> None:
        """See `ModelStandin.check`."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        given = [request.headers.get("x-api-key"), token.strip() if scheme.lower() == "bearer" else None]
        if not any(given):
            raise Refused("x-api-key header is required", "authentication_error", 401)
        if self._api_key not in given:
            raise Refused("invalid x-api-key", "authentication_error", 401)
        version = request.headers.get("anthropic-version")
        if version is None:
            raise Refused("anthropic-version: header is required")
        if version != VERSION:
            raise Refused(f'anthropic-version: "{version}" is not a valid version')

    async def _messages(self, request: Request) -> Response:
        return await self.respond(read_message_request(await read_request(request)), self._voice)

    async def _count(self, request: Request) -> Response:
        asked = read_message_request(await read_request(request), counts_only=True)
        await tokens.get_ready()
        count = self.counter.input(asked.texts, asked.schema)
        return JsonAnswer({"input_tokens": count}, headers=self.headers(new_request_id()))

    async def _models(self, request: Request) -> Response:
        listed = [_shown(name) for name in MODELS]
        ends = {"first_id": listed[0]["id"], "last_id": listed[-1]["id"]}
        return JsonAnswer({"data": listed, "has_more": False, **ends}, headers=self.headers(new_request_id()))

    async def _model(self, request: Request) -> Response:
        name = request.path_params["model"]
        if name not in MODELS:
            raise Refused(f"model: {name}", "not_found_error", 404)
        return JsonAnswer(_shown(name), headers=self.headers(new_request_id()))


def _shown(name: str) -> dict[str, Any]:
    display_name, day, window = MODELS[name]
    return {
        "id": name,
        "type": "model",
        "display_name": display_name,
        "created_at": f"{day}T00:00:00Z",
        "lifecycle": "active",
        "line": name.split("-")[1],
        "max_input_tokens": window,
        "max_tokens": MOST_TOKENS,
    }


async def _not_found(request: Request, problem: Exception) -> Response:
    return Refused("Not found", "not_found_error", 404).answer()


async def _not_allowed(request: Request, problem: Exception) -> Response:
    return Refused("Method Not Allowed", "invalid_request_error", 405).answer()
