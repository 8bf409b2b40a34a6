"""What Linear's answers mean: by the code in the body, since the HTTP status says little."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from sophia_assets.ingestion.requesting import Answer, Outcome, Verdict, by_status

# Our own word for it: the vendor's code is that of any refused input.
TOO_COMPLEX = "QUERY_TOO_COMPLEX"
REFUSED_INPUT = frozenset({"INVALID_INPUT", "INPUT_ERROR", "BAD_USER_INPUT"})

_NO_CREDENTIAL = frozenset({"AUTHENTICATION_ERROR", "UNAUTHENTICATED"})
_NO_PERMISSION = frozenset({"FORBIDDEN", "FEATURE_NOT_ACCESSIBLE"})
_OUR_FAULT = REFUSED_INPUT | {"GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED"}
_LONGEST_MESSAGE = 200
# Smaller differences between the two clocks are the way of the answer and the header's whole seconds.
_SAME_CLOCK = timedelta(seconds=60)
_LONGEST_LIMIT = timedelta(days=366)


def classify(answer: Answer) -> Verdict:
    """The verdict on one answer. RATELIMITED may be a 400, a 429 or a 200; data beside errors is not complete."""
    errors = _errors(answer.body)
    if not errors:
        return by_status(answer)
    codes = [_code(error) for error in errors]
    message = _message(errors[0])
    if "RATELIMITED" in codes:
        return Verdict(Outcome.LIMITED, message, code="RATELIMITED", wait=_limited_for(answer.headers))
    for refused, outcome in ((_NO_CREDENTIAL, Outcome.NO_CREDENTIAL), (_NO_PERMISSION, Outcome.NO_PERMISSION)):
        if refused.intersection(codes):
            return Verdict(outcome, message)
    if any(_is_too_complex(error) for error in errors):
        return Verdict(Outcome.INVALID, message, code=TOO_COMPLEX)
    if answer.body.get("data") is not None:
        return Verdict(Outcome.TRANSIENT, f"with {len(errors)} errors beside its data, {_place(errors[0])}: {message}")
    if _OUR_FAULT.intersection(codes) or _extensions(errors[0]).get("userError"):
        return Verdict(Outcome.INVALID, f"{message} ({codes[0] or 'no code'})", code=codes[0])
    return Verdict(Outcome.TRANSIENT, f"{message} ({codes[0] or 'no code'})", code=codes[0])


def resets_at(headers: Mapping[str, str], limit: str) -> datetime | None:
    """When the hour of `limit`, Requests or Complexity, ends by our clock; None where the header does not tell."""
    now = datetime.now(UTC)
    try:
        moment = datetime.fromtimestamp(float(headers[f"X-RateLimit-{limit}-Reset"]) / 1000, UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        return None
    try:
        theirs = parsedate_to_datetime(headers.get("Date", ""))
        ahead = theirs - now if theirs.tzinfo else timedelta(0)
    except ValueError:
        ahead = timedelta(0)
    moment -= ahead if abs(ahead) > _SAME_CLOCK else timedelta(0)
    return moment if abs(moment - now) < _LONGEST_LIMIT else None


def number(headers: Mapping[str, str], name: str) -> float | None:
    """A header's figure; None where it has none."""
    try:
        return float(headers[name])
    except (KeyError, ValueError):
        return None


def _limited_for(headers: Mapping[str, str]) -> float | None:
    """Seconds until the limit that is spent allows something again; None where no header tells."""
    resets = {limit: moment for limit in ("Requests", "Complexity") if (moment := resets_at(headers, limit))}
    spent = [moment for limit, moment in resets.items() if number(headers, f"X-RateLimit-{limit}-Remaining") == 0]
    if not resets:
        return None
    return max(0.0, ((max(spent) if spent else min(resets.values())) - datetime.now(UTC)).total_seconds())


def _errors(body: Any) -> list[Mapping[str, Any]]:
    """The body's errors; one that is not shaped as an error counts as one without a code."""
    errors = body.get("errors") if isinstance(body, Mapping) else None
    if not errors:
        return []
    return [error if isinstance(error, Mapping) else {} for error in (errors if isinstance(errors, list) else [errors])]


def _extensions(error: Mapping[str, Any]) -> Mapping[str, Any]:
    extensions = error.get("extensions")
    return extensions if isinstance(extensions, Mapping) else {}


def _code(error: Mapping[str, Any]) -> str | None:
    code = _extensions(error).get("code")
    return str(code) if code else None


def _message(error: Mapping[str, Any]) -> str:
    """The error's own words; what it shows to users may quote values."""
    return str(error.get("message") or "no message")[:_LONGEST_MESSAGE].strip().rstrip(".")


def _is_too_complex(error: Mapping[str, Any]) -> bool:
    told = f"{error.get('message')} {_extensions(error).get('userPresentableMessage')}".lower()
    return "too complex" in told


def _place(error: Mapping[str, Any]) -> str:
    path = error.get("path")
    return (
        f"the first at {'.'.join(map(str, path))}" if isinstance(path, list) and path else "the first without a place"
    )
