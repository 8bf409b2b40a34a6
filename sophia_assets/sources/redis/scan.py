"""Finding all keys that begin alike, whatever happens to them and to the server meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sophia_assets.errors import ConnectionFailed
from sophia_assets.sources.redis.session import Refusal, Session, unexpected
from sophia_assets.sources.redis.tables import SYSTEM

# A hint: how many keys of the whole database the server looks at per step.
_COUNT = 2_000
_BATCH = 500
# Repeated keys lie close together but for a table that shrinks; those that are further apart are merged later.
_REMEMBERED = 50_000
_MOST_RESTARTS = 5


class Scan:
    """One scan for the keys that begin with `prefix`. `obj` is what they are read for, in errors."""

    def __init__(self, session: Session, prefix: str, obj: str) -> None:
        self._session = session
        self._pattern = re.sub(r"([\\*?\[\]])", r"\\\1", prefix) + "*"
        self._obj = obj

    def batches(self, position: Mapping[str, Any]) -> Iterator[tuple[list[bytes], Any]]:
        """Keys in batches, each with the position behind it: `position` of a broken-off scan goes on there.

        A key may come again, far from where it came first. Raises ConnectionFailed where the server
        is replaced so often that no scan comes to its end.
        """
        process = self._process()
        resumed = process is not None and position.get("process") == process
        cursor = str(position["cursor"]) if resumed else "0"
        connections, restarts = self._session.connections, 0
        waiting: list[bytes] = []
        seen: dict[bytes, None] = {}
        while True:
            [step] = self._session.ask([("SCAN", cursor, "MATCH", self._pattern, "COUNT", _COUNT)], obj=self._obj)
            if isinstance(step, Refusal):
                raise unexpected(step, self._obj)
            if self._session.connections != connections:
                now = self._process()
                connections = self._session.connections
                if now is None or now != process:
                    restarts += 1
                    if restarts > _MOST_RESTARTS:
                        raise self._never_ends()
                    process, cursor = now, "0"
                    continue
            cursor = step[0].decode()
            for key in step[1]:
                if key not in seen:
                    seen[key] = None
                    waiting.append(key)
            while len(seen) > _REMEMBERED:
                del seen[next(iter(seen))]
            if len(waiting) >= _BATCH or cursor == "0":
                yield waiting, {"process": process, "cursor": cursor}
                waiting = []
            if cursor == "0":
                return

    def _process(self) -> str | None:
        """What tells the server's process from any other; None where the user may not know."""
        [about] = self._session.ask([("INFO", "server")], obj=self._obj)
        if isinstance(about, Refusal):
            return None
        found = re.search(rb"^run_id:(\w+)", about, re.MULTILINE)
        return found[1].decode() if found else None

    def _never_ends(self) -> ConnectionFailed:
        return ConnectionFailed(
            f"the connection broke in the middle of a scan {_MOST_RESTARTS + 1} times",
            system=SYSTEM,
            obj=self._obj,
            remedy="Run again later; where the user in REDIS_URL may run INFO, a scan outlasts a broken connection",
        )
