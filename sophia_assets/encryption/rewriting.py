"""Rewrites everything that a home keeps with another key, or with none: each part so that it is the old or the new.

Belongs here: the parts of a home and how each is rewritten. Does not belong here: the order, the locks and the home's
state (`rotation`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sophia_assets.encryption.dagster_history import overwrite_free_pages
from sophia_assets.encryption.vault import SealingVault, is_sealed
from sophia_assets.errors import EncryptionError
from sophia_assets.home import write_bytes_atomically
from sophia_assets.warehouse.fault_points import reach

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from sqlalchemy import Connection

    from sophia_assets.control.store import ControlStore
    from sophia_assets.home import Home

# So much more room than the warehouse takes: DuckDB writes a copy of it before the old one goes.
_ROOM = 1.2
_LEAST_ROOM = 16 << 20


@dataclass(frozen=True)
class SealedFile:
    """A file that is sealed as a whole, and what for."""

    path: Path
    context: str


def sealed_files(home: Home) -> Iterator[SealedFile]:
    """The facts, the briefings, and what the checks have found."""
    for folder, pattern in (("facts", "*.parquet"), ("briefings", "**/*"), ("quality", "**/*.json")):
        for path in sorted((home.path / folder).glob(pattern)):
            if path.is_file() and not path.name.startswith("."):
                yield SealedFile(path, f"{folder}/{path.relative_to(home.path / folder).as_posix()}")


def rewrite_file(file: SealedFile, vault: SealingVault, *, plain: bool) -> bool:
    """Seals a file with the current key, or opens it; whether anything was to be done."""
    content = file.path.read_bytes()
    if not is_sealed(content) if plain else vault.is_current(content):
        return False
    opened = vault.open(content, file.context)
    write_bytes_atomically(file.path, opened if plain else vault.seal(opened, file.context))
    reach("file_rewritten")
    return True


def rewrite_warehouse(path: Path, vault: SealingVault, *, plain: bool) -> bool:
    """Writes a copy of the DuckDB file and puts it in the file's place; whether anything was to be done.

    To be called while nobody else has the file open. Raises EncryptionError where there is no room; nothing is changed.
    """
    import duckdb

    from sophia_assets.warehouse import duckdb_connection

    draft = path.with_name(f".{path.name}.rewriting")
    _remove_draft(draft)
    keys = vault.keys.warehouse_keys()
    if not path.exists() or _is_written_so(path, keys[0], plain=plain):
        return False
    _require_room(path)
    try:
        instance = duckdb_connection.encrypting_instance()
        try:
            place = str(draft.with_name(draft.name + ".tmp")).replace("'", "''")
            instance.execute(f"SET temp_directory = '{place}'")
            _attach(instance, path, "old", keys, plain=duckdb_connection.is_plain(path))
            # The log is written into the file, so that none of another key is left beside the new file.
            instance.execute("CHECKPOINT old")
            _attach(instance, draft, "new", keys[:1], plain=plain)
            reach("warehouse_half_rewritten")
            instance.execute("COPY FROM DATABASE old TO new")
            _compare(instance)
            instance.execute("DETACH new")
            instance.execute("DETACH old")
        finally:
            instance.close()
        _on_disk(draft)
        reach("before_warehouse_replaced")
        draft.replace(path)
        path.with_name(path.name + ".wal").unlink(missing_ok=True)
        reach("warehouse_replaced")
    except (duckdb.Error, OSError) as error:
        _remove_draft(draft)
        raise EncryptionError(
            f"{path.name} could not be rewritten ({str(error).splitlines()[0]}); it is as it was",
            remedy=f"Make room on the disk that holds {path.parent}, then run this again",
        ) from None
    return True


def rewrite_control(store: ControlStore, vault: SealingVault, *, plain: bool) -> int:
    """Rewrites the columns of the control store that hold content; how many rows. What does not open is forgotten."""
    count = store.run(lambda connection: _rewrite_rows(connection, vault, plain=plain))
    if store.is_sqlite:
        with store.reading() as connection:
            raw = connection.connection.dbapi_connection
            if raw is not None:
                overwrite_free_pages(raw)  # type: ignore[arg-type]
    return count


def remove_unfinished_reads(home: Home) -> None:
    """Removes what was read and not merged: the next run reads it anew."""
    shutil.rmtree(home.path / "staging", ignore_errors=True)
    for place in home.path.glob("*.duckdb.tmp"):
        shutil.rmtree(place, ignore_errors=True)


def _is_written_so(path: Path, key: str, *, plain: bool) -> bool:
    import duckdb

    from sophia_assets.warehouse import duckdb_connection

    if plain or duckdb_connection.is_plain(path):
        return plain and duckdb_connection.is_plain(path)
    instance = duckdb.connect()
    try:
        duckdb_connection.attach(instance, path, "old", [key], read_only=True)
    except EncryptionError:
        return False
    finally:
        instance.close()
    return True


def _attach(instance: DuckDBPyConnection, path: Path, name: str, keys: list[str], *, plain: bool) -> None:
    from sophia_assets.warehouse import duckdb_connection

    if plain:
        place = str(path).replace("'", "''")
        instance.execute(f"ATTACH '{place}' AS {name}")
    else:
        duckdb_connection.attach(instance, path, name, keys, read_only=False)


def _compare(instance: DuckDBPyConnection) -> None:
    """Raises EncryptionError where the copy has not every table with every row."""
    listed = "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = ? ORDER BY ALL"
    tables = instance.execute(listed, ["old"]).fetchall()
    if tables != instance.execute(listed, ["new"]).fetchall():
        raise EncryptionError("the copy of the warehouse lacks tables; it is as it was", remedy="Run this again")
    for schema, table in tables:
        counted = [
            instance.execute(f'SELECT COUNT(*) FROM {name}."{schema}"."{table}"').fetchone() for name in ("old", "new")
        ]
        if counted[0] != counted[1]:
            raise EncryptionError(f"the copy of {schema}.{table} lacks rows; it is as it was", remedy="Run this again")


def _require_room(path: Path) -> None:
    needed = int(path.stat().st_size * _ROOM) + _LEAST_ROOM
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise EncryptionError(
            f"{path.parent} has room for {free >> 20:,} MB, and a copy of the warehouse needs {needed >> 20:,} MB",
            remedy="Make room, then run this again; nothing was changed",
        )


def _rewrite_rows(connection: Connection, vault: SealingVault, *, plain: bool) -> int:
    from sqlalchemy import and_, select

    from sophia_assets.control.schema import deliveries, llm_answers
    from sophia_assets.delivery.log import CONTEXT, key_columns
    from sophia_assets.llm.answers import context_of, seal_of

    count = 0
    for row in connection.execute(select(llm_answers)).all():
        text = _rewritten(row.content, context_of(row.key), vault, plain=plain)
        same = llm_answers.c.key == row.key
        if text is None:
            connection.execute(llm_answers.delete().where(same))
        elif text != row.content:
            values = {"content": text, "seal": seal_of(row.key, text)}
            connection.execute(llm_answers.update().where(same).values(values))
            count += 1
    for row in connection.execute(select(deliveries).where(deliveries.c.problem != "")).all():
        text = _rewritten(row.problem, CONTEXT, vault, plain=plain)
        if text != row.problem:
            own = and_(*(deliveries.c[name] == getattr(row, name) for name in key_columns()))
            connection.execute(deliveries.update().where(own).values(problem=text or ""))
            count += 1
    return count


def _rewritten(text: str, context: str, vault: SealingVault, *, plain: bool) -> str | None:
    """The text as it is to be kept, None where it does not open."""
    if not plain and vault.is_current_text(text):
        return text
    try:
        opened = vault.open_text(text, context)
    except EncryptionError:
        return None
    return opened if plain else vault.seal_text(opened, context)


def _on_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _remove_draft(draft: Path) -> None:
    for path in draft.parent.glob(f"{draft.name}*"):
        with suppress(OSError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
