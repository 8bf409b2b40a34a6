"""Connections to a DuckDB file, encrypted or not, that address `schema.table` alike.

Belongs here: opening and closing, and what encryption needs of DuckDB. Does not belong here: locks, transactions.

An encrypted file is attached to a database in memory, where the extension that encrypts has been loaded from its wheel
(DuckDB verifies its signature). That takes 50 ms, so databases in memory are used again within a process. The key is
passed as a parameter, never as SQL text. What spills to disk is encrypted, too.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import duckdb

from sophia_assets.errors import EncryptionError

CATALOG = "warehouse"
_WRONG_KEY = "Wrong encryption key"
_NO_KEY = "without a key"
_IDLE_AT_MOST = 4
_SETTINGS_OF_LOADS = ("memory_limit", "threads", "write_buffer_row_group_count")


def connect(path: Path | str, *, read_only: bool, keys: Sequence[str] = ()) -> duckdb.DuckDBPyConnection:
    """A connection to the file; give it to `close`. `keys` are DuckDB's own, the current one first; none for a plain
    file.

    Raises EncryptionError where file and keys do not fit, duckdb.IOException where the file cannot be opened.
    """
    if not keys:
        try:
            return duckdb.connect(str(path), read_only=read_only)
        except duckdb.CatalogException as error:
            if _NO_KEY not in str(error):
                raise
            raise EncryptionError(
                f"{Path(path).name} is encrypted, and no key is set", remedy="Set SOPHIA_ENCRYPTION_KEY to its key"
            ) from None
    path = Path(path)
    if is_plain(path):
        raise EncryptionError(
            f"{path.name} is not encrypted, and a key is set",
            remedy="Run `sophia encryption encrypt`, or unset SOPHIA_ENCRYPTION_KEY",
        )
    return _Lease.of(path, read_only, keys)


def close(connection: duckdb.DuckDBPyConnection) -> None:
    """Closes a connection that `connect` gave. What is not committed is undone."""
    lease = _Lease.held.pop(id(connection), None)  # which holds it, so that no other one can have its id
    if lease is None:
        connection.close()
    else:
        lease.give_back(connection)


def is_plain(path: Path) -> bool:
    """Whether a file is a DuckDB file that is not encrypted."""
    head = _head(path)
    return head[8:12] == b"DUCK" and not head[20] & 1


def is_encrypted(path: Path) -> bool:
    """Whether a file is a DuckDB file that is encrypted."""
    head = _head(path)
    return head[8:12] == b"DUCK" and bool(head[20] & 1)


def encrypting_instance() -> duckdb.DuckDBPyConnection:
    """A database in memory that can read and write encrypted files, and spills nothing in plain text."""
    from sophia_assets.encryption.state import extension

    instance = duckdb.connect()
    instance.execute("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false")
    place = str(extension()).replace("'", "''")
    instance.execute(f"LOAD '{place}'")
    instance.execute("SET temp_file_encryption = true")
    return instance


def attach(
    connection: duckdb.DuckDBPyConnection, path: Path, name: str, keys: Sequence[str], *, read_only: bool
) -> int:
    """Attaches the file with the first of `keys` that opens it, which it returns. Raises EncryptionError for none."""
    place = str(path).replace("'", "''")
    more = ", READ_ONLY" if read_only else ""
    for number, key in enumerate(keys):
        try:
            connection.execute(f"ATTACH '{place}' AS {name} (ENCRYPTION_KEY ?{more})", [key])
            return number
        except duckdb.InvalidInputException as error:
            if _WRONG_KEY not in str(error):
                raise
    raise EncryptionError(
        f"{path.name} is encrypted with another key than the ones that are set",
        remedy="Set SOPHIA_ENCRYPTION_KEY to its key, or add that to SOPHIA_ENCRYPTION_OLD_KEYS",
    )


class _Lease:
    """A database in memory while a file is attached to it."""

    held: dict[int, _Lease] = {}  # noqa: RUF012 - shared by all, on purpose
    _idle: list[tuple[int, duckdb.DuckDBPyConnection]] = []  # noqa: RUF012 - shared too
    _lock = threading.Lock()

    def __init__(self, instance: duckdb.DuckDBPyConnection) -> None:
        self._instance = instance
        self.connection: duckdb.DuckDBPyConnection | None = None

    @classmethod
    def of(cls, path: Path, read_only: bool, keys: Sequence[str]) -> duckdb.DuckDBPyConnection:
        """A connection that sees the file as its own database."""
        instance = cls._free_instance(path)
        lease = cls(instance)
        connection = instance.cursor()
        try:
            attach(connection, path, CATALOG, keys, read_only=read_only)
            connection.execute(f"USE {CATALOG}")
        except BaseException:
            lease.give_back(connection)
            raise
        lease.connection = connection
        cls.held[id(connection)] = lease
        return connection

    @classmethod
    def _free_instance(cls, path: Path) -> duckdb.DuckDBPyConnection:
        spill = str(path.with_name(path.name + ".tmp")).replace("'", "''")
        while True:
            with cls._lock:
                pid, instance = cls._idle.pop() if cls._idle else (0, None)
            if instance is None:
                instance = encrypting_instance()
            elif pid != os.getpid():
                continue  # of the process that this one was forked from
            try:
                instance.execute(f"SET temp_directory = '{spill}'")
                return instance
            except duckdb.Error:
                instance.close()

    def give_back(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Detaches the file, which writes a checkpoint, and keeps the database for whoever comes next."""
        with suppress(duckdb.Error):
            connection.close()
        try:
            attached = self._instance.execute("SELECT 1 FROM duckdb_databases() WHERE database_name = ?", [CATALOG])
            if attached.fetchone():
                self._instance.execute(f"DETACH {CATALOG}")
            # Not RESET: it changes what is shown, and leaves the limit of memory as it is.
            for name, value in _defaults().items():
                self._instance.execute(f"SET {name} = '{value}'")
        except duckdb.Error:
            # A fatal error, or a full disk: what is committed is in the log beside the file.
            self._instance.close()
            return
        with self._lock:
            if len(self._idle) < _IDLE_AT_MOST:
                self._idle.append((os.getpid(), self._instance))
                return
        self._instance.close()


@cache
def _defaults() -> dict[str, str]:
    """What the settings of a load are where nobody has set them."""
    with duckdb.connect() as fresh:
        names = ", ".join(f"current_setting('{name}')" for name in _SETTINGS_OF_LOADS)
        found = fresh.execute(f"SELECT {names}").fetchone()
    return dict(zip(_SETTINGS_OF_LOADS, map(str, found or ()), strict=True))


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(28).ljust(28, b"\0")
    except FileNotFoundError:
        return bytes(28)
