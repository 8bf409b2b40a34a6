"""HubSpot's endpoints: paths, pages, batches; records go out as HubSpot sent them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote

from sophia_assets.errors import PermissionMissing, ResponseInvalid, SourceError
from sophia_assets.ingestion.http import HttpTransport
from sophia_assets.ingestion.limiter import Limiters
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.sources.hubspot.answers import (
    SYSTEM,
    AccountDay,
    check_partial,
    following,
    hubspot_profile,
    results,
)
from sophia_assets.sources.hubspot.objects import CrmObject, milliseconds, moment

# All paths begin with one of these; the dated ones would be /crm/objects/2026-09 and so on.
OBJECTS_PATH = "/crm/v3/objects"
ASSOCIATIONS_PATH = "/crm/v4/associations"
OWNERS_PATH = "/crm/v3/owners"
PIPELINES_PATH = "/crm/v3/pipelines"
PROPERTIES_PATH = "/crm/v3/properties"
ACCOUNT_PATH = "/account-info/v3/details"

LIST_PAGE = 100
LIST_PAGE_WITH_HISTORY = 50
SEARCH_PAGE = 200
ASSOCIATION_BATCH = 100
HISTORY_BATCH = 50

# HubSpot refuses URLs of about 15,000 characters; what else stands in one is far less than the difference.
_PROPERTIES_ROOM = 13_000

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


class Page(NamedTuple):
    """Records, and the cursor of the page after them, None on the last."""

    records: list[Record]
    after: str | None


class SearchPlace(NamedTuple):
    """How far a search by modification time has got: `lower` (milliseconds since 1970) is where it goes on.

    With `drain`, only what was modified in exactly that millisecond is left of it, behind that record id.
    """

    lower: int
    drain: str | None = None


class HubSpotApi:
    """One account. Thread-safe. Every method raises a SourceError."""

    def __init__(self, connection: HubSpotConnection, retry: RetryPolicy, limiters: Limiters) -> None:
        base_url = connection.base_url.rstrip("/")
        token = connection.access_token
        account = limiters.account(SYSTEM, base_url, token)
        general = account.limiter("requests", requests=_REQUESTS, seconds=_PER_SECONDS)
        self._search_limit = account.limiter("search", requests=_SEARCHES, seconds=_SEARCHES_PER_SECONDS)
        self._day = AccountDay()
        profile = hubspot_profile(base_url, retry, self._day)
        self.transport = HttpTransport(profile, general, authorization=f"Bearer {token}")

    def list_page(self, obj: CrmObject, after: str | None, *, archived: bool = False, history: bool = False) -> Page:
        """Live or archived records by id, with the associations that are kept, and their history on demand."""
        inline, rest = _split(obj.properties)
        params: dict[str, Any] = {
            "limit": LIST_PAGE,
            "properties": ",".join(inline),
            "archived": "true" if archived else "false",
        }
        if history:
            params |= {"limit": LIST_PAGE_WITH_HISTORY, "propertiesWithHistory": ",".join(obj.history)}
        if obj.links:
            params["associations"] = ",".join(obj.links)
        page = self._page(f"{OBJECTS_PATH}/{obj.type}", params, obj.type, after)
        if not rest or not page.records:
            return page
        return Page(self._completed(obj, page.records, rest, archived=archived), page.after)

    def owner_page(self, after: str | None, *, archived: bool) -> Page:
        """Owners who are, or are not, archived."""
        params = {"limit": LIST_PAGE, "archived": "true" if archived else "false"}
        return self._page(OWNERS_PATH, params, "owners", after)

    def pipelines(self, object_type: str) -> list[Record]:
        """The pipelines of deals or tickets, with their stages."""
        answer = self.transport.request("GET", f"{PIPELINES_PATH}/{object_type}", obj="pipelines")
        return results(answer, "pipelines")

    def property_names(self, object_type: str) -> frozenset[str]:
        """The properties that the account has for a type; none where the app may not read that."""
        try:
            answer = self.transport.request("GET", f"{PROPERTIES_PATH}/{object_type}", obj=object_type)
        except PermissionMissing:
            return frozenset()
        return frozenset(str(found.get("name")) for found in results(answer, object_type))

    def learn_account_day(self) -> None:
        """Asks once for the account's time zone, in which its daily limit is renewed; UTC where it is not told."""
        if self._day.zone is not None:
            return
        try:
            self._day.learn((self.transport.request("GET", ACCOUNT_PATH, obj="account") or {}).get("timeZone"))
        except SourceError:
            self._day.learn("UTC")

    def look(self, path: str, obj: str) -> Mapping[str, str]:
        """Asks for one record; the answer's headers."""
        answer = self.transport.answer("GET", path, obj=obj, params={"limit": 1})
        return answer.headers if answer is not None else {}

    def ping(self) -> None:
        """The cheapest authenticated request."""
        self.transport.request("GET", OWNERS_PATH, obj="owners", params={"limit": 1})

    def modified_page(self, obj: CrmObject, place: SearchPlace, upper: int) -> tuple[list[Record], SearchPlace | None]:
        """Records modified from `place` on and before `upper` (milliseconds since 1970), and where to go on.

        Every page is a new search from the last time seen, with the records of that last millisecond
        withheld until the next: offsets would skip a record whenever one on an earlier page is
        modified meanwhile, and end at 10,000. A millisecond that fills a page is drained by id.
        """
        if place.drain is not None:
            return self._drained_page(obj, place.lower, place.drain, upper)
        in_span = [_filter(obj.cursor, "GTE", place.lower), _filter(obj.cursor, "LT", upper)]
        found, more = self._search(obj, in_span, obj.cursor)
        if not more:
            return found, None
        last = modified_ms(obj, found[-1])
        earlier = [record for record in found if modified_ms(obj, record) < last]
        return earlier, SearchPlace(last) if len(earlier) >= len(found) / 2 else SearchPlace(last, "0")

    def histories(self, obj: CrmObject, ids: Sequence[str]) -> list[Record]:
        """The records' watched properties with history; at most HISTORY_BATCH ids."""
        body = {"inputs": _inputs(ids), "properties": [], "propertiesWithHistory": list(obj.history)}
        return self._batch(obj, body, archived=False)

    def associated(self, from_type: str, to_type: str, ids: Sequence[str]) -> dict[str, set[str]]:
        """For each id, the ids of the `to_type` records it is associated with; at most ASSOCIATION_BATCH ids."""
        found: dict[str, set[str]] = {identifier: set() for identifier in ids}
        inputs = _inputs(ids)
        path = f"{ASSOCIATIONS_PATH}/{from_type}/{to_type}/batch/read"
        while inputs:
            answer = self.transport.request("POST", path, obj=from_type, body={"inputs": inputs})
            check_partial(answer, from_type)
            inputs = []
            for result in results(answer, from_type):
                identifier = str(result["from"]["id"])
                found.setdefault(identifier, set()).update(str(to["toObjectId"]) for to in result.get("to") or ())
                after = following(result)
                if after is not None:
                    inputs.append({"id": identifier, "after": after})
        return found

    def _drained_page(
        self, obj: CrmObject, instant: int, behind: str, upper: int
    ) -> tuple[list[Record], SearchPlace | None]:
        """Records modified in one millisecond, by id."""
        filters = [_filter(obj.cursor, "EQ", instant), _filter("hs_object_id", "GT", behind)]
        found, more = self._search(obj, filters, "hs_object_id")
        if more:
            return found, SearchPlace(instant, str(found[-1]["id"]))
        return found, SearchPlace(instant + 1) if instant + 1 < upper else None

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
            answer = self.transport.request("POST", path, obj=obj.type, body=body, limits={self._search_limit: 1})
            found, after = results(answer, obj.type), following(answer)
            if found or after is None:
                return found, after is not None
            body["after"] = after

    def _page(self, path: str, params: dict[str, Any], obj: str, after: str | None) -> Page:
        answer = self.transport.request("GET", path, obj=obj, params={**params, "after": after} if after else params)
        page = Page(results(answer, obj), following(answer))
        if page.after is not None and page.after == after:
            raise ResponseInvalid(
                f"HubSpot repeats the page after {after!r}", system=SYSTEM, obj=obj, remedy="Run again later"
            )
        return page

    def _completed(
        self, obj: CrmObject, records: list[Record], names: Sequence[str], *, archived: bool
    ) -> list[Record]:
        """The records with further properties; one that has vanished meanwhile goes without them."""
        ids = [str(record["id"]) for record in records]
        body = {"inputs": _inputs(ids), "properties": list(names), "propertiesWithHistory": []}
        more = {record["id"]: record["properties"] for record in self._batch(obj, body, archived=archived)}
        return [{**r, "properties": {**r["properties"], **more.get(r["id"], {})}} for r in records]

    def _batch(self, obj: CrmObject, body: dict[str, Any], *, archived: bool) -> list[Record]:
        path = f"{OBJECTS_PATH}/{obj.type}/batch/read"
        params = {"archived": "true"} if archived else None
        answer = self.transport.request("POST", path, obj=obj.type, params=params, body=body)
        check_partial(answer, obj.type)
        return results(answer, obj.type)


def chunks(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """The ids, `size` at a time."""
    for place in range(0, len(ids), size):
        yield ids[place : place + size]


def modified_ms(obj: CrmObject, record: Record) -> int:
    """When the record was last modified, in milliseconds since 1970."""
    value = (record.get("properties") or {}).get(obj.cursor) or record.get("updatedAt")
    if not value:
        raise ResponseInvalid(
            f"record {record.get('id')} has no {obj.cursor}", system=SYSTEM, obj=obj.type, remedy="Run again later"
        )
    return milliseconds(moment(value))


def _split(names: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """The properties that fit into a URL, and the rest, which a batch read's body has room for."""
    length = 0
    for place, name in enumerate(names):
        length += len(quote(f"{name},", safe=""))
        if length > _PROPERTIES_ROOM:
            return names[:place], names[place:]
    return names, ()


def _inputs(ids: Sequence[str]) -> list[dict[str, str]]:
    return [{"id": identifier} for identifier in ids]


def _filter(name: str, operator: str, value: int | str) -> dict[str, str]:
    return {"propertyName": name, "operator": operator, "value": str(value)}
