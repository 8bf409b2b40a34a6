"""A Redis small enough to know by heart: the usage of the small company's product."""

from __future__ import annotations

import json
from datetime import timedelta

from sophia_assets.sandbox.company_data import RedisData
from sophia_assets_tests.sandbox.small_company import START


def stream_id(number: int, sequence: int = 0) -> str:
    """The id of event `number`: `number` hours after START."""
    return f"{int((START + timedelta(hours=number)).timestamp() * 1000)}-{sequence}"


def make_event(number: int) -> tuple[str, dict[str, str]]:
    """Event `number`, of company `number % 3`."""
    return stream_id(number), {
        "account_id": str(100 + number % 3),
        "user_id": f"user{number % 7}",
        "event": "feature_used",
        "feature": "reports" if number % 2 else "alerts",
        "duration_ms": str(10 * number),
    }


def make_account(number: int) -> dict[str, str]:
    """The usage of company `number`."""
    return {
        "account_name": f"Company {number}",
        "plan": "pro" if number % 2 else "team",
        "seats": str(10 * (number + 1)),
        "active_seats": str(5 * (number + 1)),
        "last_seen_at": (START + timedelta(days=number)).isoformat(),
        "features": json.dumps({"reports": 3 * number, "alerts": 7}),
    }


def make_day(number: int, accounts: int = 3) -> dict[str, str]:
    """The counters of day `number` after START's."""
    counters = ("active_users", "sessions", "actions")
    return {
        f"{100 + account}:{counter}": str(number + account + place)
        for account in range(accounts)
        for place, counter in enumerate(counters)
    }


def small_redis(days: int = 30, events: int = 120, accounts: int = 3) -> RedisData:
    """Three accounts, thirty days of counters, two totals, events by the hour; keys of others beside them."""
    first = START.date()
    daily = {f"usage:daily:{first + timedelta(days=number)}": make_day(number, accounts) for number in range(days)}
    return RedisData(
        hashes={f"usage:account:{100 + number}": make_account(number) for number in range(accounts)}
        | daily
        | {"session:1": {"user": "user1"}},
        strings={"usage:total:sessions": "4711", "usage:total:accounts": str(accounts), "cache:page": "<html>"},
        streams={"usage:events": [make_event(number) for number in range(events)]},
    )
