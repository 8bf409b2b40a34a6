"""Counts of what this process served: requests, how long they took, answers from the cache.

Belongs here: figures of one process since it started. Does not belong here: what models cost (`llm.usage_report`).
"""

from __future__ import annotations

from collections import Counter, deque
from datetime import UTC, datetime
from typing import Any

_MOST_ROUTES = 200
_NEWEST = 1000


class Counts:
    """What was served. Only the event loop's thread adds to it."""

    def __init__(self) -> None:
        self.since = datetime.now(UTC)
        self._requests: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()
        self._latencies: dict[str, deque[float]] = {}
        self._answers: Counter[str] = Counter()
        self._cached = 0

    def served(self, route: str, status: int, milliseconds: float) -> None:
        """Counts a request to a route's template, never to a path of somebody's making."""
        if route not in self._latencies and len(self._latencies) >= _MOST_ROUTES:
            route = "other"
        self._requests[route] += 1
        self._statuses[f"{status // 100}xx"] += 1
        self._latencies.setdefault(route, deque(maxlen=_NEWEST)).append(milliseconds)

    def answered(self, status: str, *, is_cached: bool) -> None:
        """Counts an answer by its status."""
        self._answers[status] += 1
        self._cached += is_cached

    def as_json(self) -> dict[str, Any]:
        """The counts; latencies in milliseconds, of each route's newest thousand requests."""
        answers = sum(self._answers.values())
        return {
            "since": self.since.isoformat(),
            "requests": sum(self._requests.values()),
            "statuses": dict(sorted(self._statuses.items())),
            "routes": [
                {"route": route, "requests": self._requests[route], **_spread(self._latencies[route])}
                for route in sorted(self._requests)
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
