"""Asking a system over a wire: one loop of limits, tries, waits and errors for every vendor and client library.

What differs between vendors comes in an `ApiProfile`; what differs between client libraries in the `send`
that is passed to `Requester.ask`. `http.HttpTransport` is one user of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from sophia_assets.errors import QuotaExhausted, SourceError
from sophia_assets.ingestion.limiter import RateLimiter
from sophia_assets.ingestion.request_count import RequestCount
from sophia_assets.ingestion.retrying import Request, RetryBudget, RetryPolicy
from sophia_assets.ingestion.waiting import WaitEnded, wait, waits_end_with


class Outcome(StrEnum):
    """What an answer means for whoever asked."""

    OK = "ok"
    EMPTY = "empty"
    LIMITED = "limited"
    TRANSIENT = "transient"
    NO_CREDENTIAL = "credential refused"
    NO_PERMISSION = "permission refused"
    INVALID = "invalid"


@dataclass(frozen=True)
class Answer:
    """What came back: an HTTP status (or the nearest to it), headers by case-insensitive name, the body.

    `body` is the parsed one; where it could not be parsed it is the text as it came, and `torn` is set.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    torn: bool = False


class NoAnswer(Exception):
    """Raised by a `send`: nothing usable came, and trying again may help.

    `what` completes "<system> ..." such as "did not answer in time"; `unreachable` says that there was
    not even a connection. `error` is raised instead of the usual ConnectionFailed once the tries are spent.
    """

    def __init__(self, what: str, *, unreachable: bool = False, error: SourceError | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.unreachable = unreachable
        self.error = error


@dataclass(frozen=True)
class Verdict:
    """What a vendor's answer means, and what it says about it.

    `code` is the vendor's own word for the error, for connectors to branch on. `wait` is how long (seconds) a limit
    lasts where no Retry-After tells; `exhausted` marks a limit that does not recover within minutes.
    """

    outcome: Outcome
    message: str = ""
    request_id: str | None = None
    code: str | None = None
    wait: float | None = None
    exhausted: bool = False


_TRANSIENT = frozenset({408, 423, 425, 477, 530})


def by_status(
    answer: Answer,
    message: str = "",
    request_id: str | None = None,
    *,
    code: str | None = None,
    wait: float | None = None,
    exhausted: bool = False,
) -> Verdict:
    """The verdict that an HTTP status gives; a vendor's `classify` ends with it for all that is usual."""
    status = answer.status
    # A refusal that was cut off may have been any: an expired cursor, a spent limit.
    if status < 300 or (status == 400 and answer.torn):
        outcome = Outcome.TRANSIENT if answer.torn else Outcome.OK
        message = message or ("the answer is not valid JSON" if answer.torn else "")
    elif status == 429:
        outcome = Outcome.LIMITED
    elif status in _TRANSIENT or status >= 500:
        outcome = Outcome.TRANSIENT
    elif status == 401:
        outcome = Outcome.NO_CREDENTIAL
    elif status == 403:
        outcome = Outcome.NO_PERMISSION
    else:
        outcome = Outcome.INVALID
    return Verdict(outcome, message, request_id, code, wait, exhausted)


@dataclass(frozen=True)
class ApiProfile:
    """What asking has to know about one vendor's API.

    `classify` says what an answer means; `learn` takes what its headers tell of limits over into the
    account's general limiter, and is called for every answer to a request that used it.
    """

    system: str
    label: str
    base_url: str
    base_url_setting: str
    credential_remedy: str
    permission_remedy: str
    classify: Callable[[Answer], Verdict] = by_status
    learn: Callable[[RateLimiter, Answer], None] | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)


Send = Callable[[float], Answer]
"""Sends one request and returns its answer within about the given number of seconds.

Raises NoAnswer where trying again may help; a SourceError, which is passed on, where it cannot.
"""


class Requester:
    """Asks one system. Thread-safe.

    `limiter` is the account's general limit, which every request uses that names no others.
    """

    def __init__(self, profile: ApiProfile, limiter: RateLimiter) -> None:
        self.profile = profile
        self._limiter = limiter
        self._requests = RequestCount()
        self._budget = RetryBudget(profile.retry)
        self._closed = threading.Event()

    @property
    def requests_made(self) -> int:
        """How many tries have been sent so far."""
        return self._requests.number

    def ask(self, send: Send, *, obj: str, limits: Mapping[RateLimiter, float] | None = None) -> Answer | None:
        """The answer, once there is a good one; None where the vendor says that nothing matches.

        `obj` names what is asked for, in errors. `limits` says what the request takes of which limits, instead of
        one from the general one. Raises ConnectionFailed, AuthenticationFailed, PermissionMissing, QuotaExhausted,
        ResponseInvalid, and what `send` raises.
        """
        request = Request(self.profile, obj)
        used = limits if limits is not None else {self._limiter: 1.0}
        with waits_end_with(self._closed):
            try:
                while True:
                    answer = self._try(send, request, used)
                    if answer is None:
                        continue
                    if limits is None and self.profile.learn:
                        self.profile.learn(self._limiter, answer)
                    verdict = self.profile.classify(answer)
                    match verdict.outcome:
                        case Outcome.OK:
                            return answer
                        case Outcome.EMPTY:
                            return None
                        case Outcome.LIMITED:
                            self._wait_for_limit(request, used, verdict, retry_after(answer.headers))
                        case Outcome.TRANSIENT:
                            request.failed_with(answer.status, verdict, torn=answer.torn)
                            self._back_off(request, used, retry_after(answer.headers), self.profile.retry.attempts)
                        case _:
                            raise request.refusal(answer.status, verdict)
            except WaitEnded:
                raise request.ended() from None

    def close(self) -> None:
        """Ends every wait; what was asked for then fails with ConnectionFailed."""
        self._closed.set()

    def _try(self, send: Send, request: Request, used: Mapping[RateLimiter, float]) -> Answer | None:
        """One try, or None where it brought no answer and another is to be made."""
        longest = self.profile.retry.longest_wait
        for limiter, cost in used.items():
            if (seconds := limiter.acquire(cost, longest=longest)) > 0:
                raise request.quota(seconds, "")
        self._requests.add()
        self._budget.earn()
        request.tries += 1
        began = time.monotonic()
        try:
            return send(request.seconds_left)
        except NoAnswer as error:
            failed = error
        finally:
            request.busy += time.monotonic() - began
        request.no_answer(failed.what, failed.error)
        retry = self.profile.retry
        fewer = min(retry.connection_attempts, retry.attempts)
        self._back_off(request, used, None, fewer if failed.unreachable else retry.attempts)
        return None

    def _back_off(self, request: Request, used: Mapping[RateLimiter, float], told: float | None, attempts: int) -> None:
        """Waits before the next try, or raises the last failure where there is to be none."""
        request.failures += 1
        if told is not None and told > 0:
            self._hold(request, used, told, request.last_message)
        retry = self.profile.retry
        if request.failures >= attempts or request.seconds_left <= 0:
            raise request.failure
        wait(max(self._budget.spend(), retry.delay(request.failures)))

    def _wait_for_limit(
        self, request: Request, used: Mapping[RateLimiter, float], verdict: Verdict, told: float | None
    ) -> None:
        """Holds everybody back who uses the limits, for as long as the vendor says."""
        retry = self.profile.retry
        request.limited += 1
        seconds = told if told is not None else verdict.wait
        if seconds is None:
            seconds = retry.delay(request.limited + 1)
        if verdict.exhausted and told is None:
            raise self._quota(request, used, max(seconds, retry.longest_wait), verdict.message)
        if request.limited > retry.most_limited:
            raise self._quota(request, used, max(seconds, retry.longest_delay), verdict.message)
        self._hold(request, used, seconds, verdict.message)
        if seconds == 0 and request.limited > 1:
            wait(retry.delay(request.limited))

    def _hold(self, request: Request, used: Mapping[RateLimiter, float], seconds: float, message: str) -> None:
        request.waited += seconds
        if request.waited > self.profile.retry.longest_wait:
            raise self._quota(request, used, seconds, message)
        for limiter in used:
            limiter.pause(seconds)

    @staticmethod
    def _quota(request: Request, used: Mapping[RateLimiter, float], seconds: float, message: str) -> QuotaExhausted:
        """Nobody is to ask again before then, this process's other readers and other processes included."""
        for limiter in used:
            limiter.pause(seconds)
        return request.quota(seconds, message)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that Retry-After asks for, in either form that it may have; None where it says nothing."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
        return seconds if 0 <= seconds < _FOR_EVER else None
    except ValueError:
        pass
    moment = _date(value)
    if moment is None:
        return None
    # By the vendor's own clock where it tells, since the two clocks may be hours apart.
    return max(0.0, (moment - (_date(headers.get("Date", "")) or datetime.now(UTC))).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


# Longer than any limit lasts (a year), and what a damaged header could say.
_FOR_EVER = 366 * 86400.0
