"""What the columns of models hold, derived from the raw tables' declared types through the models' SELECTs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sophia_assets.sources import registry
from sophia_assets.warehouse.coercion import SQL_TYPES
from sophia_assets.warehouse.models import Model

if TYPE_CHECKING:
    from sqlglot import Expr

_LOADER_COLUMNS = {
    "_extra": "VARCHAR",
    "_row_hash": "VARCHAR",
    "_loaded_at": "TIMESTAMP",
    "_deleted_at": "TIMESTAMP",
    "_known_from": "TIMESTAMP",
    "_load_id": "VARCHAR",
}


def column_types(models: Mapping[str, Model]) -> dict[str, dict[str, str]]:
    """Per model, each declared column with date, timestamp, boolean, number, text, or empty where it cannot be told.

    `models` must come in the order of `load_models`. A model that cannot be analysed has columns without types.
    """
    from sqlglot import exp
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer.annotate_types import annotate_types
    from sqlglot.optimizer.qualify import qualify

    schema: dict[str, Any] = {}
    for table in registry.tables():
        held = {column.name: SQL_TYPES[column.type] for column in table.columns}
        database, name = table.qualified_name.split(".")
        schema.setdefault(database, {})[name] = held | _LOADER_COLUMNS
        if table.keeps_versions:
            known = held | {"_known_from": "TIMESTAMP", "_known_to": "TIMESTAMP"}
            schema.setdefault("history", {})[table.history_name.split(".")[1]] = known
    found: dict[str, dict[str, str]] = {}
    for qualified_name, model in models.items():
        types: dict[str, Any] = {}
        try:
            select = qualify(
                model.expression.copy(), schema=schema, dialect="snowflake", identify=False, quote_identifiers=False
            )
            annotated = annotate_types(select, schema=schema)
            assert isinstance(annotated, exp.Query)
            types = {node.alias_or_name.lower(): node.type for node in annotated.selects}
        except SqlglotError:
            types = {}
        found[qualified_name] = {column: _kind(types.get(column)) for column in model.columns}
        schema.setdefault(model.schema, {})[model.name] = {
            column: types[column].sql("snowflake") if _kind(types.get(column)) else "VARIANT"
            for column in model.columns
        }
    return found


def _kind(data_type: Expr | None) -> str:
    from sqlglot import exp

    if not isinstance(data_type, exp.DataType):
        return ""
    if data_type.is_type("date"):
        return "date"
    if data_type.is_type("boolean"):
        return "boolean"
    if data_type.this in exp.DataType.TEMPORAL_TYPES:
        return "timestamp"
    if data_type.this in exp.DataType.TEXT_TYPES:
        return "text"
    return "number" if data_type.this in exp.DataType.NUMERIC_TYPES else ""
