"""Linear's GraphQL endpoint: asks for pages, keeps inside both limits, and knows a page that is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sophia_assets.errors import ResponseInvalid
from sophia_assets.ingestion.http import HttpTransport
from sophia_assets.ingestion.limiter import Limiters, RateLimiter
from sophia_assets.ingestion.requesting import Answer, ApiProfile
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.sources.linear.errors import REFUSED_INPUT, TOO_COMPLEX, classify, number, resets_at
from sophia_assets.sources.linear.queries import ACCOUNT, ACCOUNT_POINTS, Query
from sophia_assets.sources.linear.rows import Node
from sophia_assets.sources.linear.tables import SYSTEM

DEFAULT_URL = "https://api.linear.app/graphql"

_HOUR = 3600.0
_REQUESTS, _COMPLEXITY = 2_500, 3_000_000
# An issue may be deleted just when its id is the cursor, and more than once in a long read.
_MOST_RESTARTS = 5
_OAUTH_PREFIX = "lin_oauth_"


@dataclass(frozen=True)
class LinearConnection:
    """Where Linear is, and a personal API key or an OAuth token of the organization."""

    api_url: str = DEFAULT_URL
    api_key: str = field(default="", repr=False)

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> LinearConnection:
        """From LINEAR_API_KEY and, where it is set, LINEAR_API_URL."""
        return cls(settings.get("LINEAR_API_URL") or DEFAULT_URL, settings.get("LINEAR_API_KEY", ""))


@dataclass(frozen=True)
class Page:
    """One page of a connection; `after` is where the next one begins, None behind the last."""

    nodes: Sequence[Node]
    after: str | None


class LinearApi:
    """One organization. Thread-safe. Every method raises a SourceError."""

    def __init__(self, connection: LinearConnection, retry: RetryPolicy, limiters: Limiters) -> None:
        account = limiters.account(SYSTEM, connection.api_url, connection.api_key)
        self._requests = account.limiter("requests", requests=_REQUESTS, seconds=_HOUR)
        self._complexity = account.limiter("complexity", requests=_COMPLEXITY, seconds=_HOUR)
        # A query that was too complex once is not asked for in that size again.
        self._firsts: dict[str, int] = {}
        self.transport = HttpTransport(
            _profile(connection.api_url, retry), self._requests, authorization=_authorization(connection.api_key)
        )

    def account(self) -> str:
        """The organization's name; a cheap request."""
        organization = self._ask(ACCOUNT, {}, "organization", ACCOUNT_POINTS).get("organization")
        return str(organization.get("name")) if isinstance(organization, Mapping) else ""

    def look(self, query: Query) -> int:
        """Asks for one node; how many came."""
        data = self._ask(query.document, {"first": 1}, query.root, query.cost(1))
        return len(read_page(data.get(query.root), query.root).nodes)

    def left_of_hour(self) -> Iterator[tuple[str, float, float]]:
        """Each limit's name, what is left of it in this hour, and the limit."""
        for name, limiter in (("requests", self._requests), ("complexity", self._complexity)):
            yield name, *limiter.standing()

    def first(self, query: Query) -> int:
        """How many nodes of `query` are asked for at once."""
        return self._firsts.get(query.name, query.first)

    def no_more_than(self, query: Query, first: Any) -> None:
        """Asks for no more nodes of `query` than this: what an earlier read has found out."""
        if isinstance(first, int) and first >= 1:
            self._firsts[query.name] = min(first, self.first(query))

    def pages(self, query: Query, variables: Mapping[str, Any], *, after: str | None = None) -> Iterator[Page]:
        """The pages from `after` on. Where Linear no longer accepts a cursor, all pages come again from the first."""
        seen: set[str] = set()
        restarts = 0
        while True:
            try:
                page = self._page(query, {**variables, "after": after})
            except ResponseInvalid as error:
                if after is None or error.code not in REFUSED_INPUT or restarts == _MOST_RESTARTS:
                    raise
                after, restarts = None, restarts + 1
                seen.clear()
                continue
            yield page
            after = page.after
            if after is None:
                return
            if after in seen:
                raise _invalid("Linear repeats a page's cursor", query.root)
            seen.add(after)

    def children(self, query: Query, key: str, issues: Sequence[str]) -> Iterator[tuple[str, list[Node]]]:
        """All that the connection `key` of each issue holds. An issue that is gone by now is left out."""
        size = self.first(query)
        for start in range(0, len(issues), size):
            wanted = {"id": {"in": list(issues[start : start + size])}}
            for page in self.pages(query, {"filter": wanted, "inner": None}):
                for issue in page.nodes:
                    identifier = str(issue["id"])
                    listed = read_page(issue.get(key), key)
                    entries = list(listed.nodes) if listed.after is None else self._long(query, key, identifier)
                    if entries is not None:
                        yield identifier, entries

    def _long(self, query: Query, key: str, issue: str) -> list[Node] | None:
        """A connection of one issue that takes more than one page; None where the issue is gone."""
        entries: list[Node] = []
        inner: str | None = None
        seen: set[str] = set()
        restarts = 0
        while True:
            try:
                page = self._page(query, {"filter": {"id": {"in": [issue]}}, "inner": inner, "after": None})
            except ResponseInvalid as error:
                if inner is None or error.code not in REFUSED_INPUT or restarts == _MOST_RESTARTS:
                    raise
                inner, restarts = None, restarts + 1
                entries.clear()
                seen.clear()
                continue
            if not page.nodes:
                return None
            listed = read_page(page.nodes[0].get(key), key)
            entries += listed.nodes
            inner = listed.after
            if inner is None:
                return entries
            if inner in seen:
                raise _invalid("Linear repeats a page's cursor", key)
            seen.add(inner)

    def _page(self, query: Query, variables: Mapping[str, Any]) -> Page:
        """One page, in halves of what was asked for until it is not too complex."""
        while True:
            first = self.first(query)
            try:
                data = self._ask(query.document, {**variables, "first": first}, query.root, query.cost(first))
            except ResponseInvalid as error:
                if error.code != TOO_COMPLEX or first == 1:
                    raise
                self.no_more_than(query, first // 2)
                continue
            return read_page(data.get(query.root), query.root)

    def _ask(self, document: str, variables: Mapping[str, Any], obj: str, points: float) -> Mapping[str, Any]:
        answer = self.transport.answer(
            "POST",
            "",
            obj=obj,
            body={"query": document, "variables": {k: v for k, v in variables.items() if v is not None}},
            limits={self._requests: 1, self._complexity: points},
        )
        data = answer.body.get("data") if answer is not None and isinstance(answer.body, Mapping) else None
        if answer is None or not isinstance(data, Mapping):
            raise _invalid("Linear's answer has no data", obj)
        self._learn(answer, points)
        return data

    def _learn(self, answer: Answer, points: float) -> None:
        """Takes over what the answer says it cost, and what is left of the hour."""
        actual = number(answer.headers, "X-Complexity")
        if actual is not None:
            self._complexity.correct(actual - points)
        limits: tuple[tuple[RateLimiter, str], ...] = ((self._requests, "Requests"), (self._complexity, "Complexity"))
        for limiter, name in limits:
            limiter.learn(
                limit=number(answer.headers, f"X-RateLimit-{name}-Limit"),
                seconds=_HOUR,
                remaining=number(answer.headers, f"X-RateLimit-{name}-Remaining"),
                resets_at=resets_at(answer.headers, name),
            )


def read_page(connection: Any, obj: str) -> Page:
    """A connection of an answer. Raises ResponseInvalid where it is none."""
    nodes = connection.get("nodes") if isinstance(connection, Mapping) else None
    info = connection.get("pageInfo") if isinstance(connection, Mapping) else None
    if not isinstance(nodes, list) or not all(isinstance(node, Mapping) for node in nodes):
        raise _invalid("Linear's answer has no `nodes`", obj)
    if not isinstance(info, Mapping) or not isinstance(info.get("hasNextPage"), bool):
        raise _invalid("Linear's answer has no `pageInfo`", obj)
    after = info.get("endCursor") if info["hasNextPage"] else None
    if info["hasNextPage"] and not (isinstance(after, str) and after):
        raise _invalid("Linear's answer has a next page and no cursor to it", obj)
    return Page(nodes, after)


def _invalid(message: str, obj: str) -> ResponseInvalid:
    return ResponseInvalid(
        message, system=SYSTEM, obj=obj, remedy="Run again later; if it lasts, check what answers at LINEAR_API_URL"
    )


def _authorization(key: str) -> str:
    """Personal keys go bare; OAuth tokens, which begin otherwise or are 64 hex digits, go as Bearer."""
    is_token = key.startswith(_OAUTH_PREFIX) or (len(key) == 64 and set(key) <= set("0123456789abcdef"))
    return f"Bearer {key}" if is_token else key


def _profile(url: str, retry: RetryPolicy) -> ApiProfile:
    return ApiProfile(
        system=SYSTEM,
        label="Linear",
        base_url=url,
        base_url_setting="LINEAR_API_URL",
        credential_remedy="Check LINEAR_API_KEY: Linear > Settings > Security & access > Personal API keys makes one",
        permission_remedy="Give the key behind LINEAR_API_KEY read access to all teams whose issues are to be loaded",
        classify=classify,
        retry=retry,
    )
