"""Checks a catalog against the models: that tables and columns exist, and that expressions mean what they must.

Expressions are parsed, never run. What a column holds is derived from the raw tables' declared types through
the models' SELECTs; where that cannot be told, nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from sophia_assets.metrics.catalog.consistency import Finding
from sophia_assets.metrics.catalog.entries import Metric
from sophia_assets.metrics.catalog.problems import Problem, did_you_mean, in_order, quoted
from sophia_assets.metrics.catalog.reading import ReadCatalog

if TYPE_CHECKING:
    from sqlglot import Expr

ColumnTypes = Mapping[str, str]
"""Column: date, timestamp, boolean, number, text, or empty where it cannot be told."""

_PERIOD_COLUMNS = {"period_start": "date", "period_end": "date"}
_BOOLEAN_NAMES = ("is_", "has_", "was_")
_SIGN = "the aggregate of a sum, count or mean, such as sum(amount)"


def check(read: ReadCatalog, tables: Mapping[str, ColumnTypes]) -> list[Problem]:
    """Every problem of what was read: those found in the files, and those that only the models show."""
    problems = list(read.problems)
    for metric in read.catalog.metrics.values():
        if metric.kind != "ratio" and metric.table:
            problems += [
                read.problem(metric.name, field, what, remedy) for field, what, remedy in _against(metric, read, tables)
            ]
    return in_order(problems)


def _against(metric: Metric, read: ReadCatalog, tables: Mapping[str, ColumnTypes]) -> Iterator[Finding]:
    columns = tables.get(metric.table)
    if columns is None:
        marts = [name for name in tables if name.startswith("marts.")]
        yield (
            "table",
            f"there is no model {quoted(metric.table)}",
            did_you_mean(metric.table, tables, f"Use one of {', '.join(marts)}"),
        )
        return
    yield from _columns(metric, columns)
    for name in metric.dimensions:
        dimension = read.catalog.dimensions.get(name)
        for column in dict.fromkeys((dimension.column, dimension.id) if dimension else ()):
            if column not in columns:
                yield (
                    "dimensions",
                    f"{metric.table} has no {column}, which the dimension {name} needs",
                    f"Drop {name}, or add the column to the model",
                )
    if metric.expression:
        yield from _expression(metric, columns)
    if metric.where:
        yield from _where(metric, columns)


def _columns(metric: Metric, columns: ColumnTypes) -> Iterator[Finding]:
    wanted = [("time", metric.time, "date")]
    wanted += [("valid", column, "timestamp") for column in metric.valid or ()]
    wanted += [("covers", column, "date") for column in metric.covers or ()]
    for field, column, kind in wanted:
        if column is None:
            continue
        if column not in columns:
            yield field, f"{metric.table} has no column {quoted(column)}", _column_remedy(column, columns)
        elif columns[column] not in ("", kind):
            fitting = [name for name, held in columns.items() if held == kind]
            yield (
                field,
                f"{column} holds a {columns[column]}, not a {kind}",
                f"Use one of {', '.join(fitting)}" if fitting else "Use another table",
            )


def _column_remedy(column: str, columns: ColumnTypes) -> str:
    return did_you_mean(column, columns, f"It has {', '.join(columns)}")


def _parsed(text: str, field: str) -> tuple[Expr | None, list[Finding]]:
    """The text as one SQL expression, or why it is none."""
    import sqlglot
    from sqlglot import exp

    try:
        statements = sqlglot.parse(f"SELECT {text}", read="snowflake")
    except sqlglot.errors.SqlglotError as error:
        why = str(error).splitlines()[0].partition(". Line")[0].lower()
        return None, [(field, f"{quoted(text)} is no SQL: {why}", "Correct it")]
    select = statements[0] if len(statements) == 1 else None
    if not isinstance(select, exp.Select) or len(select.expressions) != 1 or set(_clauses(select)) != {"expressions"}:
        return None, [
            (field, f"{quoted(text)} is more than one expression", "Write one expression, and conditions in `where`")
        ]
    expression = select.expressions[0]
    if isinstance(expression, exp.Alias):
        return None, [(field, f"{quoted(text)} names its result", f"Write it without `as {expression.alias}`")]
    if expression.find(exp.Query):
        return None, [(field, "it holds a query of its own", "Put what it reads into the model")]
    return expression, []


def _clauses(select: Expr) -> Iterator[str]:
    return (name for name, value in select.args.items() if value and name != "kind")


def _expression(metric: Metric, columns: ColumnTypes) -> Iterator[Finding]:
    from sqlglot import exp

    expression, problems = _parsed(metric.expression, "expression")
    yield from problems
    if expression is None:
        return
    unknown = list(_unknown_names(expression, metric, columns, "expression"))
    yield from unknown
    if expression.find(exp.Window):
        yield "expression", "it holds a window function, which gives a value per row", "Use " + _SIGN
        return
    if unknown and any(what.startswith("there is no function") for _, what, _ in unknown):
        return
    if not expression.find(exp.AggFunc):
        yield "expression", f"{quoted(metric.expression)} is no aggregate", "Use " + _SIGN
        return
    for column in expression.find_all(exp.Column):
        if not column.find_ancestor(exp.AggFunc):
            yield "expression", f"{column.name.lower()} stands outside an aggregate", "Aggregate it, such as max(...)"
    for aggregate in expression.find_all(exp.Sum, exp.Avg, exp.Median):
        held = _type_of(aggregate.this, columns)
        if held in ("text", "date", "timestamp", "boolean"):
            yield (
                "expression",
                f"{aggregate.key}() of a {held}",
                "Aggregate a number, or use count_if() for a condition",
            )


def _where(metric: Metric, columns: ColumnTypes) -> Iterator[Finding]:
    from sqlglot import exp

    assert metric.where is not None
    condition, problems = _parsed(metric.where, "where")
    yield from problems
    if condition is None:
        return
    yield from _unknown_names(condition, metric, columns, "where")
    if condition.find(exp.AggFunc):
        yield "where", "it holds an aggregate, and each row is judged by itself", "Put it into `expression`"
    elif not _is_condition(condition, columns):
        yield (
            "where",
            f"{quoted(metric.where)} is neither true nor false of a row",
            "Write a comparison, such as amount > 0",
        )


def _is_condition(node: Expr, columns: ColumnTypes) -> bool:
    from sqlglot import exp

    if isinstance(node, exp.Paren | exp.Not):
        return _is_condition(node.this, columns)
    if isinstance(node, exp.And | exp.Or):
        return _is_condition(node.left, columns) and _is_condition(node.right, columns)
    if isinstance(node, exp.Column):
        name = node.name.lower()
        held = columns.get(name, "")
        return held == "boolean" or name not in columns or (not held and name.startswith(_BOOLEAN_NAMES))
    return isinstance(node, exp.Predicate | exp.Boolean)


def _unknown_names(node: Expr, metric: Metric, columns: ColumnTypes, field: str) -> Iterator[Finding]:
    from sqlglot import exp

    known = {*columns, *_PERIOD_COLUMNS}
    for name in dict.fromkeys(column.name.lower() for column in node.find_all(exp.Column)):
        if name not in known:
            yield field, f"{metric.table} has no column {quoted(name)}", _column_remedy(name, columns)
    for function in node.find_all(exp.Anonymous):
        remedy = did_you_mean(
            str(function.this).lower(), _FUNCTIONS, "Use a function of Snowflake's that both engines have"
        )
        yield field, f"there is no function {quoted(str(function.this).lower())}", remedy
    for table in dict.fromkeys(column.table.lower() for column in node.find_all(exp.Column)):
        if table not in ("", "t", "p"):
            yield field, f"it reads {quoted(table)}, and a metric reads one table", "Join it in the model"


_FUNCTIONS = (
    "sum",
    "count",
    "count_if",
    "avg",
    "median",
    "min",
    "max",
    "datediff",
    "dateadd",
    "nullif",
    "coalesce",
    "abs",
)


def _type_of(node: Expr, columns: ColumnTypes) -> str:
    from sqlglot import exp

    if isinstance(node, exp.Paren):
        return _type_of(node.this, columns)
    if isinstance(node, exp.Column):
        return {**_PERIOD_COLUMNS, **columns}.get(node.name.lower(), "")
    return ""
