"""Free SQL for analysts: one SELECT over the models that they may see, labelled as unverified.

Belongs here: what a statement may hold, and the rewriting that leaves it no other rows and columns than the
principal's. Does not belong here: who may run one (`access.policies`), the connection (`warehouse.reading`).

Everything that is not on the lists below is refused: a statement is judged by what it is made of, not by how it begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any

from sophia_assets.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlglot import Expr
    from sqlglot.expressions import Query
    from sqlglot.optimizer.scope import Scope

MOST_CHARACTERS = 4_000
"""So many the audit trail keeps of a statement: what is run is recorded whole."""
MOST_ROWS = 1_000
_MOST_NODES = 3_000

_STRUCTURE = """
    Select From Join Where Group Having Order Ordered Limit Offset With CTE Subquery Union Intersect Except Table
    TableAlias Identifier Column Star Alias Literal Null Boolean Paren And Or Not EQ NEQ GT GTE LT LTE Is In Between
    Like ILike Add Sub Mul Div Mod Neg Case If Cast TryCast DataType DataTypeParam Window WindowSpec Distinct Tuple
    Qualify Interval Var Exists DPipe NullSafeEQ NullSafeNEQ Escape
""".split()  # noqa: SIM905 - as a list it would fill three screens
_FUNCTIONS = """
    Count Sum Avg Min Max Median Stddev StddevSamp Variance CountIf ArgMax ArgMin Round Abs Ceil Floor Sign Coalesce
    Nullif Greatest Least DateTrunc TimestampTrunc DateDiff DateAdd DateSub Extract Year Month Day Week Quarter LastDay
    CurrentDate Lower Upper Trim Substring Concat ConcatWs Length Left Right StartsWith EndsWith Contains Initcap
    Replace SplitPart RowNumber Rank DenseRank PercentRank Ntile Lag Lead FirstValue LastValue ApproxDistinct
    PercentileCont WithinGroup DayOfWeek DayOfYear TsOrDsToDate TsOrDsAdd Date ToDate
""".split()  # noqa: SIM905 - as above


class SqlRefused(ConfigurationError):
    """A statement that is not run: it is no single SELECT over what the principal may see."""


@dataclass(frozen=True)
class Checked:
    """A statement that may be run, in the engine's dialect, and the models that it reads."""

    sql: str
    tables: tuple[str, ...]


def checked(
    sql: str,
    columns: Mapping[str, tuple[str, ...]],
    conditions: Mapping[str, str | None],
    *,
    dialect: str,
    most_rows: int = MOST_ROWS,
) -> Checked:
    """The statement as it may be run: at most `most_rows` rows plus one, so that the caller sees that there are more.

    `sql` is in Snowflake's dialect. `columns` holds, per model such as `marts.deals`, the columns that may be seen,
    `conditions` the condition on its rows `t`, or None for all of them. Raises SqlRefused with the reason.
    """
    from sqlglot import exp

    statement = _parsed(sql)
    _refuse_unlisted(statement)
    read = _models_read(statement)
    for name in read.values():
        _refuse_unknown(name, columns)
    _refuse_unknown_columns(statement, columns)
    for column in statement.find_all(exp.Column):
        # A model becomes a query called by its bare name.
        column.set("db", None)
    for table in list(statement.find_all(exp.Table)):
        if id(table) in read:
            name = read[id(table)]
            table.replace(_limited(table, name, columns[name], conditions.get(name)))
    limited = exp.select("*").from_(statement.subquery("answer")).limit(most_rows + 1)
    return Checked(limited.sql(dialect=dialect, comments=False), tuple(dict.fromkeys(read.values())))


def _parsed(sql: str) -> Query:
    """The one SELECT that the text holds."""
    import sqlglot
    from sqlglot import exp

    if len(sql) > MOST_CHARACTERS:
        raise SqlRefused(f"the statement has more than {MOST_CHARACTERS:,} characters", remedy="Ask for less at once")
    try:
        statements = [each for each in sqlglot.parse(sql, read="snowflake") if each is not None]
    except (sqlglot.errors.SqlglotError, RecursionError, ValueError) as error:
        why = str(error).splitlines()[0].partition(". Line")[0] if str(error) else "it cannot be read"
        raise SqlRefused(f"this is no SQL: {why[:200]}", remedy="Write one SELECT in Snowflake's dialect") from None
    if len(statements) != 1:
        raise SqlRefused(f"there are {len(statements)} statements", remedy="Write exactly one SELECT")
    query = statements[0]
    if not isinstance(query, exp.Select | exp.SetOperation | exp.Subquery):
        raise SqlRefused("it is not a SELECT", remedy="Data can only be read: write one SELECT")
    return query


@cache
def _listed() -> frozenset[type]:
    """The kinds of nodes that a statement may be made of, as far as this version of the parser has them."""
    from sqlglot import exp

    return frozenset(kind for name in (*_STRUCTURE, *_FUNCTIONS) if (kind := getattr(exp, name, None)))


def _refuse_unlisted(statement: Expr) -> None:
    from sqlglot import exp

    try:
        nodes = list(statement.walk())
    except RecursionError:
        raise SqlRefused("it is nested too deeply", remedy="Simplify it") from None
    if len(nodes) > _MOST_NODES:
        raise SqlRefused("it is too long", remedy="Ask for less at once")
    for node in nodes:
        if type(node) not in _listed():
            raise SqlRefused(f"{_called(node)} is not allowed", remedy="Use plain SELECTs and common functions")
        if isinstance(node, exp.With) and node.args.get("recursive"):
            raise SqlRefused("WITH RECURSIVE is not allowed", remedy="Write the steps out")
        if isinstance(node, exp.Table) and not isinstance(node.this, exp.Identifier):
            raise SqlRefused("a function in place of a table is not allowed", remedy="Read from the models by name")
        # What a node carries beside its children, such as hints and locks, is a node too, and none of them is listed.
    if any(node.args.get("catalog") for node in nodes):
        raise SqlRefused("a table of another database is not allowed", remedy="Write tables as marts.name")


def _called(node: Expr) -> str:
    from sqlglot import exp

    if isinstance(node, exp.Anonymous):
        return f"the function {str(node.this)[:40]}()"
    if isinstance(node, exp.Func):
        return f"the function {node.sql_name().lower()}()"
    return type(node).__name__


def _models_read(statement: Expr) -> dict[int, str]:
    """The models by the identity of each table's node; a name that WITH gives where it stands is none.

    A name counts only where it is given: one of an inner query's is unknown outside, and the engine would look for it
    among its own tables.
    """
    from sqlglot import exp
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer.scope import traverse_scope

    try:
        scopes = traverse_scope(statement)
    except (SqlglotError, RecursionError) as error:
        raise SqlRefused(f"it cannot be resolved: {str(error)[:200]}", remedy="Simplify it") from None
    given = {id(node) for scope in scopes for node, source in _sources(scope) if not isinstance(source, exp.Table)}
    return {id(table): _table_name(table) for table in statement.find_all(exp.Table) if id(table) not in given}


def _sources(scope: Scope) -> Iterator[tuple[Expr, Expr | Scope]]:
    """What a query reads: each node in its FROM and joins, with the table or the query that it means."""
    yield from scope.selected_sources.values()


def _table_name(table: Expr) -> str:
    schema = table.args.get("db")
    name = str(table.this.name).lower()
    return f"{schema.name.lower()}.{name}" if schema else name


def _refuse_unknown(name: str, columns: Mapping[str, tuple[str, ...]]) -> None:
    if name in columns:
        return
    near = get_close_matches(name, columns, 1) or get_close_matches(f"marts.{name}", columns, 1)
    remedy = f"Did you mean {near[0]}?" if near else f"Use {', '.join(columns)}" if columns else "No model may be read"
    raise SqlRefused(f"there is no model {name!r} that you may read", remedy=remedy)


def _refuse_unknown_columns(statement: Expr, columns: Mapping[str, tuple[str, ...]]) -> None:
    """Every column must be one that may be seen; that of a hidden one is said as of one that is not there."""
    import sqlglot
    from sqlglot.optimizer.qualify import qualify

    schema: dict[str, Any] = {}
    for name, seen in columns.items():
        database, table = name.split(".")
        schema.setdefault(database, {})[table] = dict.fromkeys(seen, "VARCHAR")
    try:
        qualify(statement.copy(), schema=schema, dialect="snowflake", identify=False, quote_identifiers=False)
    except (sqlglot.errors.SqlglotError, RecursionError) as error:
        why = str(error).splitlines()[0].partition(". Line")[0]
        raise SqlRefused(f"it cannot be resolved: {why[:200]}", remedy=_columns_told(statement, columns)) from None


def _columns_told(statement: Expr, columns: Mapping[str, tuple[str, ...]]) -> str:
    """Which columns the models have that the statement reads."""
    from sqlglot import exp

    read = dict.fromkeys(name for name in map(_table_name, statement.find_all(exp.Table)) if name in columns)
    return "; ".join(f"{name} has {', '.join(columns[name])}" for name in read) or "Check the names of columns"


def _limited(table: Expr, name: str, columns: tuple[str, ...], condition: str | None) -> Expr:
    """In place of a model: a query of the rows and columns that may be seen."""
    from sqlglot import exp

    database, model = name.split(".")
    alias = table.alias or model
    query = exp.select(*(exp.column(each, table="t") for each in columns)).from_(
        exp.alias_(exp.table_(model, db=database), "t", table=True)
    )
    if condition:
        query = query.where(exp.maybe_parse(condition, dialect="snowflake"))
    return query.subquery(alias)


def listed_functions() -> Iterator[str]:
    """The functions that may be used, by their names, for the help text."""
    from sqlglot import exp

    for name in _FUNCTIONS:
        kind = getattr(exp, name, None)
        if kind is not None and issubclass(kind, exp.Func):
            yield kind.sql_name().lower()
