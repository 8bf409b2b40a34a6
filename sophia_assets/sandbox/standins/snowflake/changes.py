"""What can happen to a company's tables behind the reader's back: columns and rows come, change and go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.company_data import SnowflakeTable
from sophia_assets.sandbox.standins.faults import Fault

_WATERMARK = "UPDATED_AT"
_DOUBLED_SHARE = 0.2


def changed(tables: Sequence[SnowflakeTable], fault: Fault) -> list[SnowflakeTable]:
    """The tables after a fault that happens once. Raises ConfigurationError for a column that is not there."""
    first, *others = tables
    match fault.kind:
        case "drop_column":
            return [_without(first, _place(first, fault)), *others]
        case "new_column":
            columns = {**first.columns, "REGION": "VARCHAR"}
            return [replace(first, columns=columns, rows=[(*row, "north") for row in first.rows]), *others]
        case "retype_column":
            return [_as_text(first, _place(first, fault)), *others]
        case "hard_delete":
            count = int(fault.argument)
            return [replace(table, rows=list(table.rows)[: max(len(table.rows) - count, 0)]) for table in tables]
        case _:
            raise NotImplementedError(fault.text)


def untidy(table: SnowflakeTable, seed: float) -> SnowflakeTable:
    """The same rows in a random order, some of them with an older version too: Snowflake enforces no key."""
    chance = Random(f"{seed:g} {table.name}")
    rows = [*table.rows, *_older_versions(table, chance)]
    chance.shuffle(rows)
    return replace(table, rows=rows)


def _older_versions(table: SnowflakeTable, chance: Random) -> Iterator[tuple[Any, ...]]:
    names = list(table.columns)
    touched = names.index(_WATERMARK) if _WATERMARK in names else None
    for row in table.rows:
        if chance.random() >= _DOUBLED_SHARE:
            continue
        if touched is None or row[touched] is None:
            yield row
            continue
        # The key is the first column; what else the older version held is not known any more.
        older = [value if place == 0 else None for place, value in enumerate(row)]
        older[touched] = row[touched] - timedelta(hours=1)
        yield tuple(older)


def _place(table: SnowflakeTable, fault: Fault) -> int:
    place = int(fault.argument) - 1
    if not 0 <= place < len(table.columns):
        raise ConfigurationError(
            f"{table.name} has no column number {fault.argument:g}", remedy=f"Use 1 to {len(table.columns)}."
        )
    return place


def _without(table: SnowflakeTable, place: int) -> SnowflakeTable:
    names = [name for number, name in enumerate(table.columns) if number != place]
    rows = [tuple(value for number, value in enumerate(row) if number != place) for row in table.rows]
    return replace(table, columns={name: table.columns[name] for name in names}, rows=rows)


def _as_text(table: SnowflakeTable, place: int) -> SnowflakeTable:
    columns = dict(table.columns)
    columns[list(columns)[place]] = "VARCHAR"
    rows = []
    for number, row in enumerate(table.rows):
        text = "n/a" if number == 0 else None if row[place] is None else str(row[place])
        rows.append((*row[:place], text, *row[place + 1 :]))
    return replace(table, columns=columns, rows=rows)
