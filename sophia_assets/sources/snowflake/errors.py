"""What the Snowflake connector's errors mean to somebody who has to act on them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from sophia_assets.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    PermissionMissing,
    QuotaExhausted,
    ResponseInvalid,
    SourceError,
)
from sophia_assets.sources.snowflake.connection import STATEMENT_SECONDS, SnowflakeConnection
from sophia_assets.sources.snowflake.tables import LOCATIONS, SYSTEM

# Snowflake's own codes for a refused login lie in these ranges; 251xxx are the connector's for a missing one.
_LOGIN_REFUSED = (range(390100, 390114), range(390115, 390200), range(394300, 394600), range(251005, 251009))
_KEY_REFUSED = 390144
_ROLE_REFUSED = (390189, 390190)
_HTTP_ERROR = 290000
_NO_PERMISSION = 3001
_NOT_FOUND_OR_NOT_ALLOWED = (2003, 2043)
_NO_WAREHOUSE = 606
_TIMED_OUT = (604, 630)
_INVALID_IDENTIFIER = 904
_RESOURCE_MONITOR = 90073
_PREAMBLE = re.compile(r"(\d+ \(\w+\): )?SQL (compilation|execution) error:.{0,40}")
_SESSION_GONE = (390111, 390112, 390114, 390195)


def as_source_error(error: Exception, obj: str, connection: SnowflakeConnection) -> SourceError:
    """The error of our tree for what the connector raised while reading `obj`."""
    number = _number(error)
    said = _first_line(error)
    where: dict[str, Any] = {"system": SYSTEM, "obj": obj, "request_id": getattr(error, "sfqid", None) or None}
    if number in _SESSION_GONE:
        return ConnectionFailed(f"the session ended ({said})", remedy="Run again", **where)
    if any(number in numbers for numbers in _LOGIN_REFUSED):
        return _login_refused(number, said, connection, where)
    if number == _HTTP_ERROR + 403:
        return ConnectionFailed(
            f"no such account ({said})", remedy="Check SNOWFLAKE_ACCOUNT, written as organisation-account", **where
        )
    if number == _HTTP_ERROR + 429:
        return QuotaExhausted(
            "Snowflake answers that there are too many requests",
            not_before=datetime.now(UTC) + timedelta(minutes=1),
            remedy="Run again in a minute",
            **where,
        )
    if number == _RESOURCE_MONITOR:
        return QuotaExhausted(
            f"the warehouse's credit quota is spent ({said})",
            not_before=datetime.now(UTC) + timedelta(hours=1),
            remedy="Raise the resource monitor's quota, or wait for its next period",
            **where,
        )
    if number in (_NO_WAREHOUSE, _NO_PERMISSION, *_NOT_FOUND_OR_NOT_ALLOWED):
        return _not_allowed(number, said, LOCATIONS.get(obj, obj), connection, where)
    if number in (_INVALID_IDENTIFIER, *_TIMED_OUT):
        return _query_failed(number, said, LOCATIONS.get(obj, obj), where)
    if _is_about_the_way_there(error, number):
        return ConnectionFailed(
            f"Snowflake cannot be reached ({said})",
            remedy="Check the network, SNOWFLAKE_ACCOUNT and SNOWFLAKE_HOST, then run again",
            **where,
        )
    return ResponseInvalid(f"Snowflake refused the query ({said})", remedy="Look the query up in its history", **where)


def _login_refused(
    number: int, said: str, connection: SnowflakeConnection, where: dict[str, Any]
) -> AuthenticationFailed:
    if number in _ROLE_REFUSED:
        return PermissionMissing(
            f"the role does not exist or is not this user's ({said})",
            remedy=f"Check SNOWFLAKE_ROLE, and grant the role to {connection.user}",
            **where,
        )
    if number == _KEY_REFUSED:
        return AuthenticationFailed(
            f"Snowflake refused the private key ({said})",
            remedy="Check SNOWFLAKE_USER and SNOWFLAKE_PRIVATE_KEY_PATH: the user's RSA_PUBLIC_KEY must be that key's",
            **where,
        )
    return AuthenticationFailed(
        f"Snowflake refused the login ({said})",
        remedy="Check SNOWFLAKE_USER and SNOWFLAKE_PASSWORD or SNOWFLAKE_PRIVATE_KEY_PATH",
        **where,
    )


def _not_allowed(
    number: int, said: str, location: str, connection: SnowflakeConnection, where: dict[str, Any]
) -> PermissionMissing:
    role = connection.role or "of the user"
    if number == _NO_WAREHOUSE:
        return PermissionMissing(
            f"the warehouse does not exist or may not be used ({said})",
            remedy=f"Check SNOWFLAKE_WAREHOUSE, and grant USAGE on it to the role {role}",
            **where,
        )
    if said.lower().startswith("database"):
        return PermissionMissing(
            f"the database does not exist or may not be used ({said})",
            remedy=f"Check SNOWFLAKE_DATABASE, and grant USAGE on it to the role {role}",
            **where,
        )
    return PermissionMissing(
        f"{location} does not exist or may not be read ({said})",
        remedy=f"Check SNOWFLAKE_DATABASE, and grant SELECT on {location} to the role {role}",
        **where,
    )


def _query_failed(number: int, said: str, location: str, where: dict[str, Any]) -> ResponseInvalid:
    if number in _TIMED_OUT:
        return ResponseInvalid(
            f"the query on {location} was cancelled ({said})",
            remedy=f"Use a larger warehouse: a query may take {STATEMENT_SECONDS // 60} minutes",
            **where,
        )
    return ResponseInvalid(
        f"{location} lacks a column ({said})",
        remedy=f"Add the column to {location}, or put a view with the expected columns in its place",
        **where,
    )


def _is_about_the_way_there(error: Exception, number: int) -> bool:
    import snowflake.connector.errors as connector

    if isinstance(error, (connector.OperationalError, connector.InterfaceError, OSError)):
        return True
    return number >= 250000 and not isinstance(error, connector.ProgrammingError)


def _number(error: Exception) -> int:
    number = getattr(error, "errno", None)
    try:
        return int(number) if number is not None else -1
    except (TypeError, ValueError):
        return -1


def _first_line(error: Exception) -> str:
    """What the error is about: the first line, or the second where the first only says that it is one."""
    said = str(getattr(error, "raw_msg", None) or getattr(error, "msg", None) or error)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if not _PREAMBLE.fullmatch(line)]
    return ((telling or lines or ["no details"])[0])[:200].rstrip(".")
