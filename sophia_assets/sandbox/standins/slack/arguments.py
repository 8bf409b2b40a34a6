"""How Slack reads what it is asked: arguments from anywhere, their checks, and page cursors."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request

from sophia_assets.sandbox.standins.answers import JsonAnswer, random_id
from sophia_assets.sandbox.standins.slack.store import micros

_LATEST_POSSIBLE = 10**16
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"


class Refused(Exception):
    """A request that is answered with `{"ok": false, "error": ...}`."""

    def __init__(self, error: str, **details: Any) -> None:
        super().__init__(error)
        self.error = error
        self.details = details


def answer(content: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> JsonAnswer:
    """An answer with the id that Slack gives every request."""
    return JsonAnswer(dict(content), status, {"x-slack-req-id": random_id(32), **(headers or {})})


def failure(error: str, status: int = 200, headers: Mapping[str, str] | None = None, **details: Any) -> JsonAnswer:
    """An error as Slack writes it, which is HTTP 200 but for limits and its own failures."""
    return answer({"ok": False, "error": error, **details}, status, headers)


@dataclass(frozen=True)
class Span:
    """The messages that are asked for, both ends included, in microseconds since 1970."""

    lowest: int
    highest: int


class Arguments:
    """A request's arguments by name, as text, from its query and its body."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str) -> str | None:
        """An argument; empty text counts as none."""
        return self._values.get(name) or None

    def required(self, name: str) -> str:
        """An argument without which the request means nothing."""
        value = self.text(name)
        if value is None:
            raise Refused(
                "invalid_arguments", response_metadata={"messages": [f"[ERROR] missing required field: {name}"]}
            )
        return value

    def limit(self, default: int, most: int) -> int:
        """How many items a page may have."""
        value = self.text("limit")
        if value is None:
            return default
        if not re.fullmatch(r"[0-9]{1,6}", value) or not 1 <= int(value) <= most:
            raise Refused("invalid_limit")
        return int(value)

    def flag(self, name: str) -> bool:
        """A truth value, false where it is not given."""
        value = (self.text(name) or "false").lower()
        if value not in ("true", "false", "1", "0"):
            raise Refused("invalid_arguments", response_metadata={"messages": [f"[ERROR] must be a boolean: {name}"]})
        return value in ("true", "1")

    def span(self) -> Span:
        """`oldest` and `latest`, of which a message of exactly that time is only meant where `inclusive` says so."""
        inclusive = self.flag("inclusive")
        lowest, highest = self._moment("oldest", 0), self._moment("latest", _LATEST_POSSIBLE)
        return Span(lowest, highest) if inclusive else Span(lowest + bool(lowest), highest - 1)

    def _moment(self, name: str, otherwise: int) -> int:
        value = self.text(name)
        if value is None:
            return otherwise
        try:
            return micros(value)
        except ValueError:
            raise Refused(f"invalid_ts_{name}") from None

    def fingerprint(self, method: str) -> str:
        """Ties a cursor to the request that it continues."""
        kept = sorted((name, value) for name, value in self._values.items() if name not in ("cursor", "limit", "token"))
        return hashlib.blake2s(repr((method, kept)).encode(), digest_size=6).hexdigest()


async def read_arguments(request: Request) -> Arguments:
    """The arguments of a GET or POST, form-encoded or JSON. Raises Refused for a body that is neither."""
    found = dict(parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True))
    body = await request.body()
    if not body:
        return Arguments(found)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == _JSON:
        found |= _json_arguments(body)
    elif kind == _FORM:
        found |= dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    else:
        raise Refused("invalid_post_type" if kind else "missing_post_type")
    return Arguments(found)


def _json_arguments(body: bytes) -> dict[str, str]:
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refused("invalid_json") from None
    if not isinstance(given, dict):
        raise Refused("json_not_object")
    return {name: _plain(value) for name, value in given.items() if value is not None}


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def cursor(kind: str, position: str | int, fingerprint: str) -> str:
    """An opaque cursor; two for the same position differ, since a page may be empty."""
    return base64.b64encode(f"{kind}:{position}:{fingerprint}:{random_id(4)}".encode()).decode()


def read_cursor(given: str | None, kind: str, fingerprint: str) -> str | None:
    """The position that a cursor of this request stands for. Raises Refused for any other."""
    if given is None:
        return None
    try:
        found, position, of, _ = base64.b64decode(given, validate=True).decode("ascii").split(":")
    except ValueError:
        raise Refused("invalid_cursor") from None
    if (found, of) != (kind, fingerprint) or not position.isdigit():
        raise Refused("invalid_cursor")
    return position
