"""The facts of a day, as a bounded frame that `dagster_pandas` describes and guards."""

import json
import warnings
from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd
from dagster_pandas import PandasColumn, create_dagster_pandas_dataframe_type

from sophia_assets.metrics.catalog import load_catalog
from sophia_assets.metrics.catalog.entries import UNITS
from sophia_assets.orchestration.partitions import last_day_of
from sophia_assets.orchestration.withheld import without_content
from sophia_assets.services import Services
from sophia_assets.warehouse.models import load_models

if TYPE_CHECKING:
    from sophia_assets.metrics.facts import FactSet

_DIRECTIONS = {"up", "down", "flat"}


def _facts_frame_type() -> dg.DagsterType:
    with warnings.catch_warnings():
        # The typed frames are marked beta; the version is pinned, so the warning tells nothing new.
        warnings.simplefilter("ignore", dg.BetaWarning)
        frame_type: dg.DagsterType = create_dagster_pandas_dataframe_type(
            name="FactsFrame",
            description="One row a fact: a metric's value for a period and, where it is broken down, one entity.",
            columns=[
                PandasColumn.string_column("id", unique=True, non_nullable=True),
                PandasColumn.string_column("metric", non_nullable=True),
                PandasColumn.string_column("period", non_nullable=True),
                PandasColumn.float_column("value", non_nullable=True),
                PandasColumn.categorical_column("unit", categories=set(UNITS), non_nullable=True),
                PandasColumn.string_column("display", non_nullable=True),
                PandasColumn.float_column("previous", ignore_missing_vals=True),
                PandasColumn.float_column("delta", ignore_missing_vals=True),
                PandasColumn.categorical_column("direction", categories=_DIRECTIONS, ignore_missing_vals=True),
                PandasColumn.string_column("query_hash", non_nullable=True),
                PandasColumn.string_column("fact", non_nullable=True),
            ],
        )
        return frame_type


FactsFrame = _facts_frame_type()


def fact_assets(partitions: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """The asset `insight/facts`."""
    tables = load_catalog().tables()

    @dg.asset(
        key=["insight", "facts"],
        deps=[dg.AssetKey(table.split(".")) for table in tables],
        partitions_def=partitions,
        dagster_type=FactsFrame,
        io_manager_key="facts_io_manager",
        group_name="insight",
        owners=["team:data-platform"],
        kinds={"python", "pandas"},
        tags={"layer": "insight"},
        description=(
            "Every value that the day's briefing may show: the metrics of the catalog for their periods, trends and "
            "breakdowns, each with what it is compared to, its sources and the hash of its query."
        ),
    )
    def facts(context: dg.AssetExecutionContext, services: dg.ResourceParam[Services]) -> pd.DataFrame:
        from sophia_assets.metrics.facts_frame import facts_to_frame

        day = last_day_of(context)
        found = services.compute_facts(day)
        frame = facts_to_frame(found)
        context.log.info(f"{len(frame):,} facts of {frame['metric'].nunique()} metrics for {day}")
        metadata = {
            "dagster/row_count": len(frame),
            "metrics": int(frame["metric"].nunique()),
            "systems served in part": ", ".join(f"{name} {part} %" for name, part in found.shares.items()) or "none",
            "metrics without data": ", ".join(_without_data(found)) or "none",
            "headline figures": dg.MetadataValue.md(_headlines(frame)),
        }
        instead = "`sophia metrics show NAME` shows a figure."
        context.add_output_metadata(without_content(services.vault, metadata, "headline figures", instead=instead))
        return frame

    assert set(tables) <= set(load_models()), "the catalog reads a model that does not exist"
    return [facts]


def _without_data(facts: "FactSet") -> list[str]:
    present = {fact.metric for fact in facts}
    return [name for name in load_catalog().metrics if name not in present]


def _headlines(frame: pd.DataFrame) -> str:
    whole = frame[frame["dimension"].isna() & ~frame["period"].str.contains(".", regex=False)]
    lines = ["| metric | period | value | before |", "|---|---|---|---|"]
    for row in whole.to_dict(orient="records"):
        fact = json.loads(row["fact"])
        lines.append(f"| {fact['label']} | {row['period']} | {row['display']} | {fact['previous_display'] or ''} |")
    return "\n".join(lines)
