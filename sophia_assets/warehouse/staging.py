"""Collects what a source yields into Arrow on disk, coerced and hashed, before anything touches the warehouse.

Memory holds one batch per table, however long the read. At each checkpoint what has come so far is
written out and journaled, so that a killed read is gone on with instead of begun again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from sophia_assets.encryption.vault import PLAIN, Vault
from sophia_assets.errors import ConfigurationError
from sophia_assets.sources.declarations import (
    Checkpoint,
    CompleteSet,
    CompleteSpan,
    Deleted,
    Notice,
    PresentKeys,
    ReadItem,
    ReplacedChildren,
    Rows,
    Table,
    Through,
)
from sophia_assets.warehouse.coercion import ARROW_TYPES, as_json, coerce_column, naive_utc
from sophia_assets.warehouse.fault_points import reach
from sophia_assets.warehouse.interface import Load, Progress
from sophia_assets.warehouse.spool import Spool
from sophia_assets.warehouse.stage_folder import StageFolder

CHECKPOINT_SECONDS = 0.05

_BATCH_ROWS = 5_000
# A system that uses data as field names must not fill the memory with them.
_NEW_FIELDS_NAMED = 200
_NOTICES_KEPT = 20


class TableStage:
    """Everything one read said about one table.

    `misfits` are rows set aside whole because a value did not fit its declared type, counted under the
    first such column; `unplaced` those of them (and of the rejected) whose key is not known, so that
    nobody can say which rows of the table they are.
    """

    def __init__(self, table: Table, folder: Path, vault: Vault = PLAIN) -> None:
        self.table = table
        self._vault = vault
        self.rows_read = 0
        self.rejected = 0
        self.unplaced = 0
        self.misfits: Counter[str] = Counter()
        self.new_fields: Counter[str] = Counter()
        self.notices: list[str] = []
        self.complete = False
        self.sequence = 0
        self._absent = set(table.column_names)
        self._folder = folder
        self._declared = frozenset(table.column_names)
        self._kinds = {column.name: column.type for column in table.columns}
        self._buffer: list[Mapping[str, Any]] = []
        key_fields = [(name, ARROW_TYPES[self._kinds[name]]) for name in table.primary_key]
        fields = [(column.name, ARROW_TYPES[column.type]) for column in table.columns]
        loaded = [("_extra", pa.string()), ("_row_hash", pa.string()), ("_sequence", pa.int64())]
        aside = [(name, pa.string()) for name in ("_key", "_column", "_reason", "_row")]
        self.rows = Spool(folder, f"{table.name}.rows", pa.schema([*fields, *loaded]), vault)
        gone = pa.schema([*key_fields, ("_gone_at", pa.timestamp("us"))])
        self.gone = Spool(folder, f"{table.name}.gone", gone, vault)
        self.set_aside = Spool(
            folder, f"{table.name}.set_aside", pa.schema([*key_fields, *aside, ("_sequence", pa.int64())]), vault
        )
        self.present = Spool(folder, f"{table.name}.present", pa.schema(key_fields), vault)
        self.lists_keys = False
        self.spans: list[CompleteSpan] = []
        self.replaced: dict[str, Spool] = {}

    @property
    def has_content(self) -> bool:
        """Whether the read said anything about the table."""
        return bool(self.rows_read or self.is_swept or self.replaced or self.gone.sync())

    @property
    def is_swept(self) -> bool:
        """Whether the read said that what it yielded was all there is, of the table or of spans of it."""
        return self.complete or self.lists_keys or bool(self.spans)

    @property
    def absent_columns(self) -> list[str]:
        """Declared columns for which no row that came had a value."""
        return sorted(self._absent)

    def add_rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._buffer.extend(rows)
        self.rows_read += len(rows)
        if len(self._buffer) >= _BATCH_ROWS:
            self.flush()

    def add_deleted(self, keys: Sequence[tuple[Any, ...]], at: Sequence[datetime | None]) -> None:
        moments = [naive_utc(moment) if moment else None for moment in at] or [None] * len(keys)
        usable = self._usable_keys(keys)
        if usable:
            columns = [list(column) for column in zip(*usable.values(), strict=True)]
            self.gone.append([*columns, [moments[place] for place in usable]])

    def add_present(self, keys: Sequence[tuple[Any, ...]]) -> None:
        self.lists_keys = True
        usable = self._usable_keys(keys)
        if usable:
            self.present.append([list(column) for column in zip(*usable.values(), strict=True)])

    def add_span(self, span: CompleteSpan) -> None:
        if span not in self.spans:
            self.spans.append(span)

    def add_notice(self, text: str) -> None:
        if text not in self.notices and len(self.notices) < _NOTICES_KEPT:
            self.notices.append(text)

    def _usable_keys(self, keys: Sequence[tuple[Any, ...]]) -> dict[int, tuple[Any, ...]]:
        """The keys of which every part is there, as the table's types, by their place."""
        names = self.table.primary_key
        columns = [
            coerce_column([key[place] for key in keys], self._kinds[name])[0] for place, name in enumerate(names)
        ]
        return {place: key for place, key in enumerate(zip(*columns, strict=True)) if None not in key}

    def add_replaced(self, column: str, parents: Sequence[Any]) -> None:
        values = [value for value in coerce_column(list(parents), self._kinds[column])[0] if value is not None]
        self._replaced(column).append([values])

    def flush(self) -> None:
        """Writes out the rows that are held in memory."""
        rows, self._buffer = self._buffer, []
        if not rows:
            return
        misfits: dict[int, str] = {}
        columns = []
        for column in self.table.columns:
            values, places = coerce_column([row.get(column.name) for row in rows], column.type)
            columns.append(values)
            for place in places:
                misfits.setdefault(place, column.name)
            if column.name in self._absent and (places or values.count(None) < len(values)):
                self._absent.discard(column.name)
        columns.append([self._extra(row) for row in rows])
        numbers = list(range(self.sequence, self.sequence + len(rows)))
        self.sequence += len(rows)
        key_places = [self.table.column_names.index(name) for name in self.table.primary_key]
        keys = list(zip(*(columns[place] for place in key_places), strict=True))
        self._set_aside(rows, keys, misfits, numbers)
        unusable = {place for place, key in enumerate(keys) if None in key} | misfits.keys()
        self.rejected += len(unusable) - len(misfits)
        self.unplaced += sum(None in key for key in keys)
        if unusable:
            columns = [[v for place, v in enumerate(column) if place not in unusable] for column in columns]
            numbers = [number for place, number in enumerate(numbers) if place not in unusable]
        if numbers:
            hashes = [_hash(values) for values in zip(*columns, strict=True)]
            self.rows.append([*columns, hashes, numbers])

    def sync(self) -> dict[str, int]:
        """Writes out everything; the spooled files and their lengths."""
        self.flush()
        return {name: length for spool in self._spools() for name, length in spool.sync().items()}

    def counters(self) -> dict[str, Any]:
        """What has to be known, beside the files, to go on with this stage: JSON-ready."""
        return {
            "rows_read": self.rows_read,
            "rejected": self.rejected,
            "unplaced": self.unplaced,
            "misfits": self.misfits,
            "new_fields": self.new_fields,
            "complete": self.complete,
            "sequence": self.sequence,
            "absent": self.absent_columns,
            "replaced": list(self.replaced),
            "lists_keys": self.lists_keys,
            "spans": [_span_as_json(span) for span in self.spans],
            "notices": self.notices,
        }

    def restore(self, counters: Mapping[str, Any], files: Mapping[str, int]) -> None:
        """Takes over what an earlier process had staged. Raises OSError where its files are not there."""
        for name in ("rows_read", "rejected", "unplaced", "complete", "sequence", "lists_keys"):
            setattr(self, name, counters[name])
        self.misfits.update(counters["misfits"])
        self.new_fields.update(counters["new_fields"])
        self._absent = set(counters["absent"])
        self.spans = [_span_from_json(self.table.name, span) for span in counters["spans"]]
        self.notices = list(counters["notices"])
        for column in counters["replaced"]:
            self._replaced(column)
        for spool in self._spools():
            spool.restore(files)

    def close(self) -> None:
        for spool in self._spools():
            spool.close()

    def _spools(self) -> list[Spool]:
        return [self.rows, self.gone, self.present, self.set_aside, *self.replaced.values()]

    def _replaced(self, column: str) -> Spool:
        if column not in self.replaced:
            schema = pa.schema([("parent", ARROW_TYPES[self._kinds[column]])])
            name = f"{self.table.name}.replaced-{column}"
            self.replaced[column] = Spool(self._folder, name, schema, self._vault)
        return self.replaced[column]

    def _set_aside(
        self,
        rows: Sequence[Mapping[str, Any]],
        keys: Sequence[tuple[Any, ...]],
        misfits: Mapping[int, str],
        numbers: Sequence[int],
    ) -> None:
        if not misfits:
            return
        places = sorted(misfits)
        self.misfits.update(misfits[place] for place in places)
        reasons = [self._reason(rows[place].get(misfits[place]), misfits[place]) for place in places]
        self.set_aside.append(
            [
                *([keys[place][part] for place in places] for part in range(len(self.table.primary_key))),
                [None if None in keys[place] else as_json(keys[place]) for place in places],
                [misfits[place] for place in places],
                reasons,
                [_original(rows[place]) for place in places],
                [numbers[place] for place in places],
            ]
        )

    def _reason(self, value: Any, column: str) -> str:
        return f"{type(value).__name__} that does not fit {self._kinds[column]}"

    def _extra(self, row: Mapping[str, Any]) -> str | None:
        if row.keys() <= self._declared:
            return None
        extra = {name: value for name, value in row.items() if name not in self._declared}
        for name in extra:
            if name in self.new_fields or len(self.new_fields) < _NEW_FIELDS_NAMED:
                self.new_fields[str(name)] += 1
        return _original(extra)


class Stage:
    """Everything one read said, table by table, kept in `folder`; goes on where an earlier process stopped.

    `position` is where the source has to go on (None: from the beginning); `is_complete` says that the
    read had come to its end. Raises OSError where the disk is full, or an earlier stage is not whole.
    """

    def __init__(self, load: Load, folder: StageFolder, *, checkpoint_seconds: float = CHECKPOINT_SECONDS) -> None:
        self.tables = {table.name: TableStage(table, folder.path, folder.vault) for table in load.tables}
        self.position: Any = None
        self.is_complete = False
        self.checkpoints = 0
        self._load = load
        self._folder = folder
        self._checkpoint_seconds = checkpoint_seconds
        self._requests_before = 0
        self._last_written = 0.0
        entry = folder.entry
        if entry is not None:
            self.position, self.is_complete = entry["position"], entry["complete"]
            self._requests_before = entry["requests"]
            for name, staged in self.tables.items():
                staged.restore(entry["tables"][name], entry["files"])

    @property
    def requests(self) -> int:
        """How many requests the read has made, those of earlier processes included."""
        return self._requests_before + self._load.requests()

    def add(self, item: ReadItem, progress: Progress | None = None) -> None:
        """Takes one item of a read. Raises ConfigurationError where it names a table that is not being loaded."""
        if isinstance(item, Checkpoint):
            is_due = time.monotonic() - self._last_written >= self._checkpoint_seconds
            if is_due and not self._folder.private:
                self._write(item.position)
                self.checkpoints += 1
                self._last_written = time.monotonic()
            return
        staged = self.tables.get(item.table)
        if staged is None:
            raise ConfigurationError(
                f"the read yielded table {item.table!r}, which its group does not declare",
                remedy="Declare it in the source's tables.py under the same group",
            )
        match item:
            case Rows():
                reach("page_received")
                staged.add_rows(item.rows)
                if progress:
                    progress(staged.table.qualified_name, staged.rows_read)
            case Deleted():
                staged.add_deleted(item.keys, item.at)
            case CompleteSet():
                staged.complete = True
            case CompleteSpan():
                staged.add_span(item)
            case PresentKeys():
                staged.add_present(item.keys)
            case ReplacedChildren():
                staged.add_replaced(item.parent_column, item.parents)
            case Notice():
                staged.add_notice(item.text)

    def finish(self) -> None:
        """Writes out everything, and that the read has come to its end: what follows a kill now is only the merge."""
        if self._folder.private:
            for staged in self.tables.values():
                staged.sync()
        elif not self.is_complete:
            self.is_complete = True
            self._write(None)

    def close(self) -> None:
        for staged in self.tables.values():
            staged.close()

    def _write(self, position: Any) -> None:
        files = {name: length for staged in self.tables.values() for name, length in staged.sync().items()}
        self._folder.write(
            {
                "position": position,
                "complete": self.is_complete,
                "requests": self.requests,
                "files": files,
                "tables": {name: staged.counters() for name, staged in self.tables.items()},
            }
        )


def _span_as_json(span: CompleteSpan) -> list[Any]:
    start = span.start.isoformat() if span.start else None
    through = [span.through.table, span.through.column] if span.through else None
    return [span.column, start, span.end.isoformat(), through]


def _span_from_json(table: str, stored: Sequence[Any]) -> CompleteSpan:
    column, start, end, through = stored
    began = datetime.fromisoformat(start) if start else None
    return CompleteSpan(table, column, began, datetime.fromisoformat(end), Through(*through) if through else None)


def _original(row: Mapping[str, Any]) -> str:
    """The row as JSON; what JSON cannot hold is written as text."""
    try:
        return as_json(row)
    except TypeError:
        return as_json({str(name): str(value) for name, value in row.items()})


def _hash(values: tuple[Any, ...]) -> str:
    return blake2b(orjson.dumps(values, default=str), digest_size=16).hexdigest()
