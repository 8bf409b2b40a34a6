"""The briefing: one partition per day, shown in the UI as readers see it, with its evidence."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd

from sophia_assets.orchestration.partitions import last_day_of
from sophia_assets.services import Services

if TYPE_CHECKING:
    from sophia_assets.insight.briefing import Briefing

_SUPPORTED = "every_sentence_is_supported"
_DISCLOSED = "sources_are_disclosed"
_READABLE = "length_is_readable"


def briefing_assets(
    partitions: dg.DailyPartitionsDefinition, deadline: dg.FreshnessPolicy
) -> list[dg.AssetsDefinition]:
    """The asset `insight/executive_briefing`; `deadline` says by when it has to be written."""

    @dg.asset(
        key=["insight", "executive_briefing"],
        ins={"facts": dg.AssetIn(["insight", "facts"])},
        partitions_def=partitions,
        freshness_policy=deadline,
        group_name="insight",
        owners=["team:data-platform"],
        kinds={"python", "html"},
        tags={"layer": "insight"},
        description=(
            "The day's executive briefing. Every figure, name and direction in it is bound to a fact and checked by "
            "code before it is published; systems that could not be read are named in it."
        ),
        check_specs=[
            dg.AssetCheckSpec(
                _SUPPORTED,
                asset=["insight", "executive_briefing"],
                description="Read again from scratch, no figure, name or direction is without a fact that supports it.",
            ),
            dg.AssetCheckSpec(
                _DISCLOSED,
                asset=["insight", "executive_briefing"],
                description="Every system that is off, stale or failed is named in the briefing.",
            ),
            dg.AssetCheckSpec(
                _READABLE,
                asset=["insight", "executive_briefing"],
                description="The bottom line has at most 40 words, the body at most 350.",
            ),
        ],
    )
    def executive_briefing(
        context: dg.AssetExecutionContext, services: dg.ResourceParam[Services], facts: pd.DataFrame
    ) -> Iterator[Any]:
        from sophia_assets.insight.rendering.markdown import render_markdown
        from sophia_assets.metrics.facts_frame import facts_from_frame

        found = facts_from_frame(facts)
        briefing, files = services.publisher.write(last_day_of(context), found)
        context.log.info(f"The briefing of {briefing.request.date} is at {files.html}")
        yield dg.MaterializeResult(
            metadata={
                "briefing": dg.MetadataValue.md(render_markdown(briefing)),
                "file": dg.MetadataValue.path(str(files.html)),
                "evidence file": dg.MetadataValue.path(str(files.json)),
                "evidence": dg.MetadataValue.md(_evidence(briefing)),
                "sources": dg.MetadataValue.md(_sources(briefing)),
                "writer": briefing.writer,
                "sentences": len(briefing.sentences()),
                "facts cited": len(briefing.cited_facts()),
                "sentences refused": len(briefing.verification.rejected),
                "confidence": f"{briefing.confidence.level}: {briefing.confidence.reason}",
            },
            check_results=list(_checks(briefing, found)),
        )

    return [executive_briefing]


def _evidence(briefing: "Briefing") -> str:
    lines = ["| fact | value | before | data as of (UTC) | sources | query |", "|---|---|---|---|---|---|"]
    for fact in briefing.cited_facts():
        as_of = f"{fact.as_of:%Y-%m-%d %H:%M}" if fact.as_of else ""
        lines.append(
            f"| {fact.id} | {fact.display} | {fact.previous_display or ''} | {as_of} | "
            f"{', '.join(fact.sources)} | {fact.query_hash} |"
        )
    return "\n".join(lines)


def _sources(briefing: "Briefing") -> str:
    lines = ["| system | state | newest data | last loaded (UTC) | rows | note |", "|---|---|---|---|---|---|"]
    for status in briefing.request.statuses:
        loaded = f"{status.last_loaded_at:%Y-%m-%d %H:%M}" if status.last_loaded_at else ""
        note = "; ".join(filter(None, [status.not_asked, status.message])).replace("|", "/")
        newest = status.newest_data or ""
        lines.append(f"| {status.display_name} | {status.state} | {newest} | {loaded} | {status.rows:,} | {note} |")
    return "\n".join(lines)


def _checks(briefing: "Briefing", facts: Any) -> Iterator[dg.AssetCheckResult]:
    from sophia_assets.insight.briefing import verify_briefing
    from sophia_assets.insight.gaps import excluded_sources
    from sophia_assets.insight.serialization import briefing_as_json
    from sophia_assets.insight.writing import MAX_BODY_WORDS, MAX_BOTTOM_LINE_WORDS

    findings = verify_briefing(briefing, facts)
    yield dg.AssetCheckResult(
        check_name=_SUPPORTED,
        passed=not findings,
        metadata={
            "expected": "no finding",
            "observed": f"{len(findings)} findings in {len(briefing.sentences())} sentences",
            "findings": "; ".join(finding.message for finding in findings) or "none",
        },
    )
    missing = excluded_sources(briefing.request)
    named = {item["system"] for item in briefing_as_json(briefing)["excluded_sources"]}
    yield dg.AssetCheckResult(
        check_name=_DISCLOSED,
        passed=all(status.system in named for status in missing),
        metadata={"left out or not current": ", ".join(status.display_name for status in missing) or "none"},
    )
    bottom = len(briefing.bottom_line_text.split())
    # Sentences that tell of missing data come on top: saying so must never make a briefing fail.
    told = sum(len(sentence.text.split()) for sentence in briefing.sentences() if sentence.template)
    body = max(0, told - bottom)
    yield dg.AssetCheckResult(
        check_name=_READABLE,
        passed=bottom <= MAX_BOTTOM_LINE_WORDS and bottom + body <= MAX_BODY_WORDS,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"words in the bottom line": bottom, "words in the body": body},
    )
