"""One asset per SQL model, built together in one transaction, each with checks of its grain, columns and rules."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from sophia_assets.errors import SophiaError
from sophia_assets.ingestion.points import points_of_state
from sophia_assets.observability.freshness import Reading
from sophia_assets.observability.problems import MODELS
from sophia_assets.orchestration.checks import description_of, result_of
from sophia_assets.orchestration.code_references import reference_to_file
from sophia_assets.orchestration.holding import held_back_result, serving_after_checks
from sophia_assets.orchestration.metadata import model_column_schema, rows_as_markdown
from sophia_assets.orchestration.withheld import without_content
from sophia_assets.quality.models import GRAIN, inspect_models
from sophia_assets.quality.serving import record_of_builds
from sophia_assets.services import Services
from sophia_assets.warehouse.building import BuiltModel, build_models
from sophia_assets.warehouse.models import Model, lineage_of_models, load_models, personal_columns


def model_assets(deadline: dg.FreshnessPolicy, engine: str) -> list[dg.AssetsDefinition]:
    """The assets of every model under `sql/`; `deadline` says by when they are rebuilt, `engine` where they lie."""
    models = load_models()

    @dg.multi_asset(
        name="sql_models",
        specs=[_spec(model, deadline, engine) for model in models.values()],
        check_specs=[spec for model in models.values() for spec in _check_specs(model)],
        can_subset=True,
    )
    def build(context: dg.AssetExecutionContext, services: dg.ResourceParam[Services]) -> Iterator[Any]:
        wanted = {".".join(key.path) for key in context.selected_asset_keys}
        chosen = [model for name, model in models.items() if name in wanted]
        serving = serving_after_checks(context, services, models, chosen)
        to_build = [model for model in chosen if model.qualified_name not in serving.models]
        try:
            every = build_models(
                services.warehouse,
                chosen,
                {"timezone": services.settings.timezone},
                held_back=serving.models,
                record=record_of_builds(to_build, models, serving.shares),
                conditions=serving.shares.conditions(),
            )
        except SophiaError as error:
            services.attempts.failed(MODELS, MODELS, str(error), datetime.now(UTC), kind="model")
            raise
        services.attempts.succeeded(MODELS, MODELS)
        with services.warehouse.session():
            ages = {reading.policy.name: reading for reading in services.health().freshness()}
            described = {built.model.qualified_name: (built, _metadata(built, services, ages)) for built in every}
            services.recorder.record(*points_of_state(services.warehouse))
        outcomes = inspect_models(services.warehouse, lambda: services.quality, every)
        # In the models' own order, on which Dagster insists.
        for model in chosen:
            if model.qualified_name in serving.models:
                yield held_back_result(context, serving, model)
                continue
            built, metadata = described[model.qualified_name]
            context.log.info(f"{model.qualified_name}: {built.rows:,} rows in {built.seconds:.2f} s")
            key, found = [model.schema, model.name], outcomes[model.qualified_name]
            services.quality_failures.record(model.qualified_name, "", found)
            yield dg.MaterializeResult(
                asset_key=key, metadata=metadata, check_results=[result_of(outcome, key) for outcome in found]
            )

    return [build]


def _check_specs(model: Model) -> Iterator[dg.AssetCheckSpec]:
    key = dg.AssetKey([model.schema, model.name])
    grain = f"Rows are unique by {', '.join(model.grain)}; the columns are those that are declared."
    yield dg.AssetCheckSpec(GRAIN, asset=key, description=grain)
    for rule in model.expectations:
        yield dg.AssetCheckSpec(rule.name, asset=key, description=description_of(rule))


def _spec(model: Model, deadline: dg.FreshnessPolicy, engine: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=[model.schema, model.name],
        deps=[dg.AssetKey(name.split(".")) for name in model.dependencies],
        description=model.description,
        group_name=model.schema,
        owners=[model.owner],
        kinds={"sql", engine},
        tags={"layer": model.schema},
        freshness_policy=deadline,
        metadata={
            "dagster/table_name": model.qualified_name,
            "dagster/column_schema": model_column_schema(model),
            "grain": ", ".join(model.grain),
            "query": dg.MetadataValue.md(f"```sql\n{model.select}\n```"),
            **reference_to_file(model.path),
        },
    )


def _metadata(built: BuiltModel, services: Services, ages: Mapping[str, Reading]) -> dict[str, Any]:
    model = built.model
    lineage = {
        column: [dg.TableColumnDep(dg.AssetKey(table.split(".")), origin) for table, origin in origins]
        for column, origins in lineage_of_models(services.home.cache)[model.qualified_name].items()
    }
    personal = personal_columns(services.home.cache)
    shown = [name for name in built.types if (model.qualified_name, name) not in personal]
    select = f"SELECT {', '.join(shown)} FROM {model.qualified_name}"
    metadata = {
        "dagster/row_count": built.rows,
        "dagster/column_schema": model_column_schema(model, built.types),
        "dagster/column_lineage": dg.TableColumnLineage(lineage),
        "seconds": round(built.seconds, 3),
        "preview": dg.MetadataValue.md(rows_as_markdown(services.warehouse, select, shown)),
        **_age(ages.get(model.qualified_name)),
    }
    return without_content(services.vault, metadata, "preview", instead="The reader shows the rows behind a figure.")


def _age(reading: Reading | None) -> dict[str, Any]:
    """How old the data is that a model was built from, which its materialization does not tell."""
    if reading is None or reading.reaches is None:
        return {}
    found: dict[str, Any] = {"data up to": dg.MetadataValue.timestamp(reading.reaches), "oldest source": reading.oldest}
    if reading.newest_event:
        found["newest event"] = dg.MetadataValue.timestamp(reading.newest_event)
    return found
