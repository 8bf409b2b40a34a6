"""How patient a client is, and the errors in which its patience ends.

Belongs here: the policy, the budget of retries, one request's history. Does not belong here: the loop that
uses them (`requesting`), or any client library.
"""

from __future__ import annotations

import math
import random
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sophia_assets.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    PermissionMissing,
    QuotaExhausted,
    ResponseInvalid,
    SourceError,
)

if TYPE_CHECKING:
    from sophia_assets.ingestion.requesting import ApiProfile, Verdict


@dataclass(frozen=True)
class RetryPolicy:
    """How long a failing request is tried again. All times are seconds.

    `attempts` bounds the tries after time-outs, cut connections, torn answers and 5xx, `connection_attempts`
    those where there is not even a connection; `deadline` the time that all tries of one request may take,
    waits not counted; `longest_wait` what one request may wait in all
    because the vendor says so: a longer Retry-After is reported, not slept through; `most_limited` how often.
    Retries beyond `budget_share` of all requests (after `budget_floor`) are slowed to `budget_rate` a second.
    """

    attempts: int = 8
    connection_attempts: int = 5
    first_delay: float = 0.3
    longest_delay: float = 10.0
    longest_wait: float = 90.0
    most_limited: int = 30
    connect_timeout: float = 5.0
    read_timeout: float = 60.0
    deadline: float = 180.0
    budget_share: float = 0.2
    budget_floor: int = 30
    budget_rate: float = 1.0

    def delay(self, failures: int) -> float:
        """Seconds before the next try after that many failures: exponential, capped, with full jitter."""
        return random.uniform(0.0, min(self.first_delay * 2 ** min(failures - 1, 30), self.longest_delay))


class RetryBudget:
    """Slows retries down where they are more than their share of all requests. Thread-safe.

    A bucket: every request puts `budget_share` in, every retry takes one out; one that finds it empty
    waits for the `budget_rate` at which it fills by itself.
    """

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._held = float(policy.budget_floor)
        self._filled_at = time.monotonic()
        self._lock = threading.Lock()

    def earn(self) -> None:
        """Counts a request."""
        with self._lock:
            self._add(self._policy.budget_share)

    def spend(self) -> float:
        """Counts a retry; returns after how many seconds it may be sent."""
        with self._lock:
            moment = time.monotonic()
            self._add((moment - self._filled_at) * self._policy.budget_rate)
            self._filled_at = moment
            self._held -= 1.0
            return max(0.0, -self._held / self._policy.budget_rate)

    def _add(self, amount: float) -> None:
        self._held = min(float(self._policy.budget_floor), self._held + amount)


class Request:
    """One request through all its tries: how often, how long, and how it failed last.

    `failures` counts tries that failed, `limited` those that a limit refused, `busy` the seconds spent in
    tries, `waited` those that the vendor asked to wait.
    """

    def __init__(self, profile: ApiProfile, obj: str) -> None:
        self.profile = profile
        self.obj = obj
        self.tries = 0
        self._began = time.monotonic()
        self.failures = 0
        self.limited = 0
        self.busy = 0.0
        self.waited = 0.0
        self.last_message = ""
        self.failure: SourceError = ConnectionFailed("no request was made", system=profile.system, obj=obj)

    @property
    def seconds_left(self) -> float:
        """What remains of the request's deadline."""
        return self.profile.retry.deadline - self.busy

    def no_answer(self, what: str, error: SourceError | None) -> None:
        """Remembers a try that brought no answer."""
        profile = self.profile
        self.failure = error or ConnectionFailed(
            f"{profile.label} {what} at {profile.base_url} ({self._effort})",
            remedy=f"Check the network and {profile.base_url_setting}, then run again",
            system=profile.system,
            obj=self.obj,
        )

    def failed_with(self, status: int, verdict: Verdict, *, torn: bool) -> None:
        """Remembers an answer that may be better next time."""
        profile = self.profile
        self.last_message = verdict.message
        if torn and status < 300:
            self.failure = ResponseInvalid(
                f"{verdict.message} ({self._effort})",
                remedy=f"If it lasts, check what answers at {profile.base_url_setting}",
                system=profile.system,
                obj=self.obj,
            )
            return
        said = " ".join(part for part in (f"answered {status}", verdict.message) if part)
        self.failure = ConnectionFailed(
            f"{profile.label} {said} ({self._effort})",
            remedy=f"{profile.label} is in trouble; look at its status page and run again later",
            system=profile.system,
            obj=self.obj,
            request_id=verdict.request_id,
        )

    def refusal(self, status: int, verdict: Verdict) -> SourceError:
        """What an answer that is not going to get better becomes."""
        profile = self.profile
        said = " ".join(part for part in (str(status), verdict.message) if part)
        where = {"system": profile.system, "obj": self.obj, "request_id": verdict.request_id}
        if verdict.outcome == "credential refused":
            return AuthenticationFailed(
                f"{profile.label} refused the credential ({said})", remedy=profile.credential_remedy, **where
            )
        if verdict.outcome == "permission refused":
            return PermissionMissing(
                f"{profile.label} refused the permission ({said})", remedy=profile.permission_remedy, **where
            )
        return ResponseInvalid(
            f"{profile.label} answered {said}",
            code=verdict.code,
            remedy=f"Check that {profile.base_url_setting} is {profile.label}'s address and that the object exists",
            **where,
        )

    def quota(self, seconds: float, message: str) -> QuotaExhausted:
        """A limit that lasts longer than is waited for."""
        not_before = datetime.now(UTC) + timedelta(seconds=seconds)
        return QuotaExhausted(
            f"{self.profile.label}'s request limit is spent ({message or 'no details'})",
            not_before=not_before,
            remedy=f"Run again after {not_before:%Y-%m-%d %H:%M} UTC; until then the last good data serves",
            system=self.profile.system,
            obj=self.obj,
        )

    def ended(self) -> ConnectionFailed:
        """A wait that was ended from outside."""
        return ConnectionFailed(
            f"reading {self.profile.label} was ended while waiting to ask",
            remedy="Run again; what was read so far is kept",
            system=self.profile.system,
            obj=self.obj,
        )

    @property
    def _effort(self) -> str:
        seconds = math.ceil(time.monotonic() - self._began)
        return f"{self.tries} {'try' if self.tries == 1 else 'tries'} in {seconds} s"
