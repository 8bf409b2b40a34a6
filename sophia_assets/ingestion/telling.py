"""The log's line about each load: which group, how it ended, what it brought.

Belongs here: that alone. Does not belong here: counting it (`figures`), or what people are told of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sophia_assets.errors import SourceError
from sophia_assets.telemetry.logs import bound, get_logger
from sophia_assets.warehouse.interface import LoadResult

_log = get_logger(__name__)


@contextmanager
def logged_load(system: str, group: str) -> Iterator[list[LoadResult]]:
    """While in this block, lines name the system; at its end one tells what the results put into the list hold."""
    began, results = time.monotonic(), list[LoadResult]()
    with bound(source=system, group=group):
        try:
            yield results
        except Exception as error:
            was_refused = isinstance(error, SourceError) and not error.was_asked
            _log.info(
                "a load ended",
                outcome="refused" if was_refused else "failed",
                seconds=round(time.monotonic() - began, 3),
                problem=error,
            )
            raise
        _log.info(
            "a load ended",
            outcome="loaded",
            seconds=round(time.monotonic() - began, 3),
            tables=len(results),
            rows_read=sum(result.rows_read for result in results),
            rows_changed=sum(result.inserted + result.updated + result.deleted for result in results),
        )
