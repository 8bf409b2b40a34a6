"""The delivery of a briefing: one partition per briefing, after it is written, behind flags."""

from typing import Any

import dagster as dg

from sophia_assets.insight.kinds import BriefingKind
from sophia_assets.orchestration.metadata import markdown_table
from sophia_assets.orchestration.partitions import last_day_of
from sophia_assets.services import Services

DELIVERY_GROUP = "delivery"


def delivered_key(kind: BriefingKind) -> dg.AssetKey:
    """The asset that says where a kind's briefing was delivered."""
    return dg.AssetKey([DELIVERY_GROUP, kind.key])


def delivery_asset(kind: BriefingKind, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """The asset `delivery/<kind>`: what was sent where. What goes wrong is told, and fails nothing."""

    @dg.asset(
        key=delivered_key(kind),
        deps=[dg.AssetKey(["insight", kind.key])],
        partitions_def=partitions,
        group_name=DELIVERY_GROUP,
        owners=["team:data-platform"],
        kinds={"python"},
        tags={"layer": "delivery", "briefing": kind.key},
        description=(
            "Takes every edition of the briefing to its readers, in Slack and by e-mail, where the flags "
            "`deliver_to_slack` and `deliver_by_email` are on; each version goes to each place once. A delivery that "
            "fails is told here, and the briefing stands."
        ),
    )
    def delivered(context: dg.AssetExecutionContext, services: dg.ResourceParam[Services]) -> dg.MaterializeResult[Any]:
        from sophia_assets.delivery.courier import Courier

        courier, day = Courier(services), last_day_of(context)
        reason = courier.why_not_by_itself(day, kind)
        if reason:
            context.log.info(reason)
            return dg.MaterializeResult(metadata={"sent": 0, "failed": 0, "outcomes": reason})
        outcomes = courier.deliver(day, kind)
        for outcome in outcomes:
            (context.log.error if outcome.is_problem else context.log.info)(outcome.line)
        counts: dict[str, Any] = {
            "sent": sum(outcome.status in ("sent", "updated") for outcome in outcomes),
            "failed": sum(outcome.is_problem for outcome in outcomes),
        }
        rows = [[outcome.channel, outcome.role, outcome.status, outcome.line] for outcome in outcomes]
        table = markdown_table(["channel", "edition", "outcome", "told"], rows)
        return dg.MaterializeResult(metadata={**counts, "outcomes": dg.MetadataValue.md(table)})

    return delivered
