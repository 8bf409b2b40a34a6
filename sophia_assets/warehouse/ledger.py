"""What the loader writes down about loads, in the transaction of the data: results, state, fields, missing columns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

from sophia_assets.sources.declarations import Table, Window
from sophia_assets.warehouse.coercion import aware_utc, naive_utc
from sophia_assets.warehouse.connection import Connection
from sophia_assets.warehouse.drift import MissingColumn
from sophia_assets.warehouse.interface import Load, LoadResult
from sophia_assets.warehouse.schema import INSTANT

# So many reads of nothing in a row are believed, where the source says that they were complete.
EMPTY_READS_BELIEVED = 3

_DAY = timedelta(days=1)

_RESULT_COLUMNS = (
    "table_name, window_start, window_end, rows_read, inserted, updated, unchanged, deleted, newest, requests, "
    "seconds, rows_total, rejected, quarantined, new_fields, unswept, "
    "notices"
)


@dataclass(frozen=True)
class _Standing:
    """How far a table has been loaded, and since and up to when its versions are known; all naive UTC."""

    loaded_through: datetime
    known_since: datetime
    known_through: datetime


def _standing(connection: Connection, table_name: str) -> _Standing | None:
    found = connection.execute(
        'SELECT loaded_through, known_since, known_through FROM "_sophia"."state" WHERE table_name = ?', [table_name]
    ).fetchone()
    if found is None:
        return None
    loaded_through, since, through = found
    # Neither was written down before versions were kept: nothing of a time before can be told.
    through = through or loaded_through - INSTANT
    return _Standing(loaded_through, since or through, through)


def known_moment(connection: Connection, load: Load, table: Table, *, read_from: datetime) -> datetime:
    """The moment (naive UTC) from which what the load brings is known: the last one of the span that it is for.

    That span ends with the days that were asked for where they were read within a day after, as by a morning's load
    for the day before; else with the window. The moment is never earlier than that of a load before, so that
    versions follow each other.
    """
    end = naive_utc(load.window.end)
    asked = naive_utc(load.key.span.end) if load.key else end
    moment = min(asked if asked <= end < asked + _DAY else end, read_from) - INSTANT
    held = _standing(connection, table.qualified_name)
    return max(moment, held.known_through) if held else moment


def known_since(connection: Connection, tables: Iterable[Table]) -> dict[str, datetime]:
    """Per table that keeps versions and was loaded, since when (UTC, aware) they are known."""
    found = {}
    for table in tables:
        held = _standing(connection, table.qualified_name) if table.keeps_versions else None
        if held:
            found[table.qualified_name] = held.known_since.replace(tzinfo=UTC)
    return found


def record(
    connection: Connection,
    load: Load,
    table: Table,
    result: LoadResult,
    *,
    read_from: datetime,
    loaded_at: datetime,
    known: datetime,
) -> None:
    """Writes the ledger row and moves the table's state; `read_from`, when the read began, `loaded_at` and `known`,
    see `known_moment`, are naive UTC."""
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
    held = _standing(connection, result.table)
    connection.execute('DELETE FROM "_sophia"."state" WHERE table_name = ?', [result.table])
    # A window that ends in the future is covered only as far as the moment the read began.
    covered = min(naive_utc(load.window.end), read_from)
    since = held.known_since if held else known
    state = {
        "table_name": result.table,
        "loaded_through": max(covered, held.loaded_through) if held else covered,
        "newest": newest,
        "loaded_at": loaded_at,
        "load_id": load.id,
        "rows_total": result.rows_total,
        "known_since": since if table.keeps_versions else None,
        "known_through": known,
    }
    places = ", ".join("?" * len(state))
    connection.execute(f'INSERT INTO "_sophia"."state" ({", ".join(state)}) VALUES ({places})', list(state.values()))


def recorded(connection: Connection, load_id: str) -> list[LoadResult] | None:
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


def length(connection: Connection) -> int:
    """The least number that the ledger's next row can have; rows are numbered in the order they were written."""
    row = connection.execute('SELECT coalesce(max(rowid) + 1, 0) FROM "_sophia"."loads"').fetchone()
    return int(row[0]) if row else 0


def overtaken_by(connection: Connection, table: Table, *, read_from: datetime, ledger_rows: int) -> list[str]:
    """The loads of the table that were stored since the ledger had `ledger_rows`, but began to read later.

    Both are asked for, so that a clock that was set back between two loads does not turn their order round.
    """
    found = connection.execute(
        'SELECT load_id FROM "_sophia"."loads" WHERE rowid >= ? AND table_name = ? AND read_from > ?',
        [ledger_rows, table.qualified_name, read_from],
    ).fetchall()
    return [load_id for (load_id,) in found]


def is_silence_doubted(connection: Connection, table: Table) -> bool:
    """Whether a complete read of nothing should leave the rows alone: so many in a row are believed."""
    before = connection.execute(
        'SELECT rows_read = 0 AND unswept <> \'\' FROM "_sophia"."loads" WHERE table_name = ? '
        "ORDER BY rowid DESC LIMIT ?",
        [table.qualified_name, EMPTY_READS_BELIEVED - 1],
    ).fetchall()
    return len(before) < EMPTY_READS_BELIEVED - 1 or not all(doubted for (doubted,) in before)


def note_new_fields(
    connection: Connection, table: Table, fields: Mapping[str, int], load_id: str, at: datetime
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


def record_missing(connection: Connection, missing: Iterable[MissingColumn], at: datetime) -> None:
    """Remembers for the checks that columns have vanished; `at` is naive UTC."""
    for item in missing:
        place = [item.table.qualified_name, item.column]
        connection.execute('DELETE FROM "_sophia"."missing_columns" WHERE table_name = ? AND column_name = ?', place)
        connection.execute(
            'INSERT INTO "_sophia"."missing_columns" (table_name, column_name, rows_read, rows_held, found_at) '
            "VALUES (?, ?, ?, ?, ?)",
            [*place, item.rows_read, item.rows_held, at],
        )


def forget_missing(connection: Connection, table: Table, *, besides: Iterable[str], accepted: Collection[str]) -> None:
    """Forgets the table's missing columns that have come back, which `besides` have not, or that are accepted."""
    still = [column for column in besides if f"{table.qualified_name}.{column}" not in accepted]
    kept = f" AND column_name NOT IN ({', '.join('?' * len(still))})" if still else ""
    connection.execute(
        f'DELETE FROM "_sophia"."missing_columns" WHERE table_name = ?{kept}', [table.qualified_name, *still]
    )


def _counts(stored: str | None) -> dict[str, int]:
    counts: dict[str, int] = orjson.loads(stored) if stored else {}
    return counts
