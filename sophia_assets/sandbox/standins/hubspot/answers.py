"""HubSpot's answers that are not data: error bodies and rate-limit headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from sophia_assets.sandbox.standins.answers import JsonAnswer, random_uuid, retry_after
from sophia_assets.sandbox.standins.limits import DailyLimit, RollingLimit
from sophia_assets.sandbox.standins.standin import VendorErrors

REQUESTS_PER_WINDOW = 190
WINDOW_S = 10.0
SEARCHES_PER_SECOND = 5
REQUESTS_PER_DAY = 625_000


def failure(
    status: int, message: str, category: str, errors: Sequence[Mapping[str, Any]] = (), **more: Any
) -> JsonAnswer:
    """An error body as HubSpot writes it."""
    body: dict[str, Any] = {"status": "error", "message": message, "correlationId": random_uuid(), "category": category}
    if errors:
        body["errors"] = list(errors)
    return JsonAnswer(body | more, status)


def invalid(message: str, code: str = "INVALID_PARAMETER", **context: str) -> JsonAnswer:
    """A 400 for a request that breaks a rule; `context` names the culprit."""
    detail = {"message": message, "code": code, "context": {name: [value] for name, value in context.items()}}
    return failure(400, message, "VALIDATION_ERROR", [detail])


def rate_limited(policy: str, headers: Mapping[str, str]) -> JsonAnswer:
    """A 429 body: `policy` is TEN_SECONDLY_ROLLING, SECONDLY or DAILY."""
    body = {
        "status": "error",
        "message": f"You have reached your {policy.lower()} limit.",
        "errorType": "RATE_LIMIT",
        "correlationId": random_uuid(),
        "policyName": policy,
    }
    return JsonAnswer(body, 429, headers)


def unauthorized() -> JsonAnswer:
    """The 401 for a missing or wrong token."""
    return failure(
        401,
        "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more "
        "details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
        "INVALID_AUTHENTICATION",
    )


def missing_scope(scope: str) -> JsonAnswer:
    """The 403 for a token whose app may not read what was asked for."""
    detail = {
        "message": "One or more of the following scopes are required.",
        "context": {"requiredGranularScopes": [scope]},
    }
    message = "This app hasn't been granted all required scopes to make this call."
    return failure(403, message, "MISSING_SCOPES", [detail])


class HubSpotErrors(VendorErrors):
    """HubSpot's bodies for the failures that a fault can cause."""

    def unauthorized(self) -> Response:
        """A refused token."""
        return unauthorized()

    def rate_limited(self, seconds: float) -> Response:
        """The rolling window when a window's wait will do, otherwise the day's limit."""
        policy = "TEN_SECONDLY_ROLLING" if seconds <= WINDOW_S else "DAILY"
        return rate_limited(policy, retry_after(seconds) | {"X-HubSpot-RateLimit-Remaining": "0"})

    def server_error(self) -> Response:
        """A 502, as HubSpot's gateway answers."""
        return failure(502, "Bad Gateway: there was a temporary failure, try again", "SERVER_ERROR")


class Budget:
    """One account's limits: a rolling window and a day for most requests, a second for searches."""

    def __init__(self, enforced: bool) -> None:
        self._enforced = enforced
        self._window = RollingLimit(REQUESTS_PER_WINDOW, WINDOW_S)
        self._searches = RollingLimit(SEARCHES_PER_SECOND, 1.0)
        self._day = DailyLimit(REQUESTS_PER_DAY)

    def refuse(self, search: bool) -> JsonAnswer | None:
        """Count a request; a 429 when it is over a limit."""
        if not self._enforced:
            return None
        if self._day.take():
            return rate_limited("DAILY", self.headers())
        if search:
            return rate_limited("SECONDLY", {}) if self._searches.take() else None
        return rate_limited("TEN_SECONDLY_ROLLING", self.headers()) if self._window.take() else None

    def headers(self) -> dict[str, str]:
        """The headers of every answer but a search's; none where no limit is kept."""
        if not self._enforced:
            return {}
        return {
            "X-HubSpot-RateLimit-Max": str(REQUESTS_PER_WINDOW),
            "X-HubSpot-RateLimit-Remaining": str(self._window.remaining),
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(int(WINDOW_S * 1000)),
            "X-HubSpot-RateLimit-Daily": str(REQUESTS_PER_DAY),
            "X-HubSpot-RateLimit-Daily-Remaining": str(self._day.remaining),
        }
