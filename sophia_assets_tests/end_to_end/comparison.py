"""Where a fact differs from what it must be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sophia_assets_tests.end_to_end.recomputed_facts import Expected


def differences(true: Expected, fact: dict[str, Any]) -> Iterator[str]:
    """Where a fact is not what it must be, one line each."""
    for name in ("value", "previous", "delta", "change", "share"):
        exact, given = getattr(true, name), fact[name]
        if (exact is None) is not (given is None):
            yield f"{fact['id']}: {name} is {given}, must be {exact}"
        elif exact is not None and abs(float(exact) - given) > 1e-9 * max(1.0, abs(given)):
            yield f"{fact['id']}: {name} is {given}, must be {float(exact)}"
    words = {
        **true.shown,
        "rank": true.rank,
        "direction": true.direction,
        "unit": true.unit,
        "period": (true.span.start.isoformat(), true.span.end.isoformat()),
        "name": true.name,
    }
    given_words = {
        **fact,
        "period": (fact["period"]["start"], fact["period"]["end"]),
        "name": next(iter(fact["dimensions"].values()), None),
    }
    for name, right in words.items():
        if given_words[name] != right:
            yield f"{fact['id']}: {name} is {given_words[name]!r}, must be {right!r}"
