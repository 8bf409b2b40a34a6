"""The frames that rules are validated on: only the columns and the rows that they are about, read in one SELECT.

A frame is bounded, and shows as little of people as it can: where a rule asks only whether there is a value, the
frame says whether there is one, and not which.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from sophia_assets.sources.columns import REFERS_TO
from sophia_assets.sources.declarations import Expectation
from sophia_assets.warehouse.interface import Warehouse

if TYPE_CHECKING:
    import pyarrow as pa

# The newest rows are looked at; older ones were when they were new.
ROWS_LOOKED_AT = 100_000
_ONLY_PRESENCE = "column_values_to_not_be_null"


def known_name(column: str) -> str:
    """The frame's column that says whether a reference leads to a row."""
    return f"{column}__is_known"


def read_frame(
    warehouse: Warehouse,
    table: str,
    expectations: Sequence[Expectation],
    *,
    numbers: Collection[str] = (),
    live_only: bool = True,
    newest_first: str | None = None,
) -> pa.Table:
    """At most `ROWS_LOOKED_AT` rows of `table` (`schema.name`) in the columns that `expectations` are about.

    `numbers` names exact columns, which come as doubles; `live_only` leaves tombstones out; `newest_first` is the
    column whose largest values are looked at where there are too many rows.
    """
    select, joins = _selected(expectations, set(numbers))
    where = " WHERE checked._deleted_at IS NULL" if live_only else ""
    order = f" ORDER BY checked.{newest_first} DESC NULLS LAST" if newest_first else ""
    return warehouse.query(
        f"SELECT {', '.join(select) or '1 AS one'} FROM {table} AS checked{joins}{where}{order} LIMIT {ROWS_LOOKED_AT}"
    )


def _selected(expectations: Sequence[Expectation], numbers: Collection[str]) -> tuple[list[str], str]:
    references = [item for item in expectations if item.kind == REFERS_TO]
    kinds: dict[str, set[str]] = {}
    for item in expectations:
        for column in columns_of(item) if item.kind != REFERS_TO else ():
            kinds.setdefault(column, set()).add(item.kind)
    select = [_value(column, found, column in numbers) for column, found in kinds.items()]
    joins = []
    for number, item in enumerate(references):
        column, parent = item.arguments["column"], item.arguments["parent_column"]
        joins.append(
            f" LEFT JOIN (SELECT DISTINCT {parent} AS known_key FROM {item.arguments['table']} "
            f"WHERE _deleted_at IS NULL) AS known_{number} ON checked.{column} = known_{number}.known_key"
        )
        select.append(
            f"CASE WHEN checked.{column} IS NOT NULL THEN known_{number}.known_key IS NOT NULL END "
            f"AS {known_name(column)}"
        )
    return select, "".join(joins)


def _value(column: str, kinds: Collection[str], is_number: bool) -> str:
    if set(kinds) == {_ONLY_PRESENCE}:
        return f"CASE WHEN checked.{column} IS NOT NULL THEN 1 END AS {column}"
    return f"CAST(checked.{column} AS DOUBLE) AS {column}" if is_number else f"checked.{column} AS {column}"


def columns_of(expectation: Expectation) -> Sequence[str]:
    """The columns that a rule is about."""
    arguments: Mapping[str, object] = expectation.arguments
    if "column" in arguments:
        return [str(arguments["column"])]
    listed = arguments.get("column_list", ())
    assert isinstance(listed, Sequence)
    return [str(column) for column in listed]
