"""The one HTTP transport of the sources that speak JSON: time-outs, retries by error class, limits.

What differs between vendors (how an error body reads, which headers carry limits, which setting holds
the credential) comes in an `ApiProfile`.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests
from requests.adapters import HTTPAdapter

from sophia_assets.errors import AuthenticationFailed, ConnectionFailed, QuotaExhausted, ResponseInvalid
from sophia_assets.ingestion.limiter import RateLimiter


@dataclass(frozen=True)
class RetryPolicy:
    """How long a failing request is tried again. All times are seconds.

    `attempts` bounds the tries after time-outs, cut connections and 5xx; `longest_wait` what one
    request may wait in all because of limits: a longer Retry-After is reported, not slept through.
    Retries stop when they pass `budget_share` of all requests (and `budget_floor`).
    """

    attempts: int = 5
    first_delay: float = 0.3
    longest_delay: float = 10.0
    longest_wait: float = 90.0
    connect_timeout: float = 5.0
    read_timeout: float = 60.0
    budget_share: float = 0.2
    budget_floor: int = 30


@dataclass(frozen=True)
class ErrorDetail:
    """What a vendor's error body says. `wait` is how long its limit lasts where no Retry-After tells;
    `exhausted` marks a limit that does not recover within minutes."""

    message: str = ""
    request_id: str | None = None
    wait: float | None = None
    exhausted: bool = False


@dataclass(frozen=True)
class ApiProfile:
    """What the transport has to know about one vendor's API.

    `error_detail` reads an error body; `learn` the headers that tell of limits; `is_permission` says
    whether a 401 is about a missing permission (a 403 always is); `is_empty` whether an error only
    says that nothing matches.
    """

    system: str
    label: str
    base_url: str
    base_url_setting: str
    credential_remedy: str
    permission_remedy: str
    error_detail: Callable[[Any], ErrorDetail]
    learn: Callable[[RateLimiter, Mapping[str, str]], None] | None = None
    is_permission: Callable[[ErrorDetail], bool] | None = None
    is_empty: Callable[[int, ErrorDetail], bool] | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)


class _HeaderAuth(requests.auth.AuthBase):
    """Sets the Authorization header last, so that a stray .netrc entry cannot replace it."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._value
        return request


class HttpTransport:
    """JSON requests to one vendor. Thread-safe; `requests_made` counts every attempt."""

    def __init__(self, profile: ApiProfile, authorization: str, limiter: RateLimiter) -> None:
        self.profile = profile
        self.requests_made = 0
        self._retries = 0
        self._limiter = limiter
        self._count_lock = threading.Lock()
        self._session = requests.Session()
        self._session.auth = _HeaderAuth(authorization)
        self._session.headers.update({"Accept": "application/json", "User-Agent": "sophia-assets"})
        # A loopback address is never reached through a company's proxy.
        self._session.trust_env = urlsplit(profile.base_url).hostname not in ("127.0.0.1", "localhost", "::1")
        adapter = HTTPAdapter(pool_connections=2, pool_maxsize=16)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def request(
        self,
        method: str,
        path: str,
        *,
        obj: str,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        limiter: RateLimiter | None = None,
    ) -> Any:
        """The parsed JSON answer, or None where the vendor answers that nothing matches.

        `obj` names what is asked for, in errors; `limiter` replaces the account's general one.
        Raises ConnectionFailed, AuthenticationFailed, QuotaExhausted, ResponseInvalid.
        """
        attempt = _Attempt(self.profile, obj, time.monotonic())
        payload = None if body is None else orjson.dumps(body)
        while True:
            (limiter or self._limiter).acquire()
            response = self._send(method, path, params, payload, attempt)
            if response is None:
                self._back_off(attempt, None)
                continue
            if limiter is None and self.profile.learn:
                self.profile.learn(self._limiter, response.headers)
            if response.status_code < 300:
                parsed = _parsed(response)
                if parsed is not None:
                    return parsed
                attempt.failure = ResponseInvalid(
                    "the answer is not valid JSON", system=self.profile.system, obj=obj,
                    remedy=f"If it lasts, check what answers at {self.profile.base_url_setting}",
                )  # fmt: skip
                self._back_off(attempt, None)
                continue
            detail = self.profile.error_detail(_parsed(response))
            if self.profile.is_empty and self.profile.is_empty(response.status_code, detail):
                return None
            if response.status_code == 429:
                self._wait_for_limit(attempt, limiter or self._limiter, response, detail)
            elif response.status_code in _TRANSIENT or response.status_code >= 500:
                attempt.failure = attempt.server_error(response.status_code, detail)
                self._back_off(attempt, _retry_after(response))
            else:
                raise attempt.refusal(response.status_code, detail)

    def close(self) -> None:
        """Closes idle connections."""
        self._session.close()

    def _send(
        self, method: str, path: str, params: Mapping[str, Any] | None, payload: bytes | None, attempt: _Attempt
    ) -> requests.Response | None:
        with self._count_lock:
            self.requests_made += 1
        retry = self.profile.retry
        try:
            return self._session.request(
                method,
                self.profile.base_url + path,
                params=params,
                data=payload,
                headers={"Content-Type": "application/json"} if payload is not None else None,
                timeout=(retry.connect_timeout, retry.read_timeout),
                allow_redirects=False,
            )
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            attempt.failure = attempt.no_answer(error)
            return None
        except (requests.RequestException, ValueError) as error:
            raise attempt.unusable(error) from error

    def _back_off(self, attempt: _Attempt, retry_after: float | None) -> None:
        """Sleeps before the next try, or raises the last failure where there is to be none."""
        retry = self.profile.retry
        attempt.tries += 1
        with self._count_lock:
            self._retries += 1
            over_budget = self._retries > max(retry.budget_floor, retry.budget_share * self.requests_made)
        if attempt.tries >= retry.attempts or over_budget:
            raise attempt.failure
        delay = min(retry.first_delay * 2 ** (attempt.tries - 1), retry.longest_delay) * random.uniform(0.5, 1.0)
        if retry_after is not None:
            if attempt.waited + retry_after > retry.longest_wait:
                raise attempt.failure
            delay = max(delay, retry_after)
            attempt.waited += retry_after
        time.sleep(delay)

    def _wait_for_limit(
        self, attempt: _Attempt, limiter: RateLimiter, response: requests.Response, detail: ErrorDetail
    ) -> None:
        """Pauses everybody on the limiter for as long as the vendor says; raises QuotaExhausted if that is too long."""
        retry = self.profile.retry
        told = _retry_after(response)
        wait = told if told is not None else detail.wait
        if wait is None:
            wait = min(retry.first_delay * 2**attempt.limited, retry.longest_delay)
        attempt.limited += 1
        attempt.waited += wait
        hopeless = detail.exhausted and (told is None or told > retry.longest_delay)
        if hopeless or attempt.waited > retry.longest_wait or attempt.limited > _MOST_LIMITED:
            raise attempt.quota(wait, detail)
        # A moment more than asked, spread out, so that the callers do not all return at once.
        limiter.pause(wait + random.uniform(0.01, 0.05))


_TRANSIENT = frozenset({408, 423, 425, 477})
_MOST_LIMITED = 30


class _Attempt:
    """One request through all its tries: how often, how long waited, and how it failed last."""

    def __init__(self, profile: ApiProfile, obj: str, started: float) -> None:
        self.profile = profile
        self.obj = obj
        self.started = started
        self.tries = 0
        self.limited = 0
        self.waited = 0.0
        self.failure: Exception = RuntimeError("no request was made")

    def no_answer(self, error: Exception) -> ConnectionFailed:
        seconds = time.monotonic() - self.started
        what = "did not answer in time" if isinstance(error, requests.Timeout) else "cannot be reached"
        if isinstance(error, requests.exceptions.ChunkedEncodingError) or "Connection aborted" in str(error):
            what = "cut the connection"
        return ConnectionFailed(
            f"{self.profile.label} {what} at {self.profile.base_url} ({self.tries + 1} tries in {seconds:.0f} s)",
            remedy=f"Check the network and {self.profile.base_url_setting}, then run again",
            system=self.profile.system,
            obj=self.obj,
        )

    def unusable(self, error: Exception) -> ConnectionFailed:
        return ConnectionFailed(
            f"{self.profile.base_url!r} cannot be asked ({type(error).__name__})",
            remedy=f"Set {self.profile.base_url_setting} to a URL such as https://api.example.com",
            system=self.profile.system,
            obj=self.obj,
        )

    def server_error(self, status: int, detail: ErrorDetail) -> ConnectionFailed:
        return ConnectionFailed(
            f"{self.profile.label} answered {status} {detail.message} ({self.tries + 1} tries)",
            remedy=f"{self.profile.label} is in trouble; look at its status page and run again later",
            system=self.profile.system,
            obj=self.obj,
            request_id=detail.request_id,
        )

    def refusal(self, status: int, detail: ErrorDetail) -> AuthenticationFailed | ResponseInvalid:
        profile = self.profile
        if status in (401, 403):
            lacking = status == 403 or (profile.is_permission is not None and profile.is_permission(detail))
            return AuthenticationFailed(
                f"{profile.label} refused the {'permission' if lacking else 'credential'} ({status} {detail.message})",
                remedy=profile.permission_remedy if lacking else profile.credential_remedy,
                system=profile.system,
                obj=self.obj,
                request_id=detail.request_id,
            )
        return ResponseInvalid(
            f"{profile.label} answered {status} {detail.message}",
            remedy=f"Check that {profile.base_url_setting} is {profile.label}'s address and that the object exists",
            system=profile.system,
            obj=self.obj,
            request_id=detail.request_id,
        )

    def quota(self, wait: float, detail: ErrorDetail) -> QuotaExhausted:
        not_before = datetime.now(UTC) + timedelta(seconds=wait)
        return QuotaExhausted(
            f"{self.profile.label}'s request limit is spent ({detail.message or 'no details'})",
            not_before=not_before,
            remedy=f"Run again after {not_before:%Y-%m-%d %H:%M} UTC; until then the last good data serves",
            system=self.profile.system,
            obj=self.obj,
            request_id=detail.request_id,
        )


def _parsed(response: requests.Response) -> Any:
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return None


def _retry_after(response: requests.Response) -> float | None:
    """Seconds, from either form that the header may have."""
    value = response.headers.get("Retry-After", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
