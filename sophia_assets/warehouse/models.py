"""SQL models: one SELECT per file under `sql/`, in Snowflake's dialect, with its documentation on top.

A model file opens with `/*--- ... ---*/` holding YAML: `description`, `owner`, `grain` (the columns
that make a row unique) and `columns` (name: description, in the order of the SELECT). `:timezone`
stands for the business time zone. `named_by`, where given, lists the tables that only lend names to
the rows: without them the figures are the same; `optional` those without which only the columns that are
computed from them are empty, and the others hold. `expectations`, where given, lists the rules that the
rows must meet (see `model_rules`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sophia_assets.errors import ConfigurationError
from sophia_assets.home import write_atomically
from sophia_assets.settings import PROJECT_ROOT
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import HISTORY_SCHEMA, Expectation
from sophia_assets.warehouse.model_rules import parse_expectations

if TYPE_CHECKING:
    from sqlglot import Expr

SQL_FOLDER = PROJECT_ROOT / "sql"
MODEL_SCHEMAS = ("staging", "marts")
# What the loader writes down about loads; models may read it, but it is no table of anybody's data.
LEDGER_SCHEMA = "_sophia"
_HEADER = re.compile(r"\A\s*/\*---\n(?P<yaml>.*?)\n---\*/", re.S)
_REFERENCE = re.compile(r"\b(?:FROM|JOIN)\s+(\w+\.\w+)", re.I)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.S)
_HEADER_KEYS = {"description", "owner", "grain", "columns"}
_OPTIONAL_KEYS = {"expectations", "named_by", "optional"}
_LOADED_COLUMNS = ("_extra", "_row_hash", "_loaded_at", "_deleted_at", "_load_id", "_known_from")
_SHAPES = (
    ("description", str, "a text"),
    ("owner", str, "a text such as team:revenue"),
    ("grain", list, "a list of columns, such as [deal_id]"),
    ("columns", dict, "a mapping of each column to its description"),
    ("named_by", list, "a list of tables"),
    ("optional", list, "a list of tables"),
)


@dataclass(frozen=True)
class Model:
    """One model: asset key and table are both `<schema>.<name>`."""

    schema: str
    name: str
    description: str
    owner: str
    grain: tuple[str, ...]
    columns: Mapping[str, str]
    select: str
    path: Path
    named_by: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    expectations: tuple[Expectation, ...] = ()

    @property
    def qualified_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def spared(self) -> frozenset[str]:
        """The tables without which its figures still hold: those that only name rows, and optional ones."""
        return frozenset((*self.named_by, *self.optional))

    @cached_property
    def expression(self) -> Expr:
        """The parsed SELECT. Raises ConfigurationError where it is not one, or where a table has no schema."""
        import sqlglot
        from sqlglot import exp

        try:
            parsed = sqlglot.parse_one(self.select, read="snowflake")
        except sqlglot.errors.SqlglotError as error:
            raise ConfigurationError(f"{shown(self.path)} is not valid SQL: {str(error).splitlines()[0]}") from None
        if not isinstance(parsed, exp.Query):
            raise ConfigurationError(f"{shown(self.path)} must hold exactly one SELECT")
        named_here = {expression.alias for expression in parsed.find_all(exp.CTE)}
        for table in parsed.find_all(exp.Table):
            if not isinstance(table.this, exp.Identifier) or table.name in named_here:
                continue
            if not table.db:
                raise ConfigurationError(f"{shown(self.path)} reads {table.name} without saying of which schema")
            if table.db != LEDGER_SCHEMA and raw_name(f"{table.db}.{table.name}") not in self.dependencies:
                raise ConfigurationError(
                    f"{shown(self.path)} reads {table.db}.{table.name} in a way that is not recognised",
                    remedy=f"Write FROM {table.db}.{table.name} or JOIN {table.db}.{table.name}",
                )
        return parsed

    @cached_property
    def dependencies(self) -> tuple[str, ...]:
        """The tables it reads, as `schema.name`, sorted; without the loader's own. A table's history is the table.

        Found without a parser, whose import alone would slow every load of the definitions;
        `expression` refuses a SELECT that the parser understands otherwise.
        """
        named = {raw_name(name.lower()) for name in _REFERENCE.findall(_COMMENT.sub(" ", self.select))}
        return tuple(sorted(name for name in named if not name.startswith(f"{LEDGER_SCHEMA}.")))

    def sql(self, dialect: str, parameters: Mapping[str, str], conditions: Mapping[str, str] | None = None) -> str:
        """The SELECT in `dialect` (`duckdb`, `snowflake`), with `:name` replaced by string literals.

        Of the tables that `conditions` names, it reads the rows alone that meet the condition (Snowflake's dialect).
        Raises ConfigurationError for a name that is not in `parameters`.
        """
        key = (dialect, *sorted(parameters.items()), *sorted((conditions or {}).items()))
        if key not in self._written:
            self._written[key] = self._write(dialect, parameters, conditions or {})
        return self._written[key]

    @cached_property
    def _written(self) -> dict[tuple[object, ...], str]:
        """What was written before: writing takes tens of milliseconds."""
        return {}

    def _write(self, dialect: str, parameters: Mapping[str, str], conditions: Mapping[str, str]) -> str:
        from sqlglot import exp

        def fill(node: Expr) -> Expr:
            if not isinstance(node, exp.Placeholder):
                return node
            if node.name not in parameters:
                raise ConfigurationError(
                    f"{shown(self.path)} uses :{node.name}, which no one fills in",
                    remedy=f"Use one of {', '.join(f':{name}' for name in parameters)}",
                )
            return exp.Literal.string(parameters[node.name])

        select: Expr = self.expression.transform(fill)
        if conditions:
            _restrict(select, conditions)
        if dialect == "duckdb":
            select = select.transform(_flatten_as_json_each)
        return str(select.sql(dialect=dialect))


def _restrict(select: Expr, conditions: Mapping[str, str]) -> None:
    """Puts, for each table that `conditions` names, those of its rows that meet the condition."""
    import sqlglot
    from sqlglot import exp

    for table in list(select.find_all(exp.Table)):
        condition = conditions.get(f"{table.db}.{table.name}".lower())
        if condition is not None:
            alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name))
            rows = exp.select("*").from_(exp.table_(table.name, db=table.db))
            rows = rows.where(sqlglot.parse_one(condition, read="snowflake"))
            table.replace(exp.Subquery(this=rows, alias=alias, joins=table.args.get("joins")))


def _flatten_as_json_each(node: Expr) -> Expr:
    """Snowflake's `LATERAL FLATTEN(input => object) AS f`, for `f.key` and `f.value`, as DuckDB has it."""
    from sqlglot import exp

    if not isinstance(node, exp.Lateral) or not isinstance(node.this, exp.Explode):
        return node
    argument = node.this.this
    flattened = argument.expression if isinstance(argument, exp.Kwarg) else argument
    each = exp.Anonymous(this="json_each", expressions=[flattened])
    return exp.Lateral(this=each, alias=exp.TableAlias(this=exp.to_identifier(node.alias)))


def load_models(folder: Path = SQL_FOLDER) -> dict[str, Model]:
    """All models by qualified name, in an order in which each comes after what it reads.

    Raises ConfigurationError naming the file for a bad header, an unknown table or a cycle.
    """
    return dict(_load_models(folder))


@lru_cache(maxsize=8)
def _load_models(folder: Path) -> tuple[tuple[str, Model], ...]:
    models = {}
    for schema in MODEL_SCHEMAS:
        for path in sorted((folder / schema).glob("*.sql")):
            model = parse_model(path)
            models[model.qualified_name] = model
    return tuple((name, models[name]) for name in _in_order(models))


def parse_model(path: Path) -> Model:
    """Reads one model file; its folder is the schema. Raises ConfigurationError naming file and key."""
    import yaml

    text = path.read_text(encoding="utf-8")
    match = _HEADER.match(text)
    if not match:
        raise ConfigurationError(f"{shown(path)} does not open with a /*--- ... ---*/ header")
    try:
        header: Any = yaml.safe_load(match["yaml"])
    except yaml.YAMLError as error:
        raise ConfigurationError(f"the header of {shown(path)} is not YAML: {error}") from None
    if not isinstance(header, dict) or not _HEADER_KEYS <= set(header) <= _HEADER_KEYS | _OPTIONAL_KEYS:
        raise ConfigurationError(
            f"the header of {shown(path)} must have exactly: {', '.join(sorted(_HEADER_KEYS))}",
            remedy=f"It may have {', '.join(sorted(_OPTIONAL_KEYS))} besides",
        )
    for key, kind, words in _SHAPES:
        if not isinstance(header.get(key, kind()), kind) or not header.get(key, True):
            raise ConfigurationError(f"{key} in the header of {shown(path)} must be {words}")
    missing = [column for column in header["grain"] if column not in header["columns"]]
    if missing:
        raise ConfigurationError(f"the grain of {shown(path)} names {missing[0]}, which is not among its columns")
    return Model(
        schema=path.parent.name,
        name=path.stem,
        description=" ".join(str(header["description"]).split()),
        owner=header["owner"],
        grain=tuple(header["grain"]),
        columns={str(name): " ".join(str(text).split()) for name, text in header["columns"].items()},
        select=text[match.end() :].strip(),
        path=path,
        named_by=tuple(header.get("named_by", ())),
        optional=tuple(header.get("optional", ())),
        expectations=parse_expectations(header.get("expectations", []), header["columns"], shown(path)),
    )


def required_tables(name: str, models: Mapping[str, Model]) -> frozenset[str]:
    """The raw tables without which a model's figures mean nothing, directly or through other models."""
    if name not in models:
        return frozenset({name})
    model = models[name]
    needed = [dependency for dependency in model.dependencies if dependency not in model.spared]
    return frozenset().union(*(required_tables(dependency, models) for dependency in needed))


def systems_read(models: Mapping[str, Model]) -> dict[str, frozenset[str]]:
    """The systems of which any row goes into each model, directly or through other models, be it for a name alone.

    `models` come in an order in which each follows what it reads.
    """
    found: dict[str, frozenset[str]] = {}
    for name, model in models.items():
        above = (found.get(dependency, {dependency.split(".")[0]}) for dependency in model.dependencies)
        found[name] = frozenset().union(*above)
    return found


def column_lineage(model: Model, columns_of: Mapping[str, Iterable[str]]) -> dict[str, list[tuple[str, str]]]:
    """For each column of the model, the (table, column) pairs one step up that it is computed from.

    `columns_of` gives the columns of each table that the model reads, by `schema.name`. A column that
    the header declares and the SELECT does not have comes from nowhere.
    """
    from sqlglot import exp
    from sqlglot.lineage import lineage
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope

    from sophia_assets.warehouse.schema import LEDGER

    schema: dict[str, Any] = {LEDGER_SCHEMA: LEDGER}
    for name in model.dependencies:
        database, table = name.split(".")
        schema.setdefault(database, {})[table] = dict.fromkeys(columns_of[name], "VARCHAR")
    for history, name in _histories().items():
        if name in model.dependencies:
            columns = [*columns_of[name], "_known_to"]
            schema.setdefault(HISTORY_SCHEMA, {})[history.split(".")[1]] = dict.fromkeys(columns, "VARCHAR")
    select = model.expression.copy()
    qualified = qualify(select, schema=schema, dialect="snowflake", identify=False, quote_identifiers=False)
    scope = build_scope(qualified)
    assert isinstance(qualified, exp.Query)
    found: dict[str, list[tuple[str, str]]] = {column: [] for column in model.columns}
    # Without trimming, which only makes nodes nicer to print and takes most of the time.
    roots = lineage(None, qualified, dialect="snowflake", scope=scope, copy=False, trim_selects=False)
    for column, root in roots.items():
        if column.lower() not in found:
            continue
        pairs: dict[tuple[str, str], None] = {}
        for node in root.walk():
            if isinstance(node.expression, exp.Table) and node.expression.db.lower() not in ("", LEDGER_SCHEMA):
                table_name = raw_name(f"{node.expression.db}.{node.expression.name}".lower())
                pairs[(table_name, node.name.split(".")[-1].strip('"').lower())] = None
        found[column.lower()] = list(pairs)
    return found


def raw_name(name: str) -> str:
    """The raw table that `name` is the history of; any other name as it is."""
    return _histories().get(name, name)


@cache
def _histories() -> Mapping[str, str]:
    return {table.history_name: table.qualified_name for table in registry.tables() if table.keeps_versions}


@cache
def lineage_of_models(kept_in: Path | None = None) -> dict[str, dict[str, list[tuple[str, str]]]]:
    """The column lineage of every model under `sql/`, by qualified name, in the order of `load_models`.

    It takes seconds to find. `kept_in` is a folder in which other processes find it again while nothing has changed
    that it follows from.
    """
    from importlib.metadata import version

    models = load_models()
    columns_of: dict[str, Sequence[str]] = {name: tuple(model.columns) for name, model in models.items()}
    columns_of |= {table.qualified_name: (*table.column_names, *_LOADED_COLUMNS) for table in registry.tables()}
    if kept_in is None:
        return {name: column_lineage(model, columns_of) for name, model in models.items()}
    ground = (version("sqlglot"), Path(__file__).read_bytes(), columns_of, [model.select for model in models.values()])
    file = kept_in / f"lineage-{blake2b(repr(ground).encode(), digest_size=16).hexdigest()}.json"
    if not file.exists():
        found = lineage_of_models()
        for older in kept_in.glob("lineage-*.json"):
            older.unlink(missing_ok=True)
        write_atomically(file, json.dumps(found))
        return found
    kept = json.loads(file.read_text(encoding="utf-8"))
    return {
        name: {column: [(table, origin) for table, origin in origins] for column, origins in columns.items()}
        for name, columns in kept.items()
    }


@cache
def personal_columns(kept_in: Path | None = None) -> frozenset[tuple[str, str]]:
    """The (table, column) pairs that hold data about a person: as declared, and what models compute from them.

    For `kept_in` see `lineage_of_models`.
    """
    found = {
        (table.qualified_name, column.name)
        for table in registry.tables()
        for column in table.columns
        if column.personal
    }
    for name, lineage in lineage_of_models(kept_in).items():
        found |= {(name, column) for column, origins in lineage.items() if not found.isdisjoint(origins)}
    return frozenset(found)


def _in_order(models: Mapping[str, Model]) -> Iterable[str]:
    from graphlib import CycleError, TopologicalSorter

    raw = {table.qualified_name for table in registry.tables()}
    graph = {}
    for name, model in models.items():
        for dependency in model.dependencies:
            if dependency not in models and dependency not in raw:
                what = "model" if dependency.split(".")[0] in MODEL_SCHEMAS else "raw table"
                raise ConfigurationError(f"{shown(model.path)} reads {dependency}, and there is no such {what}")
        graph[name] = [dependency for dependency in model.dependencies if dependency in models]
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise ConfigurationError(f"the models read each other in a circle: {' -> '.join(error.args[1])}") from None


def shown(path: Path) -> str:
    """A model file as people know it: `sql/<schema>/<name>.sql`."""
    return f"{path.parent.parent.name}/{path.parent.name}/{path.name}"
