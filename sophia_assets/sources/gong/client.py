"""Reads Gong into rows, in as few requests as its three a second make worth while."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sophia_assets.errors import ResponseInvalid
from sophia_assets.ingestion.http import ApiProfile, ErrorDetail, HttpTransport, RetryPolicy
from sophia_assets.ingestion.limiter import shared_limiter
from sophia_assets.sources.declarations import CompleteSet, ReadItem, ReplacedChildren, Rows, Window
from sophia_assets.sources.gong.rows import call_row, sentence_rows, tracker_rows, user_row
from sophia_assets.sources.gong.tables import SYSTEM

# The company's limit; the second has a margin for jitter on the way.
_REQUESTS, _PER_SECONDS = 3, 1.03

_MOST_RESTARTS = 2
_EXPOSED = {"context": "Extended", "exposedFields": {"parties": True, "content": {"trackers": True}}}


@dataclass(frozen=True)
class GongConnection:
    """Where the company's Gong is (`https://<region>.api.gong.io`) and its API key pair."""

    base_url: str
    access_key: str = field(default="", repr=False)
    access_key_secret: str = field(default="", repr=False)

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> GongConnection:
        """From GONG_BASE_URL, GONG_ACCESS_KEY and GONG_ACCESS_KEY_SECRET."""
        return cls(
            settings.get("GONG_BASE_URL", ""),
            settings.get("GONG_ACCESS_KEY", ""),
            settings.get("GONG_ACCESS_KEY_SECRET", ""),
        )


CONNECTION = GongConnection


def create_source(connection: GongConnection, *, retry: RetryPolicy | None = None) -> GongSource:
    """A client for the company's Gong; nothing is contacted yet."""
    return GongSource(connection, retry=retry)


class GongSource:
    """Gong as a `Source`. Safe to read several groups at once from several threads."""

    system = SYSTEM

    def __init__(self, connection: GongConnection, *, retry: RetryPolicy | None = None) -> None:
        base_url = connection.base_url.rstrip("/")
        credential = f"{connection.access_key}:{connection.access_key_secret}"
        limiter = shared_limiter(base_url, credential, "requests", requests=_REQUESTS, seconds=_PER_SECONDS)
        authorization = "Basic " + base64.b64encode(credential.encode()).decode()
        self._base_url = base_url
        self._transport = HttpTransport(_profile(base_url, retry or RetryPolicy()), authorization, limiter)

    @property
    def requests_made(self) -> int:
        """HTTP requests so far, repeated ones included."""
        return self._transport.requests_made

    def ping(self) -> str:
        """See `Source.ping`."""
        self._transport.request("GET", "/v2/users", obj="users")
        return f"Gong answers at {self._base_url} and accepts the access key"

    def read(self, group: str, window: Window) -> Iterator[ReadItem]:
        """See `Source.read`. `users` is read whole; the others by when the call began."""
        match group:
            case "users":
                yield from self._users()
            case "calls":
                yield from self._calls(window)
            case "transcripts":
                yield from self._transcripts(window)
            case _:
                raise KeyError(group)

    def _users(self) -> Iterator[ReadItem]:
        for page in self._pages("GET", "/v2/users", "users", {}):
            yield Rows("users", [user_row(user) for user in page])
        yield CompleteSet("users")

    def _calls(self, window: Window) -> Iterator[ReadItem]:
        body = {"filter": _filter(window), "contentSelector": _EXPOSED}
        for page in self._pages("POST", "/v2/calls/extensive", "calls", body):
            yield Rows("calls", [call_row(call) for call in page])
            yield Rows("call_trackers", [row for call in page for row in tracker_rows(call)])
            yield ReplacedChildren("call_trackers", "call_id", [str(call["metaData"]["id"]) for call in page])

    def _transcripts(self, window: Window) -> Iterator[ReadItem]:
        for page in self._pages("POST", "/v2/calls/transcript", "callTranscripts", {"filter": _filter(window)}):
            yield Rows("transcripts", [row for transcript in page for row in sentence_rows(transcript)])
            yield ReplacedChildren("transcripts", "call_id", [str(transcript["callId"]) for transcript in page])

    def _pages(self, method: str, path: str, key: str, body: Mapping[str, Any]) -> Iterator[list[Mapping[str, Any]]]:
        """The lists under `key`, page by page; nothing at all where Gong says that nothing was found."""
        cursor: str | None = None
        restarts = 0
        while True:
            try:
                answer = self._page(method, path, key, body, cursor)
            except ResponseInvalid as error:
                # An expired cursor cannot be renewed: begin again, since merging by key takes rows twice.
                if cursor is None or "cursor" not in error.message or restarts == _MOST_RESTARTS:
                    raise
                cursor = None
                restarts += 1
                continue
            if answer is None:
                return
            found = answer.get(key) if isinstance(answer, Mapping) else None
            if not isinstance(found, list):
                raise ResponseInvalid(
                    f"Gong's answer has no `{key}`", system=SYSTEM, obj=key, remedy="Check GONG_BASE_URL"
                )
            yield found
            following = (answer.get("records") or {}).get("cursor")
            if not following:
                return
            if following == cursor:
                raise ResponseInvalid("Gong repeats a page's cursor", system=SYSTEM, obj=key, remedy="Run again later")
            cursor = str(following)

    def _page(self, method: str, path: str, key: str, body: Mapping[str, Any], cursor: str | None) -> Any:
        paged = {**body, "cursor": cursor} if cursor else dict(body)
        if method == "GET":
            return self._transport.request(method, path, obj=key, params=paged)
        return self._transport.request(method, path, obj=key, body=paged)


def _filter(window: Window) -> dict[str, str]:
    """From inclusive, to exclusive, both by when the call began."""
    bounds = {"toDateTime": _stamp(window.end)}
    if window.start is not None:
        bounds["fromDateTime"] = _stamp(window.start)
    return bounds


def _stamp(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _profile(base_url: str, retry: RetryPolicy) -> ApiProfile:
    return ApiProfile(
        system=SYSTEM,
        label="Gong",
        base_url=base_url,
        base_url_setting="GONG_BASE_URL",
        credential_remedy="Check GONG_ACCESS_KEY and GONG_ACCESS_KEY_SECRET: Gong > Company settings > API makes them",
        permission_remedy="Give the API key behind GONG_ACCESS_KEY the scopes for reading users, calls and transcripts",
        error_detail=_error_detail,
        # Gong answers 401 for a missing scope, too.
        is_permission=lambda detail: "permission" in detail.message,
        is_empty=lambda status, detail: status == 404 and _NOTHING_FOUND in detail.message,
        retry=retry,
    )


_NOTHING_FOUND = "found corresponding to the provided filters"


def _error_detail(body: Any) -> ErrorDetail:
    if not isinstance(body, Mapping):
        return ErrorDetail()
    errors = body.get("errors")
    message = "; ".join(str(error) for error in errors) if isinstance(errors, list) else ""
    request_id = body.get("requestId")
    return ErrorDetail(message.rstrip("."), str(request_id) if request_id else None)
