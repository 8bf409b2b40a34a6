"""What the loader writes down about loads, in the transaction of the data: results, state, fields, missing columns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

import duckdb
import orjson

from sophia_assets.sources.declarations import Table, Window
from sophia_assets.warehouse.coercion import aware_utc, naive_utc
from sophia_assets.warehouse.drift import MissingColumn
from sophia_assets.warehouse.interface import Load, LoadResult

# So many reads of nothing in a row are believed, where the source says that they were complete.
EMPTY_READS_BELIEVED = 3

_RESULT_COLUMNS = (
    "table_name, window_start, window_end, rows_read, inserted, updated, unchanged, deleted, newest, requests, "
    "seconds, rows_total, rejected, quarantined, new_fields, unswept, "
    "notices"
)


def record(
    connection: duckdb.DuckDBPyConnection, load: Load, result: LoadResult, *, read_from: datetime, loaded_at: datetime
) -> None:
    """Writes the ledger row and moves the table's state; `read_from`, when the read began, and `loaded_at` are
    naive UTC."""
    start = naive_utc(load.window.start) if load.window.start else None
    newest = naive_utc(result.newest) if result.newest else None
    values = {
        "load_id": load.id,
        "table_name": result.table,
        "run_id": load.run_id,
        "read_from": read_from,
        "window_start": start,
        "window_end": naive_utc(load.window.end),
        "committed_at": loaded_at,
        "rows_read": result.rows_read,
        "inserted": result.inserted,
        "updated": result.updated,
        "unchanged": result.unchanged,
        "deleted": result.deleted,
        "rejected": result.rejected,
        "quarantined": orjson.dumps(dict(result.quarantined)).decode(),
        "new_fields": orjson.dumps(dict(result.new_fields)).decode(),
        "unswept": result.unswept,
        "notices": orjson.dumps(result.notices).decode(),
        "newest": newest,
        "requests": result.requests,
        "seconds": result.seconds,
        "rows_total": result.rows_total,
    }
    places = ", ".join("?" * len(values))
    connection.execute(f'INSERT INTO "_sophia"."loads" ({", ".join(values)}) VALUES ({places})', list(values.values()))
    held = connection.execute(
        'DELETE FROM "_sophia"."state" WHERE table_name = ? RETURNING loaded_through', [result.table]
    ).fetchone()
    # A window that ends in the future is covered only as far as the moment the read began.
    covered = min(naive_utc(load.window.end), read_from)
    through = max(covered, held[0]) if held else covered
    connection.execute(
        'INSERT INTO "_sophia"."state" (table_name, loaded_through, newest, loaded_at, load_id, rows_total) '
        "VALUES (?, ?, ?, ?, ?, ?)",
        [result.table, through, newest, loaded_at, load.id, result.rows_total],
    )


def recorded(connection: duckdb.DuckDBPyConnection, load_id: str) -> list[LoadResult] | None:
    """The results of a committed load, or None."""
    rows = connection.execute(
        f'SELECT {_RESULT_COLUMNS} FROM "_sophia"."loads" WHERE load_id = ? ORDER BY rowid', [load_id]
    ).fetchall()
    results = [
        LoadResult(name, Window(aware_utc(start), end.replace(tzinfo=UTC)), read, inserted, updated, unchanged,
                   deleted, aware_utc(newest), requests, seconds, total, rejected, _counts(quarantined),
                   _counts(new_fields), unswept or "", tuple(orjson.loads(notices or "[]")), load_id)
        for name, start, end, read, inserted, updated, unchanged, deleted, newest, requests, seconds, total, rejected,
        quarantined, new_fields, unswept, notices in rows
    ]  # fmt: skip
    return results or None


def length(connection: duckdb.DuckDBPyConnection) -> int:
    """How many rows the ledger has; it only ever grows."""
    row = connection.execute('SELECT count(*) FROM "_sophia"."loads"').fetchone()
    return int(row[0]) if row else 0


def overtaken_by(
    connection: duckdb.DuckDBPyConnection, table: Table, *, read_from: datetime, ledger_rows: int
) -> list[str]:
    """The loads of the table that were stored since the ledger had `ledger_rows`, but began to read later.

    Both are asked for, so that a clock that was set back between two loads does not turn their order round.
    """
    found = connection.execute(
        'SELECT load_id FROM "_sophia"."loads" WHERE rowid >= ? AND table_name = ? AND read_from > ?',
        [ledger_rows, table.qualified_name, read_from],
    ).fetchall()
    return [load_id for (load_id,) in found]


def is_silence_doubted(connection: duckdb.DuckDBPyConnection, table: Table) -> bool:
    """Whether a complete read of nothing should leave the rows alone: so many in a row are believed."""
    before = connection.execute(
        'SELECT rows_read = 0 AND unswept <> \'\' FROM "_sophia"."loads" WHERE table_name = ? '
        "ORDER BY rowid DESC LIMIT ?",
        [table.qualified_name, EMPTY_READS_BELIEVED - 1],
    ).fetchall()
    return len(before) < EMPTY_READS_BELIEVED - 1 or not all(doubted for (doubted,) in before)


def note_new_fields(
    connection: duckdb.DuckDBPyConnection, table: Table, fields: Mapping[str, int], load_id: str, at: datetime
) -> dict[str, int]:
    """Remembers undeclared fields; returns those of them that no earlier load has met. `at` is naive UTC."""
    if not fields:
        return {}
    name = table.qualified_name
    known = {
        field
        for (field,) in connection.execute(
            'SELECT field FROM "_sophia"."fields" WHERE table_name = ?', [name]
        ).fetchall()
    }
    new = {field: count for field, count in sorted(fields.items()) if field not in known}
    for field in new:
        connection.execute(
            'INSERT INTO "_sophia"."fields" (table_name, field, load_id, first_seen_at) VALUES (?, ?, ?, ?)',
            [name, field, load_id, at],
        )
    return new


def record_missing(connection: duckdb.DuckDBPyConnection, missing: Iterable[MissingColumn], at: datetime) -> None:
    """Remembers for the checks that columns have vanished; `at` is naive UTC."""
    for item in missing:
        place = [item.table.qualified_name, item.column]
        connection.execute('DELETE FROM "_sophia"."missing_columns" WHERE table_name = ? AND column_name = ?', place)
        connection.execute(
            'INSERT INTO "_sophia"."missing_columns" (table_name, column_name, rows_read, rows_held, found_at) '
            "VALUES (?, ?, ?, ?, ?)",
            [*place, item.rows_read, item.rows_held, at],
        )


def forget_missing(
    connection: duckdb.DuckDBPyConnection, table: Table, *, besides: Iterable[str], accepted: Collection[str]
) -> None:
    """Forgets the table's missing columns that have come back, which `besides` have not, or that are accepted."""
    still = [column for column in besides if f"{table.qualified_name}.{column}" not in accepted]
    connection.execute(
        'DELETE FROM "_sophia"."missing_columns" WHERE table_name = ? AND NOT list_contains(?, column_name)',
        [table.qualified_name, still],
    )


def _counts(stored: str | None) -> dict[str, int]:
    counts: dict[str, int] = orjson.loads(stored) if stored else {}
    return counts
