"""HubSpot's endpoints: paths, paging, batches, limits and error bodies; records go out as HubSpot sent them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sophia_assets.errors import ResponseInvalid
from sophia_assets.ingestion.http import ApiProfile, ErrorDetail, HttpTransport, RetryPolicy
from sophia_assets.ingestion.limiter import RateLimiter, shared_limiter
from sophia_assets.sources.hubspot.objects import CrmObject, milliseconds, moment

SYSTEM = "hubspot"
OBJECTS_PATH = "/crm/v3/objects"
ASSOCIATIONS_PATH = "/crm/v4/associations"
OWNERS_PATH = "/crm/v3/owners"
PIPELINES_PATH = "/crm/v3/pipelines"

LIST_PAGE = 100
LIST_PAGE_WITH_HISTORY = 50
SEARCH_PAGE = 200
ASSOCIATION_BATCH = 100
HISTORY_BATCH = 50

# What every plan allows; the answers' headers raise it to what the account really has.
_REQUESTS, _PER_SECONDS = 100, 10.0
# Search has a limit of its own and no headers; the interval has a margin for jitter on the way.
_SEARCHES, _SEARCHES_PER_SECONDS = 5, 1.05

Record = Mapping[str, Any]


@dataclass(frozen=True)
class HubSpotConnection:
    """Where HubSpot is and how to get in: a private app's access token."""

    base_url: str = "https://api.hubapi.com"
    access_token: str = field(default="", repr=False)

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> HubSpotConnection:
        """From HUBSPOT_BASE_URL and HUBSPOT_ACCESS_TOKEN."""
        return cls(settings.get("HUBSPOT_BASE_URL") or cls.base_url, settings.get("HUBSPOT_ACCESS_TOKEN", ""))


class HubSpotApi:
    """One account. Thread-safe. Every method raises a SourceError."""

    def __init__(self, connection: HubSpotConnection, retry: RetryPolicy) -> None:
        base_url = connection.base_url.rstrip("/")
        token = connection.access_token
        general = shared_limiter(base_url, token, "requests", requests=_REQUESTS, seconds=_PER_SECONDS)
        self._search_limiter = shared_limiter(
            base_url, token, "search", requests=_SEARCHES, seconds=_SEARCHES_PER_SECONDS
        )
        self.transport = HttpTransport(_profile(base_url, retry), f"Bearer {token}", general)

    def list_pages(self, obj: CrmObject) -> Iterator[list[Record]]:
        """All live records, with watched history and company associations in the same answers."""
        params: dict[str, Any] = {"limit": LIST_PAGE, "properties": ",".join(obj.properties), "archived": "false"}
        if obj.history:
            params |= {"limit": LIST_PAGE_WITH_HISTORY, "propertiesWithHistory": ",".join(obj.history)}
        if obj.companies:
            params["associations"] = "companies"
        yield from self._pages(f"{OBJECTS_PATH}/{obj.type}", params, obj.type)

    def archived_pages(self, obj: CrmObject) -> Iterator[list[Record]]:
        """All archived records; the list has no time filter."""
        params = {"limit": LIST_PAGE, "properties": "hs_object_id", "archived": "true"}
        yield from self._pages(f"{OBJECTS_PATH}/{obj.type}", params, obj.type)

    def owner_pages(self, *, archived: bool) -> Iterator[list[Record]]:
        """All owners who are, or are not, archived."""
        params = {"limit": LIST_PAGE, "archived": "true" if archived else "false"}
        yield from self._pages(OWNERS_PATH, params, "owners")

    def deal_pipelines(self) -> list[Record]:
        """The deal pipelines with their stages."""
        answer = self.transport.request("GET", f"{PIPELINES_PATH}/deals", obj="pipelines")
        return _results(answer, "pipelines")

    def account(self) -> None:
        """The cheapest authenticated request."""
        self.transport.request("GET", OWNERS_PATH, obj="owners", params={"limit": 1})

    def modified_pages(self, obj: CrmObject, start: datetime, end: datetime) -> Iterator[list[Record]]:
        """Records modified in [start, end), in order of modification, however many there are.

        Every page is a new search from the last time seen, with the records of that last millisecond
        withheld until the next: offsets would skip a record whenever one on an earlier page is
        modified meanwhile, and end at 10,000. A millisecond that fills a page is drained by id.
        """
        lower, upper = milliseconds(start), milliseconds(end)
        while lower < upper:
            in_span = [_filter(obj.cursor, "GTE", lower), _filter(obj.cursor, "LT", upper)]
            found, more = self._search(obj, in_span, obj.cursor)
            if not more:
                yield found
                return
            last = _modified(obj, found[-1])
            earlier = [record for record in found if _modified(obj, record) < last]
            yield earlier
            if len(earlier) >= len(found) / 2:
                lower = last
            else:
                yield from self._millisecond(obj, last)
                lower = last + 1

    def histories(self, obj: CrmObject, ids: Sequence[str]) -> list[Record]:
        """The records' watched properties with history; at most HISTORY_BATCH ids."""
        body = {
            "inputs": [{"id": identifier} for identifier in ids],
            "properties": [],
            "propertiesWithHistory": list(obj.history),
        }
        answer = self.transport.request("POST", f"{OBJECTS_PATH}/{obj.type}/batch/read", obj=obj.type, body=body)
        return _results(answer, obj.type)

    def associated(self, from_type: str, to_type: str, ids: Sequence[str]) -> dict[str, set[str]]:
        """For each id, the ids of the `to_type` records it is associated with; at most ASSOCIATION_BATCH ids."""
        found: dict[str, set[str]] = {identifier: set() for identifier in ids}
        inputs: list[dict[str, str]] = [{"id": identifier} for identifier in ids]
        path = f"{ASSOCIATIONS_PATH}/{from_type}/{to_type}/batch/read"
        while inputs:
            answer = self.transport.request("POST", path, obj=from_type, body={"inputs": inputs})
            self._check_partial(answer, from_type)
            inputs = []
            for result in _results(answer, from_type):
                identifier = str(result["from"]["id"])
                found.setdefault(identifier, set()).update(str(to["toObjectId"]) for to in result.get("to") or ())
                after = _after(result)
                if after is not None:
                    inputs.append({"id": identifier, "after": after})
        return found

    def _millisecond(self, obj: CrmObject, instant: int) -> Iterator[list[Record]]:
        """All records modified in one millisecond, by id."""
        filters = [_filter(obj.cursor, "EQ", instant)]
        while True:
            found, more = self._search(obj, filters, "hs_object_id")
            yield found
            if not more:
                return
            filters = [_filter(obj.cursor, "EQ", instant), _filter("hs_object_id", "GT", str(found[-1]["id"]))]

    def _search(self, obj: CrmObject, filters: list[dict[str, str]], sort: str) -> tuple[list[Record], bool]:
        """The first page that is not empty, and whether there is more after it."""
        body: dict[str, Any] = {
            "filterGroups": [{"filters": filters}],
            "sorts": [{"propertyName": sort, "direction": "ASCENDING"}],
            "properties": list(obj.properties),
            "limit": SEARCH_PAGE,
        }
        path = f"{OBJECTS_PATH}/{obj.type}/search"
        while True:
            answer = self.transport.request("POST", path, obj=obj.type, body=body, limiter=self._search_limiter)
            found, after = _results(answer, obj.type), _after(answer)
            if found or after is None:
                return found, after is not None
            body["after"] = after

    def _pages(self, path: str, params: dict[str, Any], obj: str) -> Iterator[list[Record]]:
        after: str | None = None
        while True:
            page = {**params, "after": after} if after else params
            answer = self.transport.request("GET", path, obj=obj, params=page)
            yield _results(answer, obj)
            following = _after(answer)
            if following is None:
                return
            if following == after:
                raise ResponseInvalid(
                    f"HubSpot repeats the page after {after!r}", system=SYSTEM, obj=obj, remedy="Run again later"
                )
            after = following

    @staticmethod
    def _check_partial(answer: Mapping[str, Any], obj: str) -> None:
        """A batch may succeed in part (207): a record without associations is no failure, anything else is."""
        for error in answer.get("errors") or ():
            kind = f"{error.get('subCategory', '')} {error.get('category', '')}"
            if "NO_ASSOCIATIONS_FOUND" not in kind and "OBJECT_NOT_FOUND" not in kind:
                raise ResponseInvalid(
                    f"HubSpot could not read the associations of all records ({error.get('message', 'no details')})",
                    system=SYSTEM,
                    obj=obj,
                    remedy="Run again; if it lasts, check the private app's scopes",
                )


def _profile(base_url: str, retry: RetryPolicy) -> ApiProfile:
    return ApiProfile(
        system=SYSTEM,
        label="HubSpot",
        base_url=base_url,
        base_url_setting="HUBSPOT_BASE_URL",
        credential_remedy="Check HUBSPOT_ACCESS_TOKEN: HubSpot > Settings > Integrations > Private apps shows it",
        permission_remedy="Give the private app behind HUBSPOT_ACCESS_TOKEN the read scopes for CRM objects and owners",
        error_detail=_error_detail,
        learn=_learn,
        retry=retry,
    )


def _error_detail(body: Any) -> ErrorDetail:
    if not isinstance(body, Mapping):
        return ErrorDetail()
    message = str(body.get("message") or body.get("category") or "").strip().rstrip(".")
    for error in body.get("errors") or ():
        scopes = ((error or {}).get("context") or {}).get("requiredGranularScopes")
        if scopes:
            message += f": {', '.join(scopes)}"
    policy = str(body.get("policyName") or "")
    request_id = body.get("correlationId") or body.get("requestId")
    request_id = str(request_id) if request_id else None
    if policy == "DAILY":
        return ErrorDetail(message, request_id, wait=_until_midnight(), exhausted=True)
    wait = {"TEN_SECONDLY_ROLLING": 10.0, "SECONDLY": 1.0}.get(policy)
    return ErrorDetail(message, request_id, wait=wait)


def _until_midnight() -> float:
    now = datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - now).total_seconds()


def _learn(limiter: RateLimiter, headers: Mapping[str, str]) -> None:
    try:
        limit = int(headers["X-HubSpot-RateLimit-Max"])
        interval = int(headers["X-HubSpot-RateLimit-Interval-Milliseconds"]) / 1000
        remaining = headers.get("X-HubSpot-RateLimit-Remaining")
        limiter.learn(limit=limit, seconds=interval, remaining=None if remaining is None else int(remaining))
    except (KeyError, ValueError):
        return


def _results(answer: Any, obj: str) -> list[Record]:
    results = answer.get("results") if isinstance(answer, Mapping) else None
    if not isinstance(results, list):
        raise ResponseInvalid(
            "HubSpot's answer has no `results`", system=SYSTEM, obj=obj, remedy="Check HUBSPOT_BASE_URL"
        )
    return results


def _after(answer: Mapping[str, Any]) -> str | None:
    after = ((answer.get("paging") or {}).get("next") or {}).get("after")
    return None if after in (None, "") else str(after)


def _filter(name: str, operator: str, value: int | str) -> dict[str, str]:
    return {"propertyName": name, "operator": operator, "value": str(value)}


def _modified(obj: CrmObject, record: Record) -> int:
    """When the record was last modified, in milliseconds since 1970."""
    value = (record.get("properties") or {}).get(obj.cursor) or record.get("updatedAt")
    if not value:
        raise ResponseInvalid(
            f"record {record.get('id')} has no {obj.cursor}", system=SYSTEM, obj=obj.type, remedy="Run again later"
        )
    return milliseconds(moment(value))
