"""Arrow record batches of one schema in numbered files, written by one process after another, read back in chunks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from sophia_assets.encryption import streams
from sophia_assets.encryption.vault import PLAIN, Vault
from sophia_assets.warehouse.fault_points import reach

CHUNK_ROWS = 20_000
_SUFFIX = ".arrows"


class Spool:
    """Appends to `<folder>/<name>.<n>.arrows`: a new file for each process, begun with the first batch.

    Only what `sync` has returned lengths for survives a kill: the files are cut back to them on resuming. `vault` seals
    them.
    """

    def __init__(self, folder: Path, name: str, schema: pa.Schema, vault: Vault = PLAIN) -> None:
        self.schema = schema
        self._vault = vault
        self._folder = folder
        self._name = name
        self._lengths: dict[str, int] = {}
        self._file: BinaryIO | None = None
        self._writer: Any = None

    def append(self, columns: Sequence[Any]) -> None:
        """Writes one batch, given column by column. Raises OSError where the disk is full."""
        if self._file is None:
            self._file = self._new_file()
            self._writer = pa.ipc.new_stream(self._file, self.schema)
        arrays = [pa.array(column, type=field.type) for column, field in zip(columns, self.schema, strict=True)]
        self._writer.write_batch(pa.record_batch(arrays, schema=self.schema))
        reach("segment_half_written")

    def sync(self) -> Mapping[str, int]:
        """The files' names and lengths, all of it out of this process's hands."""
        if self._file is not None:
            self._lengths[Path(self._file.name).name] = streams.size_of(self._file)
        return self._lengths

    def restore(self, lengths: Mapping[str, int]) -> None:
        """Takes over what an earlier process had written, cut back to `lengths`. Raises OSError if it is not there."""
        for name, length in lengths.items():
            if not name.startswith(f"{self._name}."):
                continue
            with (self._folder / name).open("r+b") as file:
                file.seek(0, 2)
                if file.tell() < length:
                    raise OSError(f"{name} is shorter than its journal says")
                file.truncate(length)
            self._lengths[name] = length

    def chunks(self, columns: Sequence[str] | None = None, rows: int = CHUNK_ROWS) -> Iterator[pa.Table]:
        """All batches in the order written, about `rows` rows at a time; `columns` None means all."""
        self.sync()
        fields = None if columns is None else sorted(self.schema.get_field_index(name) for name in columns)
        options = pa.ipc.IpcReadOptions(included_fields=fields)
        held: list[pa.RecordBatch] = []
        count = 0
        for name in self._lengths:
            with self._read(name) as file, pa.ipc.open_stream(file, options=options) as batches:
                for batch in batches:
                    held.append(batch)
                    count += len(batch)
                    if count >= rows:
                        yield pa.Table.from_batches(held)
                        held, count = [], 0
        if held:
            yield pa.Table.from_batches(held)

    def close(self) -> None:
        """Closes the file that is being written. What is not on disk yet is given up."""
        if self._file is not None:
            file, self._file, self._writer = self._file, None, None
            try:
                file.close()
            except OSError:
                # A full disk: whoever wrote has already been told.
                return

    def _new_file(self) -> BinaryIO:
        name = f"{self._name}.{len(self._lengths)}{_SUFFIX}"
        return streams.create(self._vault, self._folder / name, self._context(name))

    def _read(self, name: str) -> Any:
        if self._vault.is_on:
            return streams.read(self._vault, self._folder / name, self._context(name))
        # Not memory-mapped: mapped pages would count as this process's memory.
        return pa.OSFile(str(self._folder / name))

    def _context(self, name: str) -> str:
        return f"staging/{self._folder.name}/{name}"
