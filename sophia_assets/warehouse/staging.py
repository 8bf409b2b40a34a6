"""Collects what a source yields into Arrow on disk, coerced and hashed, before anything touches the warehouse.

Memory holds one batch per table, however long the read; the files vanish with the process.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from sophia_assets.errors import ConfigurationError
from sophia_assets.sources.declarations import CompleteSet, Deleted, ReadItem, ReplacedChildren, Rows, Table
from sophia_assets.warehouse.coercion import ARROW_TYPES, as_json, coerce_column
from sophia_assets.warehouse.interface import Progress

_BATCH_ROWS = 5_000


class _Spool:
    """Arrow record batches of one schema, appended to an unnamed temporary file and read back as a stream."""

    def __init__(self, schema: pa.Schema, folder: Path) -> None:
        self.schema = schema
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by close()
        self._writer = pa.ipc.new_stream(self._file, schema)

    def append(self, columns: list[Any]) -> None:
        arrays = [pa.array(column, type=field.type) for column, field in zip(columns, self.schema, strict=True)]
        self._writer.write_batch(pa.record_batch(arrays, schema=self.schema))

    def reader(self) -> pa.RecordBatchReader:
        self._writer.close()
        self._file.seek(0)
        return pa.ipc.open_stream(self._file)

    def close(self) -> None:
        self._file.close()


class TableStage:
    """Everything one read said about one table."""

    def __init__(self, table: Table, folder: Path) -> None:
        self.table = table
        self.rows_read = 0
        self.rejected = 0
        self.failures: Counter[str] = Counter()
        self.complete = False
        self.deleted_keys: list[tuple[Any, ...]] = []
        self.replaced: dict[str, set[Any]] = {}
        self._declared = frozenset(table.column_names)
        self._buffer: list[Mapping[str, Any]] = []
        self._sequence = 0
        fields = [(column.name, ARROW_TYPES[column.type]) for column in table.columns]
        self._spool = _Spool(
            pa.schema([*fields, ("_extra", pa.string()), ("_row_hash", pa.string()), ("_sequence", pa.int64())]), folder
        )

    def add_rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._buffer.extend(rows)
        self.rows_read += len(rows)
        if len(self._buffer) >= _BATCH_ROWS:
            self._flush()

    def key_columns(self, keys: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
        """Keys column by column, in the declared types of the primary key."""
        kinds = {column.name: column.type for column in self.table.columns}
        return [
            coerce_column([key[place] for key in keys], kinds[name])[0]
            for place, name in enumerate(self.table.primary_key)
        ]

    def reader(self) -> pa.RecordBatchReader:
        """All staged rows as one stream: declared columns, `_extra`, `_row_hash`, `_sequence`."""
        self._flush()
        return self._spool.reader()

    def close(self) -> None:
        self._spool.close()

    def _flush(self) -> None:
        rows, self._buffer = self._buffer, []
        if not rows:
            return
        columns = []
        for column in self.table.columns:
            values, failed = coerce_column([row.get(column.name) for row in rows], column.type)
            columns.append(values)
            if failed:
                self.failures[column.name] += failed
        columns.append([self._extra(row) for row in rows])
        columns = self._without_keyless(columns)
        columns.append([_hash(values) for values in zip(*columns, strict=True)])
        count = len(columns[0])
        columns.append(list(range(self._sequence, self._sequence + count)))
        self._sequence += count
        self._spool.append(columns)

    def _extra(self, row: Mapping[str, Any]) -> str | None:
        if row.keys() <= self._declared:
            return None
        return as_json({name: value for name, value in row.items() if name not in self._declared})

    def _without_keyless(self, columns: list[list[Any]]) -> list[list[Any]]:
        """Drops and counts rows whose primary key has a NULL: they could never be merged."""
        places = [self.table.column_names.index(name) for name in self.table.primary_key]
        if not any(None in columns[place] for place in places):
            return columns
        usable = [all(value is not None for value in key) for key in zip(*(columns[p] for p in places), strict=True)]
        self.rejected += usable.count(False)
        return [[value for value, keep in zip(column, usable, strict=True) if keep] for column in columns]


class Stage:
    """Everything one read said, table by table. Use as a context manager: the spooled files are closed at its end."""

    def __init__(self, tables: Sequence[Table], folder: Path) -> None:
        self.tables = {table.name: TableStage(table, folder) for table in tables}

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        for staged in self.tables.values():
            staged.close()

    def add(self, item: ReadItem, progress: Progress | None = None) -> None:
        """Takes one item of a read. Raises ConfigurationError where it names a table that is not being loaded."""
        staged = self.tables.get(item.table)
        if staged is None:
            raise ConfigurationError(
                f"the read yielded table {item.table!r}, which its group does not declare",
                remedy="Declare it in the source's tables.py under the same group",
            )
        match item:
            case Rows():
                staged.add_rows(item.rows)
                if progress:
                    progress(staged.table.qualified_name, staged.rows_read)
            case Deleted():
                staged.deleted_keys.extend(item.keys)
            case CompleteSet():
                staged.complete = True
            case ReplacedChildren():
                staged.replaced.setdefault(item.parent_column, set()).update(item.parents)


def _hash(values: tuple[Any, ...]) -> str:
    return blake2b(orjson.dumps(values, default=str), digest_size=16).hexdigest()
