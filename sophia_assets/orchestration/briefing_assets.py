"""The briefings: the daily one and the weekly review, made alike, shown in the UI as readers see them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd

from sophia_assets.insight.kinds import DAILY, WEEKLY, BriefingKind
from sophia_assets.orchestration.briefing_checks import briefing_check_specs
from sophia_assets.orchestration.partitions import last_day_of
from sophia_assets.orchestration.withheld import without_content
from sophia_assets.services import Services

if TYPE_CHECKING:
    from sophia_assets.metrics.facts import FactSet

_FACTS = dg.AssetKey(["insight", "facts"])
_DESCRIPTIONS = {
    DAILY.key: (
        "The day's briefing, in an edition for each role of what it may see. Every figure, name and direction in it is "
        "bound to a fact and checked by code before it is published; systems that could not be read are named in it."
    ),
    WEEKLY.key: (
        "The business review of a week that ended on Sunday: what happened in its seven days against the seven before, "
        "and how things stood at its end. Made, checked and told like the daily briefing, in the same editions."
    ),
}


def briefing_assets(
    days: dg.DailyPartitionsDefinition,
    weeks: dg.WeeklyPartitionsDefinition,
    daily_deadline: dg.FreshnessPolicy,
    weekly_deadline: dg.FreshnessPolicy,
) -> list[dg.AssetsDefinition]:
    """The assets `insight/daily_briefing` and `insight/weekly_business_review`; deadlines say by when they are due."""

    def daily_briefing(
        context: dg.AssetExecutionContext, services: dg.ResourceParam[Services], facts: pd.DataFrame
    ) -> Iterator[Any]:
        from sophia_assets.metrics.facts_frame import facts_from_frame

        yield _published(context, services, DAILY, facts_from_frame(facts))

    def weekly_business_review(
        context: dg.AssetExecutionContext, services: dg.ResourceParam[Services]
    ) -> Iterator[Any]:
        yield _published(context, services, WEEKLY, services.compute_facts(last_day_of(context)))

    every_day = dg.AssetDep(_FACTS, partition_mapping=dg.TimeWindowPartitionMapping())
    return [
        dg.asset(ins={"facts": dg.AssetIn(_FACTS)}, **_declared(DAILY, days, daily_deadline))(daily_briefing),
        # The facts of a week's last day are computed where they are told, so that any past week can be launched alone.
        dg.asset(deps=[every_day], **_declared(WEEKLY, weeks, weekly_deadline))(weekly_business_review),
    ]


def _declared(kind: BriefingKind, partitions: dg.PartitionsDefinition, deadline: dg.FreshnessPolicy) -> dict[str, Any]:
    """What both briefings have alike."""
    key = ["insight", kind.key]
    return {
        "partitions_def": partitions,
        "freshness_policy": deadline,
        "key": key,
        "group_name": "insight",
        "owners": ["team:data-platform"],
        "kinds": {"python", "html"},
        "tags": {"layer": "insight", "briefing": kind.key},
        "description": _DESCRIPTIONS[kind.key],
        "check_specs": briefing_check_specs(key),
    }


def _published(
    context: dg.AssetExecutionContext, services: Services, kind: BriefingKind, facts: "FactSet"
) -> dg.MaterializeResult[Any]:
    """Has the editions written, and shows them."""
    from sophia_assets.orchestration.briefing_checks import check_results
    from sophia_assets.orchestration.briefing_metadata import CONTENT, metadata_of

    editions = services.publisher.write(last_day_of(context), facts, kind)
    for edition in editions:
        context.log.info(f"{edition.role}: {edition.briefing.request.key} is at {edition.files.html}")
    metadata = without_content(
        services.vault, metadata_of(editions), *CONTENT, instead="`sophia briefing show` prints the briefing."
    )
    return dg.MaterializeResult(
        metadata=metadata,
        check_results=list(check_results(editions, facts, services.publisher.archive, services.vault)),
    )
