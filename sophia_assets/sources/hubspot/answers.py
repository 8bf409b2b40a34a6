"""What HubSpot's answers mean for whoever asked: errors, limits, and when the day's limit is renewed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sophia_assets.errors import ResponseInvalid
from sophia_assets.ingestion.limiter import RateLimiter
from sophia_assets.ingestion.requesting import Answer, ApiProfile, Verdict, by_status
from sophia_assets.ingestion.retrying import RetryPolicy

SYSTEM = "hubspot"

# How long a limit lasts, by the name that a 429 gives; HubSpot sends no Retry-After with these.
_POLICY_SECONDS = {"TEN_SECONDLY_ROLLING": 10.0, "SECONDLY": 1.0}


class AccountDay:
    """The account's calendar day: its daily limit is renewed at midnight in the account's time zone."""

    def __init__(self) -> None:
        self.zone: tzinfo | None = None

    def learn(self, time_zone: Any) -> None:
        """Takes over the account's time zone, an IANA name; one that is unknown here counts as UTC."""
        try:
            self.zone = ZoneInfo(str(time_zone))
        except (ValueError, OSError, ZoneInfoNotFoundError):
            self.zone = UTC

    def left(self, now: datetime) -> float:
        """Seconds from `now` (aware) to the end of the account's day."""
        local = now.astimezone(self.zone or UTC)
        midnight = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return (midnight.astimezone(UTC) - now).total_seconds()


def hubspot_profile(base_url: str, retry: RetryPolicy, day: AccountDay) -> ApiProfile:
    """How HubSpot is asked."""
    return ApiProfile(
        system=SYSTEM,
        label="HubSpot",
        base_url=base_url,
        base_url_setting="HUBSPOT_BASE_URL",
        credential_remedy="Check HUBSPOT_ACCESS_TOKEN: HubSpot > Settings > Integrations > Private apps shows it",
        permission_remedy="Give the private app behind HUBSPOT_ACCESS_TOKEN the read scope for this object",
        classify=lambda answer: _classify(answer, day),
        learn=lambda limiter, answer: _learn(limiter, answer, day),
        retry=retry,
    )


def results(answer: Any, obj: str) -> list[Mapping[str, Any]]:
    """The answer's records. Raises ResponseInvalid where it has none to give."""
    found = answer.get("results") if isinstance(answer, Mapping) else None
    if not isinstance(found, list):
        raise ResponseInvalid(
            "HubSpot's answer has no `results`", system=SYSTEM, obj=obj, remedy="Check HUBSPOT_BASE_URL"
        )
    return found


def following(answer: Mapping[str, Any]) -> str | None:
    """The cursor of the next page, or None on the last."""
    after = ((answer.get("paging") or {}).get("next") or {}).get("after")
    return None if after in (None, "") else str(after)


def check_partial(answer: Mapping[str, Any], obj: str) -> None:
    """A batch may succeed in part (207): a record that is gone or has no associations is no failure, all else is."""
    for error in answer.get("errors") or ():
        kind = f"{error.get('subCategory', '')} {error.get('category', '')}"
        if "NO_ASSOCIATIONS_FOUND" not in kind and "OBJECT_NOT_FOUND" not in kind:
            raise ResponseInvalid(
                f"HubSpot could not read all records of a batch ({error.get('category') or 'no details'})",
                system=SYSTEM,
                obj=obj,
                remedy="Run again; if it lasts, check the private app's scopes",
            )


def _classify(answer: Answer, day: AccountDay) -> Verdict:
    body = answer.body
    if answer.status < 300 or not isinstance(body, Mapping):
        return by_status(answer)
    message = str(body.get("message") or body.get("category") or "").strip().rstrip(".")
    code = str(body.get("category") or "") or None
    for error in body.get("errors") or ():
        scopes = ((error or {}).get("context") or {}).get("requiredGranularScopes")
        if scopes:
            message += f": {', '.join(scopes)}"
    policy = str(body.get("policyName") or "")
    request_id = body.get("correlationId") or body.get("requestId")
    request_id = str(request_id) if request_id else None
    if policy == "DAILY":
        return by_status(answer, message, request_id, code=code, wait=day.left(datetime.now(UTC)), exhausted=True)
    return by_status(answer, message, request_id, code=code, wait=_POLICY_SECONDS.get(policy))


def _learn(limiter: RateLimiter, answer: Answer, day: AccountDay) -> None:
    headers = answer.headers
    if headers.get("X-HubSpot-RateLimit-Daily-Remaining") == "0":
        limiter.pause(day.left(datetime.now(UTC)))
    try:
        limit = int(headers["X-HubSpot-RateLimit-Max"])
        interval = int(headers["X-HubSpot-RateLimit-Interval-Milliseconds"]) / 1000
        remaining = headers.get("X-HubSpot-RateLimit-Remaining")
        limiter.learn(limit=limit, seconds=interval, remaining=None if remaining is None else int(remaining))
    except (KeyError, ValueError):
        return
