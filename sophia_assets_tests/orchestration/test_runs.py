"""Runs: what reading, modelling and briefing leave behind, also where a system fails."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import dagster as dg
import pytest

from sophia_assets.insight.archive import BriefingArchive, BriefingFiles
from sophia_assets.insight.briefing import Briefing
from sophia_assets.insight.kinds import WEEKLY
from sophia_assets.quality.models import GRAIN
from sophia_assets.sources import registry
from sophia_assets.warehouse.models import load_models
from sophia_assets_tests.orchestration.platform import (
    DAY,
    Platform,
    evaluations,
    failure_text,
    materializations,
    shown,
)
from sophia_assets_tests.sandbox.small_company import Served

LOADS = 'SELECT load_id FROM "_sophia"."loads" WHERE table_name = ?'


@dataclasses.dataclass
class Day:
    """A whole day on which Gong refused the credential."""

    platform: Platform
    reads: dict[str, Any]
    briefing: Any


@pytest.fixture(scope="module")
def day(company: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    wrong = {**company.env, "GONG_ACCESS_KEY_SECRET": "wrong"}
    with Platform.on(tmp_path_factory.mktemp("day"), wrong) as platform:
        reads = {system: platform.ingest(system) for system in ("gong", "hubspot", "snowflake")}
        yield Day(platform, reads, platform.brief())


def test_a_read_says_how_many_rows_came_and_what_became_of_them(day: Day) -> None:
    assert day.reads["hubspot"].success
    (deals,) = materializations(day.reads["hubspot"])["hubspot.deals"]
    assert deals.partition == DAY
    metadata = shown(deals.metadata)
    total = day.platform.services.warehouse.row_counts()["hubspot.deals"]
    assert metadata["dagster/row_count"] == total == metadata["rows new"] - metadata["rows deleted"] > 0
    assert metadata["rows read"] >= total
    assert metadata["rows changed"] == 0
    assert metadata["rows as they were"] == metadata["rows read"] - metadata["rows new"]
    assert metadata["requests"] > 0
    assert metadata["window"] == "the beginning to 2026-02-01 00:00 UTC"
    assert "| deal_id | name |" in metadata["preview"]
    assert set(materializations(day.reads["hubspot"])) == {t.qualified_name for t in registry.tables("hubspot")}


def test_reading_the_same_day_again_changes_nothing(day: Day) -> None:
    before = day.platform.services.warehouse.row_counts()
    again = day.platform.ingest("hubspot")
    assert again.success
    for table, (materialization,) in materializations(again).items():
        metadata = shown(materialization.metadata)
        assert (metadata["rows new"], metadata["rows changed"], metadata["rows deleted"]) == (0, 0, 0), table
    assert day.platform.services.warehouse.row_counts() == before


def test_no_personal_data_is_in_any_metadata_or_log(day: Day) -> None:
    results = [*day.reads.values(), day.briefing]
    texts = [
        str(shown(event.materialization.metadata))
        for result in results
        for event in result.get_asset_materialization_events()
    ]
    texts += [str(entry) for result in results for entry in day.platform.instance.all_logs(result.run_id)]
    held = day.platform.services.warehouse
    canaries: set[str] = set()
    for table in registry.tables():
        for column in (column.name for column in table.columns if column.personal):
            found = held.query(
                f"SELECT DISTINCT {column} FROM {table.qualified_name} WHERE {column} IS NOT NULL LIMIT 5"
            )
            canaries |= set(found[column].to_pylist())
    assert any("@" in canary for canary in canaries) and len(canaries) > 10
    # A last name such as "Example" may be a part of other words; one that is a word of its own may not be there.
    leaked = {canary for canary in canaries if len(canary) > 7 and any(canary in text for text in texts)}
    assert leaked == set()


def test_a_system_that_refuses_the_credential_fails_alone_and_says_what_to_do(day: Day) -> None:
    gong = day.reads["gong"]
    assert not gong.success
    assert gong.get_asset_materialization_events() == []
    text = failure_text(gong)
    assert text.startswith("gong/") and "\n" not in text
    assert "GONG_ACCESS_KEY" in text
    assert day.reads["hubspot"].success and day.reads["snowflake"].success


def test_the_briefing_is_written_without_a_failed_system_and_names_it(day: Day) -> None:
    assert day.briefing.success
    content = json.loads((day.platform.services.home.briefings / DAY / "briefing.json").read_text())
    unread = [system for system in registry.SYSTEMS if system not in ("hubspot", "snowflake")]
    assert [item["system"] for item in content["excluded_sources"]] == unread
    (written,) = materializations(day.briefing)["insight.daily_briefing"]
    metadata = shown(written.metadata)
    assert "Gong" in metadata["briefing"]
    assert "| Gong | empty |" in metadata["sources"] or "| Gong | failed |" in metadata["sources"]
    disclosed = evaluations(day.briefing)["insight.daily_briefing.sources_are_disclosed"]
    assert disclosed.passed
    assert "Gong" in shown(disclosed.metadata)["left out or not current"]


def test_the_briefing_is_shown_with_its_evidence_and_its_sources(day: Day) -> None:
    (written,) = materializations(day.briefing)["insight.daily_briefing"]
    assert written.partition == DAY
    folder = day.platform.services.home.briefings / DAY
    metadata = shown(written.metadata)
    assert isinstance(written.metadata["briefing"], dg.MarkdownMetadataValue)
    assert metadata["briefing"] == (folder / "briefing.md").read_text(encoding="utf-8")
    content = json.loads((folder / "briefing.json").read_text(encoding="utf-8"))
    cited = {fact for section in content["sections"] for item in section["sentences"] for fact in item["fact_ids"]}
    evidence = metadata["evidence"].splitlines()
    assert evidence[0] == "| fact | value | before | data as of (UTC) | sources | query |"
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in evidence[2:]}
    assert cited and cited <= set(rows)
    for fact in content["facts"]:
        if fact["id"] in rows:
            assert f"| {fact['display']} |" in rows[fact["id"]] and fact["query_hash"] in rows[fact["id"]]
    sources = metadata["sources"].splitlines()
    assert len(sources) == 2 + len(registry.SYSTEMS)
    assert any(line.startswith("| HubSpot | fresh |") for line in sources)
    assert metadata["facts cited"] == len(rows)
    assert metadata["writer"]
    assert metadata["file"] == str(folder / "briefing.html")


def test_the_briefings_checks_show_what_they_looked_at(day: Day) -> None:
    found = evaluations(day.briefing)
    supported = found["insight.daily_briefing.every_sentence_is_supported"]
    assert supported.passed
    assert shown(supported.metadata)["observed"].startswith("0 findings in ")
    readable = shown(found["insight.daily_briefing.length_is_readable"].metadata)
    assert 0 < readable["words in the bottom line"] <= 40


def test_each_role_gets_an_edition_that_is_shown_with_what_its_writing_took(day: Day) -> None:
    (written,) = materializations(day.briefing)["insight.daily_briefing"]
    metadata = shown(written.metadata)
    folder = day.platform.services.home.briefings / DAY
    for role in ("executive", "sales_leader", "engineering_leader"):
        place = folder if role == "executive" else folder / role
        assert str(place / "briefing.html") in metadata["editions"] and f"| {role} |" in metadata["editions"]
        assert {path.name for path in place.iterdir() if path.is_file()} == {
            "briefing.html",
            "briefing.md",
            "briefing.json",
            "manifest.json",
        }
    assert (metadata["tokens in"], metadata["tokens out"], metadata["cost in US dollars"]) == (0, 0, 0.0)
    assert (metadata["model"], metadata["fallback"]) == ("none", "none")
    assert "| system | Gong |" in metadata["left out"]
    assert metadata["since the last briefing"] == "This is the reader's first briefing."
    assert metadata["principles"].count("| passed |") >= 4


def test_every_check_of_the_briefings_says_what_it_expected_and_observed(day: Day) -> None:
    found = evaluations(day.briefing)
    ours = {name: item for name, item in found.items() if name.startswith("insight.daily_briefing.")}
    assert len(ours) == 6
    for name, item in ours.items():
        metadata = shown(item.metadata)
        assert metadata["expected"] and " of 3 editions" in metadata["observed"], name
        assert item.passed, (name, metadata["findings"])


def test_a_past_week_is_reviewed_alone_as_of_its_sunday(day: Day) -> None:
    result = day.platform.review("2026-01-19")
    assert result.success
    (written,) = materializations(result)["insight.weekly_business_review"]
    assert written.partition == "2026-01-19"
    metadata = shown(written.metadata)
    assert metadata["covers"] == "Week of 19 to 25 January 2026"
    files = day.platform.services.publisher.archive.files(date(2026, 1, 25), WEEKLY)
    assert metadata["file"] == str(files.html)
    content = json.loads(files.json.read_text(encoding="utf-8"))
    assert (content["kind"], content["date"]) == ("weekly_business_review", "2026-01-25")
    assert {fact["period"]["end"] for fact in content["facts"]} <= {
        str(date(2026, 1, 25) - timedelta(days=back)) for back in range(500)
    }
    assert all(item.passed for item in evaluations(result).values())
    assert len(evaluations(result)) == 6


def test_a_briefing_whose_files_are_changed_does_not_stand(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    original = BriefingArchive.write

    def forging(archive: BriefingArchive, briefing: Briefing) -> BriefingFiles:
        files = original(archive, briefing)
        files.markdown.write_text(files.markdown.read_text().replace("a", "e"))
        return files

    monkeypatch.setattr(BriefingArchive, "write", forging)
    item = evaluations(day.platform.review("2026-01-12"))["insight.weekly_business_review.stored_evidence_stands"]
    assert not item.passed
    assert "executive: briefing.md: it is not as it was written" in shown(item.metadata)["findings"]


def test_every_model_is_shown_with_its_rows_lineage_and_a_passed_check(day: Day) -> None:
    made, found = materializations(day.briefing), evaluations(day.briefing)
    for name, model in load_models().items():
        (built,) = made[name]
        metadata = shown(built.metadata)
        lineage = metadata["dagster/column_lineage"].deps_by_column
        assert set(lineage) == set(model.columns)
        parents = {".".join(dep.asset_key.path) for deps in lineage.values() for dep in deps}
        assert parents <= set(model.dependencies)
        # A calendar's days, fixed words and what the ledger says come from no column.
        assert parents or name in {"staging.days", "staging.topic_words", "marts.data_health"}, name
        assert "unknown" not in {column.type for column in metadata["dagster/column_schema"].columns}
        assert found[f"{name}.{GRAIN}"].passed, name
        assert shown(found[f"{name}.{GRAIN}"].metadata)["rows checked"] == metadata["dagster/row_count"]
    assert shown(made["marts.deals"][0].metadata)["dagster/row_count"] > 0


def test_facts_are_shown_with_their_headline_figures_and_kept_for_the_day(day: Day) -> None:
    (facts,) = materializations(day.briefing)["insight.facts"]
    metadata = shown(facts.metadata)
    assert metadata["dagster/row_count"] > 20
    assert "| metric | period | value | before |" in metadata["headline figures"]
    assert (day.platform.services.home.path / "facts" / f"{DAY}.parquet").is_file()


def test_rows_that_repeat_a_models_grain_fail_its_check(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    models = load_models()
    stages = models["staging.stages"]
    doubled = dataclasses.replace(stages, select=f"{stages.select}\nUNION ALL\n{stages.select}")
    monkeypatch.setattr(
        "sophia_assets.orchestration.model_assets.load_models", lambda: {**models, "staging.stages": doubled}
    )
    with Platform.on(day.platform.services.home.path, {}) as platform:
        result = platform.brief(groups=("staging",))
        kept = evaluations(result)["staging.owners." + GRAIN]
        item = evaluations(result)["staging.stages." + GRAIN]
    assert kept.passed and not item.passed
    metadata = shown(item.metadata)
    assert metadata["rows that do not meet it"] == metadata["rows checked"] / 2 > 0
    assert metadata["observed"] == f"{metadata['rows that do not meet it']} keys occur more than once"
    assert metadata["what to do"] == "Correct sql/staging/stages.sql or its header"


def test_a_backfill_of_three_days_reads_their_span_once_and_fills_three_partitions(platform: Platform) -> None:
    assert platform.ingest("hubspot", group="deals", day="2026-01-10").success
    before = platform.services.source("hubspot").requests_made
    span = {
        "dagster/asset_partition_range_start": "2026-01-03",
        "dagster/asset_partition_range_end": "2026-01-05",
    }
    result = platform.ingest("hubspot", group="deals", day=None, **span)
    assert result.success
    for table, made in materializations(result).items():
        assert [item.partition for item in made] == ["2026-01-03", "2026-01-04", "2026-01-05"], table
        assert {shown(item.metadata)["window"] for item in made} == {"2026-01-03 00:00 UTC to 2026-01-06 00:00 UTC"}
        loads = platform.services.warehouse.query(LOADS, [table]).to_pylist()
        assert len(loads) == 2, "one load for the first day, one for the whole range"
        requests = {shown(item.metadata)["requests"] for item in made}
        assert requests == {platform.services.source("hubspot").requests_made - before}


def test_a_system_that_is_off_is_refused_and_says_how_to_turn_it_on(
    company: Served, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Platform.on(tmp_path_factory.mktemp("off"), company.env, SOPHIA_HUBSPOT_MODE="off") as platform:
        result = platform.ingest("hubspot", group="owners")
        assert not result.success
        assert failure_text(result) == "hubspot: the system is off. Set SOPHIA_HUBSPOT_MODE=sandbox or live"
        assert platform.services.connected == tuple(system for system in registry.SYSTEMS if system != "hubspot")


def test_a_failure_stands_until_the_same_read_succeeds(
    company: Served, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("mended")
    wrong = {**company.env, "GONG_ACCESS_KEY_SECRET": "wrong"}
    for connections, state in ((wrong, "empty"), (company.env, "stale"), (wrong, "failed"), (company.env, "stale")):
        with Platform.on(home, connections) as platform:
            read = platform.ingest("gong", group="users")
            (status,) = (
                item for item in platform.services.statuses().statuses(date(2026, 1, 31)) if item.system == "gong"
            )
            failure = platform.services.attempts.last_failure("gong")
        assert read.success == (connections is not wrong)
        assert (failure is not None) == (connections is wrong)
        assert status.state == state
        assert status.message == (failure.reason if failure else "read up to 2026-02-01 00:00 UTC")
