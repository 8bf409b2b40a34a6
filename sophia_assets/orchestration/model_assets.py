"""One asset per SQL model, built together in one transaction, each with a check of its grain and columns."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from sophia_assets.orchestration.metadata import model_column_schema, rows_as_markdown
from sophia_assets.services import Services
from sophia_assets.warehouse.building import BuiltModel, build_models
from sophia_assets.warehouse.models import Model, lineage_of_models, load_models, personal_columns

CHECK_NAME = "grain_and_columns_hold"


def model_assets() -> list[dg.AssetsDefinition]:
    """The assets of every model under `sql/`."""
    models = load_models()

    @dg.multi_asset(
        name="sql_models",
        specs=[_spec(model) for model in models.values()],
        check_specs=[
            dg.AssetCheckSpec(
                CHECK_NAME,
                asset=[model.schema, model.name],
                description=f"Rows are unique by {', '.join(model.grain)}; the columns are those that are declared.",
            )
            for model in models.values()
        ],
        can_subset=True,
    )
    def build(context: dg.AssetExecutionContext, services: dg.ResourceParam[Services]) -> Iterator[Any]:
        wanted = {".".join(key.path) for key in context.selected_asset_keys}
        chosen = [model for name, model in models.items() if name in wanted]
        every = build_models(services.warehouse, chosen, {"timezone": services.settings.timezone})
        with services.warehouse.session():
            described = [(built, _metadata(built, services)) for built in every]
        for built, metadata in described:
            context.log.info(f"{built.model.qualified_name}: {built.rows:,} rows in {built.seconds:.2f} s")
            yield dg.MaterializeResult(
                asset_key=[built.model.schema, built.model.name], metadata=metadata, check_results=[_check(built)]
            )

    return [build]


def _spec(model: Model) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=[model.schema, model.name],
        deps=[dg.AssetKey(name.split(".")) for name in model.dependencies],
        description=model.description,
        group_name=model.schema,
        owners=[model.owner],
        kinds={"sql", "duckdb"},
        tags={"layer": model.schema},
        metadata={
            "dagster/table_name": model.qualified_name,
            "dagster/column_schema": model_column_schema(model),
            "grain": ", ".join(model.grain),
            "query": dg.MetadataValue.md(f"```sql\n{model.select}\n```"),
        },
    )


def _metadata(built: BuiltModel, services: Services) -> dict[str, Any]:
    model = built.model
    lineage = {
        column: [dg.TableColumnDep(dg.AssetKey(table.split(".")), origin) for table, origin in origins]
        for column, origins in lineage_of_models()[model.qualified_name].items()
    }
    personal = personal_columns()
    shown = [name for name in built.types if (model.qualified_name, name) not in personal]
    select = f"SELECT {', '.join(shown)} FROM {model.qualified_name}"
    return {
        "dagster/row_count": built.rows,
        "dagster/column_schema": model_column_schema(model, built.types),
        "dagster/column_lineage": dg.TableColumnLineage(lineage),
        "seconds": round(built.seconds, 3),
        "preview": dg.MetadataValue.md(rows_as_markdown(services.warehouse, select, shown)),
    }


def _check(built: BuiltModel) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=[built.model.schema, built.model.name],
        check_name=CHECK_NAME,
        passed=not built.repeated_keys and not built.column_differences,
        metadata={
            "rows": built.rows,
            "keys that occur more than once": built.repeated_keys,
            "columns that differ from the declaration": ", ".join(built.column_differences) or "none",
            "what to do on failure": f"Correct sql/{built.model.schema}/{built.model.name}.sql or its header",
        },
    )
