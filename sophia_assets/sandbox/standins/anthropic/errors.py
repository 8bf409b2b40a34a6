"""Anthropic's error bodies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from sophia_assets.sandbox.standins.answers import JsonAnswer, MalformedBody, retry_after
from sophia_assets.sandbox.standins.model_standin import ModelErrors, RefusedRequest, new_request_id

OVERLOADED = 529


class Refused(RefusedRequest):
    """A request that is answered with an error."""

    def __init__(self, message: str, kind: str = "invalid_request_error", status: int = 400) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status

    def answer(self) -> Response:
        """The answer."""
        return failure(self.status, self.kind, str(self))


def body(kind: str, message: str, request_id: str) -> dict[str, Any]:
    """The body of an error, and the data of an error's event."""
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}


def failure(status: int, kind: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error as an answer."""
    request_id = new_request_id()
    return JsonAnswer(body(kind, message, request_id), status, {"request-id": request_id, **(headers or {})})


class AnthropicErrors(ModelErrors):
    """Anthropic's bodies for the failures that a fault can cause."""

    def unauthorized(self) -> Response:
        """A refused key."""
        return failure(401, "authentication_error", "invalid x-api-key")

    def rate_limited(self, seconds: float) -> Response:
        """The limit is spent for `seconds`."""
        told = "This request would exceed your organization's rate limit. Please try again later."
        return failure(429, "rate_limit_error", told, retry_after(seconds))

    def server_error(self) -> Response:
        """An unexpected failure."""
        return failure(500, "api_error", "Internal server error")

    def overloaded(self) -> Response:
        """The API has too much to do."""
        return failure(OVERLOADED, "overloaded_error", "Overloaded")

    def no_credit(self) -> Response:
        """The account's credit is spent."""
        told = "Your credit balance is too low to access the Anthropic API."
        return failure(402, "billing_error", f"{told} Please go to Plans & Billing to upgrade or purchase credits.")

    def malformed(self, problem: MalformedBody) -> Response:
        """See `ModelErrors.malformed`."""
        return Refused(f"The request body is not valid JSON: {problem}").answer()

    def too_long(self, count: int, most: int) -> Response:
        """The prompt is longer than the model's context."""
        return failure(400, "invalid_request_error", f"prompt is too long: {count} tokens > {most} maximum")
