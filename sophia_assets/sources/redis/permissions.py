"""Tries the commands that reading needs, on keys that need not be there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from sophia_assets.sources.permissions import Remark, Told, tried
from sophia_assets.sources.redis.session import Command, Refusal, Session

_MOST_SCANS, _KEYS_A_SCAN = 10, 1_000


def permissions(session: Session, prefix: str) -> Iterator[Told]:
    """A handful of commands. Raises a SourceError where Redis does not answer, or refuses the login."""
    account, day = f"{prefix}account:0", f"{prefix}daily:1970-01-01"
    needed: tuple[tuple[Command, tuple[str, ...]], ...] = (
        (("SCAN", 0, "MATCH", f"{prefix}*", "COUNT", 1), ("redis.account_usage", "redis.totals", "redis.daily_usage")),
        (("HGETALL", account), ("redis.account_usage",)),
        (("HGETALL", day), ("redis.daily_usage",)),
        (("GET", f"{prefix}total:0"), ("redis.totals",)),
        (("XRANGE", f"{prefix}events", "-", "+", "COUNT", 1), ("redis.events",)),
    )
    # Not PING, which is no reading: a user with the rights of reading alone may not run it.
    session.ask([("DBSIZE",)], obj="server")
    may_scan = True
    for command, tables in needed:
        found = tried(str(command[0]), tables, partial(session.ask, [command], obj=tables[0]))
        may_scan = may_scan and (command[0] != "SCAN" or found.error is None)
        yield found
    [about] = session.ask([("INFO", "server")], obj="server")
    if isinstance(about, Refusal):
        yield Remark(
            "INFO",
            "the user may not run INFO, so that a scan which is cut off begins again from the start",
            "Let it: ACL SETUSER <user> +info",
        )
    if may_scan:
        yield _keys(session, prefix)


def _keys(session: Session, prefix: str) -> Remark:
    """Whether any key begins with the prefix, as far as a few steps of a scan tell."""
    cursor: Any = 0
    for _ in range(_MOST_SCANS):
        [answer] = session.ask([("SCAN", cursor, "MATCH", f"{prefix}*", "COUNT", _KEYS_A_SCAN)], obj="database")
        cursor, keys = answer
        if keys:
            return Remark("keys", f"there are keys that begin with {prefix}")
        if int(cursor) == 0:
            break
    else:
        return Remark("keys", f"none of the first {_MOST_SCANS * _KEYS_A_SCAN:,} keys begins with {prefix}")
    return Remark(
        "keys",
        f"no key begins with {prefix}, so that nothing is read",
        "Check REDIS_PREFIX, and the number of the database at the end of REDIS_URL",
    )
