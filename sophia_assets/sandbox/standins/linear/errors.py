"""Linear's error bodies, and which of them a request is refused with."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.responses import Response

from sophia_assets.sandbox.standins.answers import JsonAnswer
from sophia_assets.sandbox.standins.standin import VendorErrors


class Refused(Exception):
    """A request that is answered with errors alone. `data` says whether the body has `data`: null."""

    def __init__(self, errors: Sequence[Mapping[str, Any]], status: int, *, data: bool = False) -> None:
        super().__init__(errors[0]["message"])
        self.errors = list(errors)
        self.status = status
        self.data = data

    def answer(self, headers: Mapping[str, str] | None = None) -> JsonAnswer:
        """The answer, with the vendor's headers where the vendor sends any."""
        body: dict[str, Any] = {"errors": self.errors}
        return JsonAnswer(body | {"data": None} if self.data else body, self.status, headers)


def error(message: str, code: str, kind: str, *path: Any, **extensions: Any) -> dict[str, Any]:
    """One entry of `errors`."""
    where = {"path": list(path)} if path else {}
    return {"message": message, **where, "extensions": {"code": code, "type": kind, **extensions}}


def validation_failed(messages: Sequence[str], code: str = "GRAPHQL_VALIDATION_FAILED") -> Refused:
    """A document that is no valid query of the schema; such answers carry no limits."""
    http = {"status": 400, "headers": {}}
    return Refused([error(_quoted(text), code, "graphql error", http=http, userError=True) for text in messages], 400)


def invalid_variables(messages: Sequence[str]) -> Refused:
    """Variables that are not of their declared types."""
    return Refused([error(_quoted(text), "BAD_USER_INPUT", "graphql error", userError=True) for text in messages], 400)


def _quoted(text: str) -> str:
    """Names in double quotes: the vendor's library writes them so, ours in single ones."""
    return text.replace("'", '"')


def invalid_argument(path: Sequence[Any], name: str, value: Any, constraint: str, told: str) -> Refused:
    """An argument outside its bounds: HTTP 200 without data."""
    wrong = {
        "target": {name: value},
        "value": value,
        "property": name,
        "children": [],
        "constraints": {constraint: told},
    }
    details = {"validationErrors": [wrong], "userError": True, "userPresentableMessage": f"{told}."}
    return Refused(
        [error("Argument Validation Error", "INVALID_INPUT", "invalid input", *path, **details)], 200, data=True
    )


def too_complex(points: int, most: int) -> Refused:
    """A query beyond the cap on one query's complexity."""
    told = f"The query is too complex. Complexity: {points}. Maximum allowed complexity: {most}."
    details = {"userError": True, "userPresentableMessage": told, "meta": {}}
    return Refused([error("Query too complex", "INPUT_ERROR", "invalid input", **details)], 400)


class LinearErrors(VendorErrors):
    """Linear's bodies for the failures that a fault can cause.

    `status` says with which status a spent limit is answered; `count` is called for each such answer.
    """

    def __init__(self, status: Callable[[], int], count: Callable[[], None]) -> None:
        self._status = status
        self._count = count

    def unauthorized(self) -> Response:
        """A refused key."""
        told = "You need to authenticate to access this operation."
        details = {"statusCode": 401, "userError": True, "userPresentableMessage": told}
        message = "Authentication required, not authenticated"
        return Refused([error(message, "AUTHENTICATION_ERROR", "authentication error", **details)], 401).answer()

    def rate_limited(self, seconds: float) -> Response:
        """A limit is spent for `seconds`."""
        return self.limited("requests", 2500, time.time() + seconds)

    def limited(self, what: str, most: int, reset: float) -> Response:
        """The limit on `what`, requests or complexity, is spent until `reset` (epoch seconds)."""
        status = self._status()
        if status != 429:
            self._count()
        unit = "requests are" if what == "requests" else "complexity points are"
        message = f"Rate limit exceeded. Only {most} {unit} allowed per 1 hour."
        refused = Refused([error(message, "RATELIMITED", "ratelimited", statusCode=429)], status, data=status == 200)
        name = what.capitalize()
        headers = {
            f"X-RateLimit-{name}-Limit": str(most),
            f"X-RateLimit-{name}-Remaining": "0",
            f"X-RateLimit-{name}-Reset": str(int(reset * 1000)),
        }
        return refused.answer(headers)

    def server_error(self) -> Response:
        """An unexpected failure."""
        return Refused([internal_error()], 500).answer()


def internal_error(*path: Any) -> dict[str, Any]:
    """An entry of `errors` for something that broke while the answer was made."""
    return error("Internal server error", "INTERNAL_SERVER_ERROR", "internal error", *path, userError=False)
