"""What a failed call means, from what a vendor's wire said: both vendors' statuses, words and headers in one place.

Belongs here: from status, error code and headers to a `FailureKind`. Does not belong here: what is done about it
(`calling`). A vendor's own sentences are looked at and never passed on, since they may repeat a key or the prompt.
"""

from __future__ import annotations

import math
import re
import ssl
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sophia_assets.ingestion.requesting import retry_after as retry_after_header
from sophia_assets.llm.interface import FailureKind

LONGEST_RETRY_AFTER = 3600.0
"""No vendor's word is taken for more seconds than this: a damaged header would shut it out for good."""


class Fault(Exception):
    """How one call failed. `told` completes the provider's name in a message; `used_nothing` says that the vendor
    refused it before any work, so that it costs nothing; None where that is not known."""

    def __init__(
        self,
        kind: FailureKind,
        told: str,
        *,
        retry_after: float | None = None,
        used_nothing: bool | None = None,
    ) -> None:
        super().__init__(told)
        self.kind = kind
        self.told = told
        self.retry_after = retry_after
        self.used_nothing = used_nothing


# The vendors' words (code, type, error code) that say more than their status does.
_DECISIVE = {
    FailureKind.QUOTA: (
        "insufficient_quota credit_balance_exhausted billing_hard_limit_reached billing_not_active billing_error "
        "contract_spend_limit_reached enforced_spend_limit_reached linked_organization_spend_limit_reached "
        "linked_organization_billing_unavailable user_profile_not_billable user_profile_billing_not_authorized"
    ),
    FailureKind.AUTHENTICATION: (
        "authentication_error invalid_api_key permission_error account_deactivated organization_on_hold "
        "unsupported_country_region_territory api_key_scope_missing"
    ),
    FailureKind.CONTEXT_OVERFLOW: "context_length_exceeded request_too_large string_above_max_length",
    FailureKind.REFUSAL: (
        "invalid_prompt content_filter content_policy_violation bio_policy cyber_policy misalignment_policy_violation"
    ),
}
# These only where no status tells, as in the middle of a stream.
_IN_A_STREAM = {
    FailureKind.OVERLOADED: "overloaded_error server_overloaded slow_down",
    FailureKind.RATE_LIMITED: "rate_limit_error rate_limit_exceeded ramp_limit_exceeded requests tokens",
    FailureKind.SERVER_ERROR: "api_error server_error internal_error internal_server_error conflict_error",
    FailureKind.TIMEOUT: "timeout_error timeout",
    FailureKind.BAD_REQUEST: "invalid_request_error not_found_error model_not_found data_residency_mismatch",
}
_KIND_OF_STATUS = {
    401: FailureKind.AUTHENTICATION,
    402: FailureKind.QUOTA,
    403: FailureKind.AUTHENTICATION,
    407: FailureKind.CONNECTION,
    408: FailureKind.TIMEOUT,
    409: FailureKind.SERVER_ERROR,
    413: FailureKind.CONTEXT_OVERFLOW,
    425: FailureKind.SERVER_ERROR,
    429: FailureKind.RATE_LIMITED,
    503: FailureKind.OVERLOADED,
    504: FailureKind.TIMEOUT,
    529: FailureKind.OVERLOADED,
}
_LIMIT_OF_MONEY = re.compile(r"credit balance|usage limits?\b|exceeded your current quota|spend(ing)? limit", re.I)
_TOO_LONG = re.compile(
    r"prompt is too long|exceeds? (the )?(model's )?context|context (length|window)|maximum context|"
    r"input is too long|request too large",
    re.I,
)
_BLOCKED = re.compile(r"content filter|content management policy|usage polic", re.I)
# Lower case alone, so that no key and no name can pass for a word.
_WORD = re.compile(r"[a-z]+(_[a-z]+)*")
_LONGEST_WORD = 60


def _by_word(table: Mapping[FailureKind, str]) -> dict[str, FailureKind]:
    return {word: kind for kind, words in table.items() for word in words.split()}


_KIND_OF_WORD = _by_word(_DECISIVE)
_KIND_IN_A_STREAM = _by_word(_IN_A_STREAM)


def refused(
    status: int, words: Iterable[Any], message: object, headers: Mapping[str, str], *, model: str = ""
) -> Fault:
    """A call that was answered with an error's status (`status` of 300 and more) instead of a stream.

    `words` are the vendor's code, type and the like, the most telling first; what is no word is left out.
    """
    known = [word for word in words if _is_word(word)]
    kind = _decided(known, str(message or ""), status) or _KIND_OF_STATUS.get(status)
    if kind is None:
        kind = FailureKind.SERVER_ERROR if status >= 500 else FailureKind.BAD_REQUEST
    told = f"answered {status}" + (f" ({known[0]})" if known else "")
    if 300 <= status < 400:
        told += ", a redirection, which is not followed; check its address"
    if status == 404:
        told += f": it does not know the model {model}, or its address is wrong"
    return Fault(kind, told, retry_after=seconds_to_wait(headers), used_nothing=True)


def broken_off(words: Iterable[Any], message: object = "") -> Fault:
    """A call that was accepted and whose stream then told of an error; its status is 200 and says nothing."""
    known = [word for word in words if _is_word(word)]
    kind = _decided(known, str(message or ""), 400)
    if kind is None:
        kind = next((_KIND_IN_A_STREAM[word] for word in known if word in _KIND_IN_A_STREAM), FailureKind.SERVER_ERROR)
    return Fault(kind, "broke its answer off with an error" + (f" ({known[0]})" if known else ""))


def unreachable(error: BaseException, *, started: bool) -> Fault:
    """A call that no answer, or no whole answer, came to: `started` says whether an answer had begun."""
    names = {type(each).__name__ for each in _chain(error)}
    if any(isinstance(each, ssl.SSLError) for each in _chain(error)) and not started:
        return Fault(FailureKind.CONNECTION, "could not be reached: the TLS connection failed", used_nothing=True)
    if names & {"ConnectError", "ConnectTimeout", "ProxyError", "UnsupportedProtocol", "LocalProtocolError"}:
        kind = FailureKind.TIMEOUT if "ConnectTimeout" in names else FailureKind.CONNECTION
        return Fault(kind, "could not be reached: there is no connection", used_nothing=True)
    if isinstance(error, TimeoutError) or any("Timeout" in name for name in names):
        return timed_out(started=started)
    if started:
        return Fault(FailureKind.CUT, "broke the connection off in the middle of its answer")
    return Fault(FailureKind.CONNECTION, "broke the connection off before it answered")


def timed_out(*, started: bool) -> Fault:
    """A call whose time was over."""
    what = "had not ended its answer" if started else "had not answered"
    return Fault(FailureKind.TIMEOUT, f"{what} when its time was over")


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """For how many seconds the vendor asks to be left alone; None where it does not say. At most an hour."""
    told = _number(headers.get("retry-after-ms"), 0.001)
    if told is None:
        told = retry_after_header({name.title(): headers.get(name, "") for name in ("retry-after", "date")})
    if told is None:
        told = _reset(headers)
    return None if told is None else min(max(told, 0.0), LONGEST_RETRY_AFTER)


def _decided(words: list[str], message: str, status: int) -> FailureKind | None:
    for word in words:
        if word in _KIND_OF_WORD:
            return _KIND_OF_WORD[word]
    if status in (400, 403, 422, 429):
        if _LIMIT_OF_MONEY.search(message):
            return FailureKind.QUOTA
        if _TOO_LONG.search(message):
            return FailureKind.CONTEXT_OVERFLOW
        if _BLOCKED.search(message):
            return FailureKind.REFUSAL
    return None


def _is_word(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_WORD and bool(_WORD.fullmatch(value))


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what caused it, at most ten."""
    found: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and len(found) < 10:
        found.append(each)
        each = each.__cause__ or each.__context__
    return found


_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_UNITS = (86_400.0, 3_600.0, 60.0, 1.0, 0.001)


def _reset(headers: Mapping[str, str]) -> float | None:
    """When the limits that are spent are open again; where it is not said which are, the latest of all."""
    resets: list[tuple[bool, float]] = []
    for of in ("requests", "tokens"):
        seconds = _duration(headers.get(f"x-ratelimit-reset-{of}"))
        if seconds is not None:
            resets.append((headers.get(f"x-ratelimit-remaining-{of}") == "0", seconds))
    for of in ("requests", "tokens", "input-tokens", "output-tokens"):
        seconds = _until(headers.get(f"anthropic-ratelimit-{of}-reset"))
        if seconds is not None:
            resets.append((headers.get(f"anthropic-ratelimit-{of}-remaining") == "0", seconds))
    spent = [seconds for is_spent, seconds in resets if is_spent] or [seconds for _, seconds in resets]
    return max(spent, default=None)


def _duration(text: str | None) -> float | None:
    """Seconds of `6m0s`, `1h2m3.5s`, `120ms` or `20`; None for anything else."""
    if not text:
        return None
    found = _DURATION.fullmatch(text.strip())
    if not found:
        return _number(text, 1.0)
    return sum(float(part) * unit for part, unit in zip(found.groups(), _UNITS, strict=True) if part)


def _until(text: str | None) -> float | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - datetime.now(UTC)).total_seconds()


def _number(text: str | None, unit: float) -> float | None:
    try:
        number = float(text or "") * unit
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
