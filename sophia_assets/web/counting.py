"""Counts of what this process served: requests, how long they took, answers from the cache.

Belongs here: figures of one process since it started. Does not belong here: what models cost (`llm.usage_report`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sophia_assets.telemetry.series import HTTP_SECONDS

_MOST_ROUTES = 200
_NEWEST = 1000


@dataclass(frozen=True)
class RouteCounts:
    """What was served of one route since the process began: by class of status such as `2xx`, and how long it took.

    `buckets` count the requests that took no longer than each bound of `HTTP_SECONDS`, and longer than the one before.
    """

    route: str
    statuses: dict[str, int]
    buckets: tuple[int, ...]
    seconds: float


class _Durations:
    """How long the requests of one route took."""

    __slots__ = ("buckets", "newest", "seconds")

    def __init__(self) -> None:
        self.newest: deque[float] = deque(maxlen=_NEWEST)
        self.buckets = [0] * len(HTTP_SECONDS.buckets)
        self.seconds = 0.0

    def add(self, milliseconds: float) -> None:
        self.newest.append(milliseconds)
        seconds = milliseconds / 1000
        self.seconds += seconds
        self.buckets[bisect_left(HTTP_SECONDS.buckets, seconds)] += 1


class Counts:
    """What was served. Only the event loop's thread adds to it."""

    def __init__(self) -> None:
        self.since = datetime.now(UTC)
        self._statuses: Counter[tuple[str, str]] = Counter()
        self._durations: dict[str, _Durations] = {}
        self._answers: Counter[str] = Counter()
        self._cached = 0

    def served(self, route: str, status: int, milliseconds: float) -> None:
        """Counts a request to a route's template, never to a path of somebody's making."""
        if route not in self._durations and len(self._durations) >= _MOST_ROUTES:
            route = "other"
        durations = self._durations.get(route)
        if durations is None:
            durations = self._durations[route] = _Durations()
        self._statuses[route, f"{status // 100}xx"] += 1
        durations.add(milliseconds)

    def answered(self, status: str, *, is_cached: bool) -> None:
        """Counts an answer by its status."""
        self._answers[status] += 1
        self._cached += is_cached

    def routes(self) -> Iterator[RouteCounts]:
        """What was served of each route, as it is now; to be called by the event loop's thread."""
        statuses: dict[str, dict[str, int]] = {route: {} for route in self._durations}
        for (route, status), number in self._statuses.items():
            statuses[route][status] = number
        for route, durations in self._durations.items():
            yield RouteCounts(route, statuses[route], tuple(durations.buckets), durations.seconds)

    def as_json(self) -> dict[str, Any]:
        """The counts; latencies in milliseconds, of each route's newest thousand requests."""
        answers = sum(self._answers.values())
        statuses: Counter[str] = Counter()
        requests: Counter[str] = Counter()
        for (route, status), number in self._statuses.items():
            statuses[status] += number
            requests[route] += number
        return {
            "since": self.since.isoformat(),
            "requests": requests.total(),
            "statuses": dict(sorted(statuses.items())),
            "routes": [
                {"route": route, "requests": requests[route], **_spread(self._durations[route].newest)}
                for route in sorted(requests)
            ],
            "answers": dict(sorted(self._answers.items())),
            "cached_answers": self._cached,
            "cache_hit_share": round(self._cached / answers, 4) if answers else None,
        }


def _spread(latencies: deque[float]) -> dict[str, float]:
    ordered = sorted(latencies)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)

    return {"p50_ms": at(0.5), "p95_ms": at(0.95), "longest_ms": round(ordered[-1], 1)}
