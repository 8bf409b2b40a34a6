"""Rows that were set aside, on Snowflake: the rules of `quarantine`, inside a transaction that the caller opened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import orjson

from sophia_assets.warehouse.coercion import coerce_column
from sophia_assets.warehouse.quarantine import ROWS_KEPT
from sophia_assets.warehouse.snowflake_schema import columns_of
from sophia_assets.warehouse.snowflake_session import Session
from sophia_assets.warehouse.snowflake_staging import Uploaded

_TABLE = '"_sophia"."quarantine"'
_KEYS_AT_ONCE = 200


def update_quarantine(session: Session, uploaded: Uploaded, *, load_id: str, at: datetime, swept: bool) -> None:
    """Releases the rows whose key came good, was deleted or, where all rows came, did not come; adds the new ones.

    `at` is naive UTC. Of each table about `ROWS_KEPT` rows are kept: all of the load that fills it up.
    """
    staged = uploaded.staged
    if staged.rows_read == 0 and not staged.has_content:
        return
    name = staged.table.qualified_name
    held = session.execute(f"SELECT key FROM {_TABLE} WHERE table_name = ?", [name]).fetchall()
    if held:
        # Rows whose key could not be read are this load's or nobody's.
        clause = "" if swept else " AND key IS NULL"
        session.execute(f"DELETE FROM {_TABLE} WHERE table_name = ?{clause}", [name])
        if not swept:
            _release(session, uploaded, [key for (key,) in held if key is not None])
    if staged.misfits:
        _add(session, uploaded, load_id, at)


def _release(session: Session, uploaded: Uploaded, keys: Sequence[str]) -> None:
    """Deletes those of the keys that came or that are gone."""
    table = uploaded.table
    good = [name for name in (uploaded.rows, uploaded.gone) if name]
    if not keys or not good:
        return
    stored = columns_of(table)
    kinds = {column.name: column.type for column in table.columns}
    names = list(table.primary_key)
    parts = zip(*(orjson.loads(key) for key in keys), strict=True)
    columns = [coerce_column(part, kinds[name])[0] for part, name in zip(parts, names, strict=True)]
    selected = ", ".join(f'CAST(? AS {stored[name]}) AS "{name}"' for name in names)
    same = " AND ".join(f'came."{name}" = held."{name}"' for name in names)
    came = " OR ".join(f"EXISTS (SELECT 1 FROM {place} AS came WHERE {same})" for place in good)
    held = list(zip(*columns, keys, strict=True))
    for start in range(0, len(held), _KEYS_AT_ONCE):
        some = held[start : start + _KEYS_AT_ONCE]
        rows = " UNION ALL ".join([f"SELECT {selected}, CAST(? AS VARCHAR) AS _key"] * len(some))
        session.execute(
            f"DELETE FROM {_TABLE} WHERE table_name = ? AND key IN (SELECT _key FROM ({rows}) AS held WHERE {came})",
            [table.qualified_name, *(value for row in some for value in row)],
        )


def _add(session: Session, uploaded: Uploaded, load_id: str, at: datetime) -> None:
    """The last bad version of each key, unless a good one came after it or the key is gone."""
    name, table = uploaded.table.qualified_name, uploaded.table
    same = " AND ".join(f'came."{key}" = bad."{key}"' for key in table.primary_key)
    better = []
    if uploaded.gone:
        better.append(f"EXISTS (SELECT 1 FROM {uploaded.gone} AS came WHERE {same})")
    if uploaded.rows:
        better.append(f"EXISTS (SELECT 1 FROM {uploaded.rows} AS came WHERE {same} AND came._sequence > bad._sequence)")
    where = "".join(f" AND NOT {one}" for one in better)
    columns = "_key, _column, _reason, _row, _sequence"
    session.execute(
        f"INSERT INTO {uploaded.standing} ({columns}) SELECT {columns} FROM {uploaded.set_aside} AS bad "
        f"WHERE TRUE{where} "
        # A row whose key could not be read stands for itself.
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY COALESCE(_key, CAST(_sequence AS VARCHAR)) "
        f"ORDER BY _sequence DESC) = 1 ORDER BY _sequence DESC LIMIT {ROWS_KEPT}"
    )
    session.execute(
        f"DELETE FROM {_TABLE} WHERE table_name = ? AND key IN (SELECT _key FROM {uploaded.standing})", [name]
    )
    session.execute(
        f"INSERT INTO {_TABLE} (table_name, key, column_name, reason, original, load_id, set_aside_at) "
        f"SELECT ?, _key, _column, _reason, _row, ?, CAST(? AS TIMESTAMP_NTZ) FROM {uploaded.standing}",
        [name, load_id, at],
    )
    newest = f"SELECT set_aside_at FROM {_TABLE} WHERE table_name = ? ORDER BY set_aside_at DESC LIMIT {ROWS_KEPT}"
    session.execute(
        f"DELETE FROM {_TABLE} WHERE table_name = ? "
        f"AND set_aside_at < (SELECT MIN(set_aside_at) FROM ({newest}) AS kept)",
        [name, name],
    )
