"""Readings of a DuckDB warehouse: from a copy in memory that is made anew in the background when the data moves.

Belongs here: when to look, when to copy, how the new copy takes the old one's place. Does not belong here: the copy
itself (`marts_copy`), what a state consists of (`ground`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sophia_assets.errors import SophiaError
from sophia_assets.telemetry.logs import get_logger
from sophia_assets.warehouse.ground import Ground, read_ground
from sophia_assets.warehouse.marts_copy import BESIDES_MARTS, CopiedTable, MartsCopy, read_tables
from sophia_assets.warehouse.reading import QUERY_SECONDS

if TYPE_CHECKING:
    from sophia_assets.metrics.catalog import Catalog
    from sophia_assets.metrics.measuring import FactContext
    from sophia_assets.services import Services

_log = get_logger(__name__)
_LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class CopiedReading:
    """A `Reading` from a copy in memory."""

    version: str
    day: date
    context: FactContext
    catalog: Catalog
    unusable: tuple[str, ...]
    copy: MartsCopy
    dialect: str = "duckdb"

    def query(
        self,
        sql: str,
        parameters: Sequence[Any] | Mapping[str, Any] | None = None,
        *,
        seconds: float = QUERY_SECONDS,
    ) -> pa.Table:
        """See `Reading.query`."""
        return self.copy.query(sql, parameters, seconds=seconds)

    @contextmanager
    def session(self) -> Iterator[None]:
        """See `Readable.session`: a copy never changes."""
        yield


@dataclass(frozen=True)
class _Held:
    """The newest reading, the version of its rows, and how the home looked just before it was read."""

    reading: CopiedReading
    data: str
    look: object


class CopiedReadings:
    """`Readings` of a home on DuckDB. The first copy is complete before the first answer; later ones come unasked.

    A thread of its own looks every `seconds` whether anything has changed that answers rest on. While a new copy is
    made, and while none can be made, the old one goes on answering.
    """

    def __init__(self, services: Services, *, seconds: float = _LOOK_SECONDS) -> None:
        self._services, self._seconds = services, seconds
        self._held: _Held | None = None
        self._first = threading.Lock()
        self._reloading = threading.Lock()
        self._is_closed = threading.Event()
        self._watcher: threading.Thread | None = None

    def current(self, role: str) -> CopiedReading:
        """See `Readings.current`; every role reads the same copy."""
        held = self._held
        if held is None:
            held = self._begin()
        return held.reading

    def refresh(self) -> CopiedReading:
        """The state as it is now, read before it returns. Raises SophiaError where it cannot be read."""
        with self._reloading:
            before = self._held
            look = self._look()
            if before is not None and before.look == look:
                return before.reading
            after = self._read(look, before)
            self._held = after
            return after.reading

    def close(self) -> None:
        """See `Readings.close`."""
        self._is_closed.set()
        watcher = self._watcher
        if watcher is not None and watcher is not threading.current_thread():
            # It may wait for a writer; its end is then not waited for, and whatever it reads is dropped.
            watcher.join(timeout=5)
        self._held = None

    def _begin(self) -> _Held:
        with self._first:
            if self._held is None:
                self.refresh()
                if self._watcher is None:
                    self._watcher = threading.Thread(target=self._watch, name="readings", daemon=True)
                    self._watcher.start()
            assert self._held is not None
            return self._held

    def _watch(self) -> None:
        told = ""
        while not self._is_closed.wait(self._seconds):
            try:
                self.refresh()
                told = ""
            except Exception as error:  # whatever it is, the old copy goes on answering and the next look may succeed
                if str(error) != told:
                    _log.warning(
                        "the newest data cannot be read, what was read before goes on answering", problem=error
                    )
                told = str(error)

    def _look(self) -> object:
        """What changes whenever something changes that answers rest on; read without opening the warehouse."""
        home = self._services.home
        file = home.warehouse_file
        stamps = [_stamp(file), _stamp(file.with_name(f"{file.name}.wal"))]
        verdicts = sorted((path.name, _stamp(path)) for path in (home.path / "quality").rglob("*") if path.is_file())
        today = datetime.now(UTC).astimezone(self._services.settings.tzinfo).date()
        return stamps, verdicts, today, self._services.shares().as_text()

    def _read(self, look: object, before: _Held | None) -> _Held:
        ground, tables = self._from_warehouse(before)
        copy = before.reading.copy if tables is None and before is not None else MartsCopy(tables or [])
        reading = CopiedReading(
            ground.version, ground.day, ground.context, ground.catalog, ground.unusable, copy, MartsCopy.dialect
        )
        return _Held(reading, ground.data, look)

    def _from_warehouse(self, before: _Held | None) -> tuple[Ground, list[CopiedTable] | None]:
        """The ground, and the tables' rows where they are not those that are held; one short session for both."""
        # Asked first, since opening the warehouse makes one.
        if not self._services.home.warehouse_file.exists():
            raise SophiaError("there is no data to answer from yet", remedy="Run `sophia run` first")
        warehouse = self._services.warehouse
        with warehouse.session():
            stamp = str(_stamp(self._services.home.warehouse_file))
            ground = read_ground(self._services, stamp=stamp, raw_tables=tuple(BESIDES_MARTS))
            is_same = before is not None and before.data == ground.data
            return ground, None if is_same else read_tables(warehouse)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
