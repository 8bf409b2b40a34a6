"""Short constructors for the columns and expectations of `tables.py` files, so that they read like a list.

Belongs here: one-line shorthands over `declarations`. Does not belong here: anything about one system.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sophia_assets.sources.declarations import Column, ColumnType, Expectation

Severity = Literal["error", "warn"]

# Kinds of rules that are measured in the warehouse before they are validated.
EXISTS = "column_to_exist"
REFERS_TO = "column_values_to_refer_to"
MOVED_WITHIN = "newest_value_to_be_recent"


def string(name: str, description: str, *, personal: bool = False) -> Column:
    """A text column; ids are text too, since some exceed 2^53."""
    return Column(name, ColumnType.STRING, description, personal)


def integer(name: str, description: str) -> Column:
    """A 64-bit whole number."""
    return Column(name, ColumnType.INTEGER, description)


def decimal(name: str, description: str) -> Column:
    """An exact amount, DECIMAL(18, 4)."""
    return Column(name, ColumnType.DECIMAL, description)


def floating(name: str, description: str) -> Column:
    """A double."""
    return Column(name, ColumnType.FLOAT, description)


def boolean(name: str, description: str) -> Column:
    """True or false."""
    return Column(name, ColumnType.BOOLEAN, description)


def timestamp(name: str, description: str) -> Column:
    """A point in time, stored as naive UTC."""
    return Column(name, ColumnType.TIMESTAMP, description)


def day(name: str, description: str) -> Column:
    """A calendar date without a time."""
    return Column(name, ColumnType.DATE, description)


def json_column(name: str, description: str, *, personal: bool = False) -> Column:
    """A list or an object, stored as JSON text."""
    return Column(name, ColumnType.JSON, description, personal)


def key_rules(*columns: str) -> tuple[Expectation, ...]:
    """Every part of the primary key is present, and no key occurs twice."""
    unique = (
        Expectation("column_values_to_be_unique", {"column": columns[0]}, recovery=_DUPLICATE_RECOVERY)
        if len(columns) == 1
        else Expectation("compound_columns_to_be_unique", {"column_list": list(columns)}, recovery=_DUPLICATE_RECOVERY)
    )
    return (*(not_null(column) for column in columns), unique)


def not_null(
    column: str, *, severity: Severity = "error", mostly: float | None = None, recovery: str | None = None
) -> Expectation:
    """The column has a value in every row, or in the share `mostly` of them."""
    arguments: dict[str, object] = {"column": column}
    if mostly is not None:
        arguments["mostly"] = mostly
    return Expectation(
        "column_values_to_not_be_null",
        arguments,
        severity,
        recovery or f"Find the rows without {column} in the source system and fill them in, then load the day again.",
    )


def between(
    column: str,
    low: float | None,
    high: float | None,
    *,
    severity: Severity = "error",
    strict_low: bool = False,
    recovery: str | None = None,
) -> Expectation:
    """Values lie in [low, high]; `strict_low` makes it (low, high]. None leaves a side open; nulls pass."""
    arguments: dict[str, object] = {"column": column}
    if low is not None:
        arguments["min_value"] = low
    if high is not None:
        arguments["max_value"] = high
    if strict_low:
        arguments["strict_min"] = True
    return Expectation(
        "column_values_to_be_between",
        arguments,
        severity,
        recovery or f"Correct the rows whose {column} is out of range in the source system, then load the day again.",
    )


def one_of(
    column: str, values: Sequence[object], *, severity: Severity = "error", recovery: str | None = None
) -> Expectation:
    """Values are among `values`; nulls pass."""
    return Expectation(
        "column_values_to_be_in_set",
        {"column": column, "value_set": list(values)},
        severity,
        recovery or f"See which new {column} the source system uses; correct it there, or add it to the table's rules.",
    )


def required_column(column: str) -> Expectation:
    """The system sends the column: of the table's rows, if it has any, at least one has a value there."""
    return Expectation(EXISTS, {"column": column}, recovery=f"Restore {column} in the source table or its view.")


def numeric(column: str) -> Expectation:
    """Values are numbers."""
    return Expectation(
        "column_values_to_be_in_type_list",
        {"column": column, "type_list": ["int64", "float64"]},
        recovery=f"Make {column} a number in the source table or its view, and declare it as one.",
    )


def refers_to(
    column: str,
    table: str,
    parent_column: str | None = None,
    *,
    severity: Severity = "warn",
    mostly: float | None = None,
    recovery: str | None = None,
) -> Expectation:
    """Each value is a key in `parent_column` (by default the same name) of a live row of `table` (`system.name`).

    Nulls pass, and so does everything while `table` holds no rows: then nothing can be told.
    """
    arguments: dict[str, object] = {"column": column, "table": table, "parent_column": parent_column or column}
    if mostly is not None:
        arguments["mostly"] = mostly
    return Expectation(
        REFERS_TO,
        arguments,
        severity,
        recovery or f"See whether {table} is read whole, and whether what {column} refers to was deleted.",
    )


def moved_within(column: str, days: int, *, recovery: str) -> Expectation:
    """The column's newest day is at most so many days older than the time up to which the table was read."""
    return Expectation(MOVED_WITHIN, {"column": column, "days": days}, "warn", recovery)


_DUPLICATE_RECOVERY = "The loader merges by key, so a duplicate is a defect: load the table again from its start."
