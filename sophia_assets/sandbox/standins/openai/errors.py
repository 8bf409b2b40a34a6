"""OpenAI's error bodies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from sophia_assets.sandbox.standins.answers import JsonAnswer, MalformedBody, retry_after
from sophia_assets.sandbox.standins.model_standin import ModelErrors, RefusedRequest, new_request_id

INVALID = "invalid_request_error"
SERVER = "server_error"
OVERLOADED = "server_is_overloaded"
OVERLOADED_TOLD = "Our servers are currently overloaded. Please try again later."


class Refused(RefusedRequest):
    """A request that is answered with an error."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.param = param
        self.code = code
        self.status = status

    def answer(self) -> Response:
        """The answer."""
        return failure(self.status, str(self), INVALID, param=self.param, code=self.code)


def body(message: str, kind: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """The body of an error."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def failure(
    status: int,
    message: str,
    kind: str,
    *,
    param: str | None = None,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error as an answer."""
    return JsonAnswer(body(message, kind, param, code), status, {"x-request-id": new_request_id(), **(headers or {})})


class OpenAIErrors(ModelErrors):
    """OpenAI's bodies for the failures that a fault can cause."""

    def unauthorized(self) -> Response:
        """A refused key."""
        return failure(401, "Incorrect API key provided.", INVALID, code="invalid_api_key")

    def rate_limited(self, seconds: float) -> Response:
        """The limit is spent for `seconds`."""
        told = f"Rate limit reached for requests. Please try again in {seconds:g}s."
        return failure(429, told, "requests", code="rate_limit_exceeded", headers=retry_after(seconds))

    def server_error(self) -> Response:
        """An unexpected failure."""
        return failure(500, "The server had an error while processing your request. Sorry about that!", SERVER)

    def overloaded(self) -> Response:
        """The API has too much to do."""
        return failure(503, OVERLOADED_TOLD, "service_unavailable_error", code=OVERLOADED)

    def no_credit(self) -> Response:
        """The account's credit is spent."""
        told = "You exceeded your current quota, please check your plan and billing details."
        return failure(429, told, "insufficient_quota", code="insufficient_quota")

    def malformed(self, problem: MalformedBody) -> Response:
        """See `ModelErrors.malformed`."""
        return Refused(f"We could not parse the JSON body of your request. ({problem})").answer()

    def too_long(self, count: int, most: int) -> Response:
        """The prompt is longer than the model's context."""
        told = "Your input exceeds the context window of this model. Please adjust your input and try again."
        return failure(400, told, INVALID, param="input", code="context_length_exceeded")
