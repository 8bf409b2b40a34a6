"""Speaks Gong's API: its limits, its paging, and what its answers mean."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sophia_assets.errors import ResponseInvalid
from sophia_assets.ingestion.http import HttpTransport
from sophia_assets.ingestion.limiter import Limiters
from sophia_assets.ingestion.requesting import Answer, ApiProfile, Outcome, Verdict, by_status
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.sources.gong.tables import SYSTEM

# The company's limits; the second has a margin for jitter on the way.
_REQUESTS, _PER_SECONDS = 3, 1.03
_REQUESTS_A_DAY, _DAY_SECONDS = 10_000, 86_400

_MOST_RESTARTS = 2
# How Gong says that nothing matches the filter, as opposed to an address that does not exist.
_NOTHING_FOUND = re.compile(r"^No .*\bfound (corresponding to the provided filters|for the specified period)")

Item = Mapping[str, Any]


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


@dataclass(frozen=True)
class Page:
    """One page of a list. `cursor` leads to the next one; None on the last."""

    items: list[Item]
    cursor: str | None


class GongApi:
    """One company's Gong. Thread-safe."""

    def __init__(self, connection: GongConnection, retry: RetryPolicy, limiters: Limiters) -> None:
        self.base_url = connection.base_url.rstrip("/")
        credential = f"{connection.access_key}:{connection.access_key_secret}"
        account = limiters.account(SYSTEM, self.base_url, credential)
        second = account.limiter("requests", requests=_REQUESTS, seconds=_PER_SECONDS)
        self._day = account.limiter("day", requests=_REQUESTS_A_DAY, seconds=_DAY_SECONDS)
        self._limits = {self._day: 1.0, second: 1.0}
        authorization = "Basic " + base64.b64encode(credential.encode()).decode()
        self._transport = HttpTransport(_profile(self.base_url, retry), second, authorization=authorization)

    @property
    def requests_made(self) -> int:
        """HTTP requests so far, repeated ones included."""
        return self._transport.requests_made

    def close(self) -> None:
        """Ends waits and closes idle connections."""
        self._transport.close()

    def left_of_day(self) -> tuple[float, float]:
        """How many requests this machine may still send of the day's, and how many the company has."""
        return self._day.standing()

    def get(self, path: str, key: str) -> list[Item]:
        """The list under `key` of an answer that has no pages. Raises a SourceError."""
        return _listed(self._request("GET", path, key, {}, None), key)

    def pages(
        self, method: str, path: str, key: str, body: Mapping[str, Any], cursor: str | None = None
    ) -> Iterator[Page]:
        """The pages of the list under `key`, from the one that `cursor` leads to.

        No page at all where Gong says that nothing was found. A cursor that has expired cannot be renewed:
        the list then begins again, so that items may come twice. Raises a SourceError.
        """
        restarts = 0
        while True:
            try:
                answer = self._request(method, path, key, body, cursor)
            except ResponseInvalid as error:
                if cursor is None or "cursor" not in error.message or restarts == _MOST_RESTARTS:
                    raise
                cursor = None
                restarts += 1
                continue
            if answer is None:
                return
            found = _listed(answer, key)
            following = (answer.get("records") or {}).get("cursor") or None
            if following is not None and following == cursor:
                raise ResponseInvalid("Gong repeats a page's cursor", system=SYSTEM, obj=key, remedy="Run again later")
            yield Page(found, following)
            if following is None:
                return
            cursor = str(following)

    def _request(self, method: str, path: str, key: str, body: Mapping[str, Any], cursor: str | None) -> Any:
        paged = {**body, "cursor": cursor} if cursor else dict(body)
        given: dict[str, Any] = {"params": paged} if method == "GET" else {"body": paged}
        return self._transport.request(method, path, obj=key, limits=self._limits, **given)


def stamp(value: datetime) -> str:
    """A moment as Gong's filters take it; a fraction of a second is kept."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _listed(answer: Any, key: str) -> list[Item]:
    found = answer.get(key) if isinstance(answer, Mapping) else None
    if not isinstance(found, list):
        raise ResponseInvalid(f"Gong's answer has no `{key}`", system=SYSTEM, obj=key, remedy="Check GONG_BASE_URL")
    return found


def _profile(base_url: str, retry: RetryPolicy) -> ApiProfile:
    return ApiProfile(
        system=SYSTEM,
        label="Gong",
        base_url=base_url,
        base_url_setting="GONG_BASE_URL",
        credential_remedy="Check GONG_ACCESS_KEY and GONG_ACCESS_KEY_SECRET: Gong > Company settings > API makes them",
        permission_remedy="Give the API key behind GONG_ACCESS_KEY that scope, or a user who may see what it asks for",
        classify=_classify,
        retry=retry,
    )


def _classify(answer: Answer) -> Verdict:
    """Gong answers 404 where nothing matches a filter, and 401 for a missing scope, too."""
    body = answer.body if isinstance(answer.body, Mapping) else {}
    errors = body.get("errors")
    message = "; ".join(str(error) for error in errors).rstrip(".") if isinstance(errors, list) else ""
    request_id = str(body["requestId"]) if body.get("requestId") else None
    if answer.status == 404 and _NOTHING_FOUND.search(message):
        return Verdict(Outcome.EMPTY)
    if answer.status == 401 and "permission" in message:
        return Verdict(Outcome.NO_PERMISSION, message, request_id)
    return by_status(answer, message, request_id)
