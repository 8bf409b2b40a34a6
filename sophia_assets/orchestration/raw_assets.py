"""One asset per raw table; the tables that come from the same requests are read by one step."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from sophia_assets.errors import CircuitOpen, QuotaExhausted, SophiaError, SourceError, SystemSwitchedOff
from sophia_assets.observability.freshness import length_in_words
from sophia_assets.orchestration.backfills import LoggedProgress, chunks_of, load_run_id, merged
from sophia_assets.orchestration.code_references import reference_to_table
from sophia_assets.orchestration.history import report_covered_days
from sophia_assets.orchestration.launching import is_by_the_clock, tag_with_flags
from sophia_assets.orchestration.metadata import column_schema, preview
from sophia_assets.orchestration.partitions import days_before, days_between, days_of
from sophia_assets.orchestration.withheld import without_content
from sophia_assets.services import Services
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Table, Window
from sophia_assets.warehouse.interface import LoadResult


def raw_assets(partitions: dg.DailyPartitionsDefinition, engine: str) -> list[dg.AssetsDefinition]:
    """The assets of every registered system; `engine` says where their tables lie."""
    return [
        _group_assets(system, group, tables, partitions, engine)
        for system in registry.SYSTEMS
        for group, tables in registry.groups(system).items()
    ]


def _group_assets(
    system: str, group: str, tables: Sequence[Table], partitions: dg.DailyPartitionsDefinition, engine: str
) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=f"{system}_{group}",
        specs=[_spec(table, partitions, engine) for table in tables],
        can_subset=True,
        # A range is one run, on the command line too; it is read and stored in bounded chunks.
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=f"{system}_api",
        op_tags={"sophia/system": system},
    )
    def load_group(
        context: dg.AssetExecutionContext, services: dg.ResourceParam[Services]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        tag_with_flags(context, services)
        results = _load(context, services, system, group)
        # One look at the warehouse for the previews of all tables.
        with services.warehouse.session():
            described = [_metadata(result, registry.table(result.table), services) for result in results]
        for result, metadata in zip(results, described, strict=True):
            context.log.info(_sentence(result))
            for notice in result.notices:
                context.log.warning(f"{result.table}: {notice}")
            key = dg.AssetKey(result.table.split("."))
            if key in context.selected_asset_keys:
                yield dg.MaterializeResult(asset_key=key, metadata=metadata)
            else:
                # One read brings all tables of the group; the catalog says so also of those that nobody selected.
                report_covered_days(context.instance, [key], days_of(context), metadata)

    return load_group


def _load(context: dg.AssetExecutionContext, services: Services, system: str, group: str) -> list[LoadResult]:
    """Reads the run's days chunk by chunk; one result per table. Raises dg.Failure, after which nothing is retried.

    Where the system is not to be asked, a run that the clock has launched goes on without: there are no results.
    """
    chunks = chunks_of(context)
    context.log.info(
        f"Reading {registry.display_name(system)} {group} up to {chunks[-1].end:%Y-%m-%d %H:%M} UTC"
        + (f" in {len(chunks)} chunks" if len(chunks) > 1 else "")
    )
    run_id = load_run_id(context)
    done: list[list[LoadResult]] = []
    for number, chunk in enumerate(chunks, start=1):
        if done and done[-1][0].window.end >= chunk.end:
            break  # a first load has read everything at once
        try:
            progress = LoggedProgress(context.log.info, lambda: services.requests_made(system))
            done.append(services.ingest(system, group, chunk, run_id, progress))
        except SophiaError as error:
            if _is_refusal(error) and is_by_the_clock(context.run):
                context.log.warning(f"{error}. The step is skipped; its days are read as soon as that is possible.")
                return []
            # Without its causes, which may quote what a system answered; with the way that it came.
            raise _failure(error, number, len(chunks)).with_traceback(error.__traceback__) from None
        _report_stored(context, done[-1], chunk, is_last=number == len(chunks))
    for warning in services.limiters.warnings:
        context.log.warning(warning)
    return merged(done)


def _report_stored(
    context: dg.AssetExecutionContext, results: Sequence[LoadResult], chunk: Window, *, is_last: bool
) -> None:
    """Tells Dagster of days that are stored before the run's own events do: those of a chunk, and a whole history's."""
    tables = [dg.AssetKey(result.table.split(".")) for result in results]
    if results[0].window.start is None:
        report_covered_days(context.instance, tables, days_before(context), {"loaded": "with the whole history"})
    elif not is_last:
        days = days_between(context, chunk)
        report_covered_days(context.instance, tables, days, {"loaded": f"by run {context.run.run_id}, which went on"})
        context.log.info(f"Stored {days[0]} to {days[-1]}")


def _is_refusal(error: SophiaError) -> bool:
    """Whether the guard has said no, before the first request or between two pages."""
    if isinstance(error, SourceError) and not error.was_asked:
        return True
    return isinstance(error, CircuitOpen | SystemSwitchedOff)


def _failure(error: SophiaError, chunk: int, chunks: int) -> dg.Failure:
    metadata: dict[str, Any] = {"what to do": error.remedy or "See the run's log"}
    metadata["data"] = "unchanged: the last good rows serve"
    if chunk > 1:
        metadata["data"] = f"{chunk - 1} of {chunks} chunks are stored; re-executing the run goes on behind them"
    if isinstance(error, SourceError):
        metadata["kind"] = error.kind
    if isinstance(error, QuotaExhausted | CircuitOpen) and error.not_before:
        metadata["not before"] = dg.MetadataValue.timestamp(error.not_before)
    return dg.Failure(description=str(error), metadata=metadata, allow_retries=False)


def _spec(table: Table, partitions: dg.DailyPartitionsDefinition, engine: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=[table.system, table.name],
        description=table.description,
        group_name=table.system,
        owners=[table.owner],
        kinds={table.system if table.system in _KNOWN_KINDS else "api", engine},
        tags={"layer": "raw", "system": table.system},
        partitions_def=partitions,
        # Where the system's circuit is open, a run goes on without.
        skippable=True,
        freshness_policy=dg.FreshnessPolicy.time_window(
            fail_window=table.freshness.fail, warn_window=table.freshness.warn
        ),
        metadata={
            "dagster/table_name": table.qualified_name,
            "dagster/column_schema": column_schema(table),
            "primary key": ", ".join(table.primary_key),
            "cursor": table.cursor or "none: read whole every time",
            "freshness": _policy(table),
            **reference_to_table(table),
        },
    )


def _policy(table: Table) -> str:
    """How old the table may grow, in words: Dagster's own policy tells of loads only."""
    policy = table.freshness
    loads = f"late {length_in_words(policy.warn)} after a load, overdue after {length_in_words(policy.fail)}"
    if not policy.newest_event:
        return loads
    return f"{loads}; quiet where nothing new has happened for {length_in_words(policy.newest_event)}"


NOTHING_NEW = "the system answered with nothing new"
_KNOWN_KINDS = {"hubspot", "snowflake", "gong", "slack", "linear", "pinecone", "redis"}


def _sentence(result: LoadResult) -> str:
    if not result.rows_read and not result.deleted:
        return f"{result.table}: {NOTHING_NEW}; {result.rows_total:,} rows in all"
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
        "data up to": dg.MetadataValue.timestamp(min(window.end, datetime.now(UTC))),
        "window": f"{_moment(window.start) if window.start else 'the beginning'} to {_moment(window.end)}",
        "preview": dg.MetadataValue.md(preview(services.warehouse, table)),
    }
    if not result.rows_read:
        found["outcome"] = NOTHING_NEW
    if result.newest:
        found["newest event"] = dg.MetadataValue.timestamp(result.newest)
    if result.rejected:
        found["rows without a key, left out"] = result.rejected
    if result.quarantined:
        found["rows set aside, by the column that did not fit"] = dict(result.quarantined)
    if result.new_fields:
        found["fields not declared, kept in _extra"] = dict(result.new_fields)
    if result.unswept:
        found["deletions not taken over"] = result.unswept
    if result.notices:
        found["notices"] = list(result.notices)
    return without_content(services.vault, found, "preview", instead="The reader shows the rows behind a figure.")


def _moment(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M} UTC"
