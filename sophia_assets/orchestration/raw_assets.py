"""One asset per raw table; the tables that come from the same requests are read by one step."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import dagster as dg

from sophia_assets.errors import SophiaError
from sophia_assets.orchestration.history import report_covered_days
from sophia_assets.orchestration.metadata import column_schema, preview
from sophia_assets.orchestration.partitions import days_before, span_of
from sophia_assets.services import Services
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Table
from sophia_assets.warehouse.interface import LoadResult

# A backfill reads this many days a run, so that one bad day costs at most that much.
DAYS_PER_BACKFILL_RUN = 31


def raw_assets(partitions: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """The assets of every registered system."""
    return [
        _group_assets(system, group, tables, partitions)
        for system in registry.SYSTEMS
        for group, tables in registry.groups(system).items()
    ]


def _group_assets(
    system: str, group: str, tables: Sequence[Table], partitions: dg.DailyPartitionsDefinition
) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=f"{system}_{group}",
        specs=[_spec(table, partitions) for table in tables],
        backfill_policy=dg.BackfillPolicy.multi_run(DAYS_PER_BACKFILL_RUN),
        pool=f"{system}_api",
        op_tags={"sophia/system": system},
    )
    def load_group(
        context: dg.AssetExecutionContext, services: dg.ResourceParam[Services]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        span = span_of(context)
        context.log.info(f"Reading {registry.display_name(system)} {group} up to {span.end:%Y-%m-%d %H:%M} UTC")
        try:
            results = services.ingest(system, group, span, context.run_id)
        except SophiaError as error:
            raise dg.Failure(
                description=str(error),
                metadata={
                    "what to do": error.remedy or "See the run's log",
                    "data": "unchanged: the last good rows serve",
                },
                allow_retries=False,
            ) from error
        if results[0].window.start is None:
            covered = days_before(context)
            report_covered_days(context.instance, [dg.AssetKey(result.table.split(".")) for result in results], covered)
        for result in results:
            context.log.info(_sentence(result))
            yield dg.MaterializeResult(
                asset_key=result.table.split("."),
                metadata=_metadata(result, registry.table(result.table), services),
            )

    return load_group


def _spec(table: Table, partitions: dg.DailyPartitionsDefinition) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=[table.system, table.name],
        description=table.description,
        group_name=table.system,
        owners=[table.owner],
        kinds={table.system if table.system in _KNOWN_KINDS else "api", "duckdb"},
        tags={"layer": "raw", "system": table.system},
        partitions_def=partitions,
        freshness_policy=dg.FreshnessPolicy.time_window(
            fail_window=table.freshness.fail, warn_window=table.freshness.warn
        ),
        metadata={
            "dagster/table_name": table.qualified_name,
            "dagster/column_schema": column_schema(table),
            "primary key": ", ".join(table.primary_key),
            "cursor": table.cursor or "none: read whole every time",
        },
    )


_KNOWN_KINDS = {"hubspot", "snowflake", "gong", "slack", "linear", "pinecone", "redis"}


def _sentence(result: LoadResult) -> str:
    return (
        f"{result.table}: {result.rows_read:,} rows read with {result.requests:,} requests in {result.seconds:.1f} s; "
        f"{result.inserted:,} new, {result.updated:,} changed, {result.deleted:,} deleted, "
        f"{result.unchanged:,} as they were; {result.rows_total:,} in all"
    )


def _metadata(result: LoadResult, table: Table, services: Services) -> dict[str, Any]:
    window = result.window
    found: dict[str, Any] = {
        "dagster/row_count": result.rows_total,
        "rows read": result.rows_read,
        "rows new": result.inserted,
        "rows changed": result.updated,
        "rows deleted": result.deleted,
        "rows as they were": result.unchanged,
        "requests": result.requests,
        "seconds": round(result.seconds, 2),
        "window": f"{_moment(window.start) if window.start else 'the beginning'} to {_moment(window.end)}",
        "preview": dg.MetadataValue.md(preview(services.warehouse, table)),
    }
    if result.newest:
        found["newest event"] = dg.MetadataValue.timestamp(result.newest)
    if result.rejected:
        found["rows without a key, left out"] = result.rejected
    if result.coercion_failures:
        found["values that did not fit their type"] = dict(result.coercion_failures)
    return found


def _moment(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M} UTC"
