"""Builds SQL models: all of them or none, so that no reader ever meets marts of two different runs."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sophia_assets.errors import SophiaError
from sophia_assets.warehouse.interface import Warehouse
from sophia_assets.warehouse.models import Model, shown


@dataclass(frozen=True)
class BuiltModel:
    """What a build gave. `seconds` is the model's share of the one transaction."""

    model: Model
    rows: int
    types: Mapping[str, str]
    repeated_keys: int
    column_differences: tuple[str, ...]
    seconds: float


def build_models(
    warehouse: Warehouse,
    models: Sequence[Model],
    parameters: Mapping[str, str],
    *,
    held_back: Collection[str] = (),
    record: Iterable[str] = (),
    conditions: Mapping[str, str] | None = None,
) -> list[BuiltModel]:
    """Replaces the tables of `models`, which must come in an order in which each follows what it reads.

    Those named in `held_back` are left as they are, or made without rows where there is no such table yet, so that
    what takes names from them can be built; they are not in the answer. `record` holds statements of the same
    transaction. `conditions` say which rows of raw tables are served, where not all are (see `Model.sql`).
    Raises SophiaError naming the model that could not be built, or WarehouseBusy; every table is then as it was.
    """
    marks: list[float] = []
    # All are translated first, so that a SELECT that is wrong is told before the warehouse is locked.
    selects = {model.qualified_name: model.sql(warehouse.dialect, parameters, conditions) for model in models}
    try:
        warehouse.replace_tables(selects, lambda _: marks.append(time.monotonic()), kept=held_back, record=record)
        marks.append(time.monotonic())
    except SophiaError:
        raise
    except Exception as error:
        where = shown(models[len(marks) - 1].path) if 0 < len(marks) <= len(models) else "the schemas or the record"
        raise SophiaError(f"{where} could not be built: {str(error).splitlines()[0]}") from error
    with warehouse.session():
        return [
            _inspect(warehouse, model, ended - began)
            for model, began, ended in zip(models, marks[:-1], marks[1:], strict=True)
            if model.qualified_name not in held_back
        ]


def _inspect(warehouse: Warehouse, model: Model, seconds: float) -> BuiltModel:
    schema = warehouse.query(f"SELECT * FROM {model.qualified_name} LIMIT 0").schema
    found, declared = [name.lower() for name in schema.names], list(model.columns)
    # A column of the grain that was not built is told among the differences.
    grain = ", ".join(column for column in model.grain if column in found) or "NULL"
    counts = warehouse.query(
        f"SELECT COUNT(*) AS rows_built, (SELECT COUNT(*) FROM (SELECT {grain} FROM {model.qualified_name} "
        f"GROUP BY {grain} HAVING COUNT(*) > 1) AS repeated) AS repeated_keys FROM {model.qualified_name}"
    ).to_pylist()[0]
    return BuiltModel(
        model=model,
        rows=counts["rows_built"],
        types={field.name.lower(): str(field.type) for field in schema},
        repeated_keys=counts["repeated_keys"],
        column_differences=tuple(sorted(set(found) ^ set(declared))),
        seconds=seconds,
    )
