"""Flags from the UI: what is served follows at once, readers are told, and nothing of another rollout is shown."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sophia_assets.control import actions
from sophia_assets.control.flag_operations import operate
from sophia_assets.control.rollouts import is_included, rollout_flag
from sophia_assets.errors import WarehouseBusy
from sophia_assets.insight.briefing import verify_briefing
from sophia_assets.insight.serialization import briefing_as_json
from sophia_assets.metrics.facts import FactSet
from sophia_assets.quality.client import QualityWorker
from sophia_assets.quality.outcomes import Outcome
from sophia_assets.quality.serving import record_of_builds
from sophia_assets.services import Services
from sophia_assets.sources import registry
from sophia_assets.warehouse.building import build_models
from sophia_assets.warehouse.models import load_models
from sophia_assets_tests.orchestration.platform import DAY, QUIET, Platform, failure_text, materializations
from sophia_assets_tests.sandbox.small_company import Served

pytestmark = [pytest.mark.long, pytest.mark.takes(60)]

TODAY = date.fromisoformat(DAY)
BROKEN = Outcome("call_id_values_to_be_unique", False, "error", "unique", "2 twice", guards_downstream=True)


@pytest.fixture(scope="module")
def good_home(company: Served, worker: QualityWorker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that has read, checked and modelled HubSpot and Gong, both served whole."""
    home = tmp_path_factory.mktemp("flags") / "var"
    with pytest.MonkeyPatch.context() as patch, Platform.on(home, company.env) as platform:
        patch.setattr(Services, "quality", property(lambda _: worker))
        read(platform, "hubspot", "gong")
        assert not platform.services.serving().tables
    return home


def read(platform: Platform, *systems: str) -> None:
    """Reads and checks systems and builds all models, as the runs of a day do."""
    services, models = platform.services, load_models()
    span = services.span(TODAY, TODAY)
    for system in systems:
        for group in registry.groups(system):
            services.ingest(system, group, span, f"{system}-{group}")
    list(services.judge({table.qualified_name for system in systems for table in registry.tables(system)}))
    every = list(models.values())
    build_models(services.warehouse, every, {"timezone": "UTC"}, record=record_of_builds(every, models))


def change(platform: Platform, action: str, flag: str, value: str = "", reason: str = "a try") -> Any:
    """Runs the job as the UI does."""
    given = {"flag": flag, "action": action, "value": value, "reason": reason, "who": "ada"}
    return platform.definitions.resolve_job_def("flags_control").execute_in_process(
        instance=platform.instance,
        run_config={**QUIET, "ops": {"change_flag": {"config": given}}},
        raise_on_error=False,
    )


def calls(platform: Platform, table: str = "marts.calls") -> set[str]:
    return set(platform.services.warehouse.query(f"SELECT call_id FROM {table}")["call_id"].to_pylist())


def facts(platform: Platform) -> FactSet:
    return platform.services.compute_facts(TODAY)


def values(found: FactSet) -> dict[str, float]:
    """The facts' values, but for those of the platform's own record of what is loaded."""
    return {fact.id: fact.value for fact in found if fact.sources != ("marts.data_health",)}


def metrics(found: FactSet) -> set[str]:
    return {fact.metric for fact in found}


def brief(platform: Platform) -> tuple[dict[str, Any], str]:
    """A new briefing, and its sentences."""
    written = platform.services.publisher.write(TODAY, facts(platform))[0].briefing
    assert verify_briefing(written, written.request.facts) == []
    return briefing_as_json(written), " ".join(sentence.text for sentence in written.sentences())


def test_a_rollout_serves_its_share_and_everything_stays_loaded(briefed: Platform) -> None:
    loaded = calls(briefed, "gong.calls")
    result = change(briefed, "set", "gong.rollout", "50")
    assert result.success
    wanted = {call for call in loaded if is_included(rollout_flag("gong"), call, 50)}
    assert calls(briefed) == wanted
    assert 0 < len(wanted) < len(loaded) == len(calls(briefed, "gong.calls"))
    assert "marts.calls" in materializations(result) and "marts.deals" not in materializations(result)


def test_the_briefing_and_the_facts_say_which_share_they_rest_on(briefed: Platform) -> None:
    change(briefed, "set", "gong.rollout", "50")
    told, text = brief(briefed)
    assert "Gong is served for 50% of its calls; its figures cover no others." in text
    assert "Only a part of Gong is served, or none." in told["confidence"]["reason"]
    assert facts(briefed).shares == {"gong": 50}
    (status,) = (item for item in told["freshness"] if item["system"] == "gong")
    assert status["served_percent"] == 50


@pytest.mark.long
def test_at_nothing_the_facts_are_those_of_a_company_whose_system_was_never_read(
    briefed: Platform, company: Served, tmp_path: Path
) -> None:
    assert "calls" in metrics(facts(briefed))
    change(briefed, "rollback", "gong")
    without = values(facts(briefed))
    with Platform.on(tmp_path / "never", company.env) as never:
        read(never, "hubspot")
        assert without == values(facts(never))
    assert "calls" not in metrics(facts(briefed))


def test_the_briefing_says_that_a_system_was_taken_back(briefed: Platform) -> None:
    change(briefed, "rollback", "gong", reason="wrong figures")
    told, text = brief(briefed)
    assert "Gong is taken back for now, so figures that rest on it are left out." in text
    assert {"system": "gong", "display_name": "Gong", "reason": "taken back"} in told["excluded_sources"]
    assert "gong.calls" not in {source for fact in told["facts"] for source in fact["sources"]}


@pytest.mark.long
def test_between_the_change_and_the_rebuild_nothing_of_the_old_rollout_is_shown(briefed: Platform) -> None:
    briefed.services.flags.set("gong.rollout", 50, "ada", "killed right after")
    assert "calls" not in metrics(facts(briefed))
    assert briefed.brief(groups=("staging", "marts")).success
    assert "calls" in metrics(facts(briefed))
    assert calls(briefed) < calls(briefed, "gong.calls")


def test_the_same_command_again_makes_up_for_a_rebuild_that_never_came(briefed: Platform) -> None:
    briefed.services.flags.set("gong.rollout", 50, "ada", "killed right after")
    done = operate(briefed.services, "set", "gong.rollout", "50", "ada", "once more")
    assert not done.change.is_one
    assert done.rebuilt and "marts.calls" in done.rebuilt.rows
    assert "calls" in metrics(facts(briefed))


def test_a_rebuild_that_fails_leaves_the_flag_changed_and_the_figures_out(
    briefed: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: Any, **__: Any) -> None:
        raise WarehouseBusy("another process holds the warehouse")

    with monkeypatch.context() as patch:
        patch.setattr(type(briefed.services.warehouse), "replace_tables", busy)
        result = change(briefed, "set", "gong.rollout", "10")
    assert not result.success
    assert "gong.rollout is 10 % now" in failure_text(result)
    assert "another process holds the warehouse" in failure_text(result)
    assert briefed.services.flags.get("gong.rollout") == 10
    assert "calls" not in metrics(facts(briefed))


def test_stored_facts_of_another_rollout_are_not_published(briefed: Platform) -> None:
    before = facts(briefed)
    change(briefed, "rollback", "gong")
    written = briefed.services.publisher.write(TODAY, before)[0].briefing
    assert "calls" not in metrics(written.request.facts)
    assert "pipeline_value" in metrics(before)


def test_a_bad_system_that_is_taken_back_holds_nothing_up(briefed: Platform) -> None:
    state = briefed.services.warehouse.table_state("gong.calls")
    assert state
    briefed.services.quality_failures.record("gong.calls", state.load_id, [BROKEN])
    assert "marts.calls" in briefed.services.serving().models
    assert change(briefed, "rollback", "gong", reason="bad data").success
    serving = briefed.services.serving()
    assert serving.models == {} and serving.outdated == frozenset()
    assert "pipeline_value" in metrics(facts(briefed))


def test_what_waits_for_a_repair_is_left_out_while_another_share_is_served(briefed: Platform) -> None:
    state = briefed.services.warehouse.table_state("gong.calls")
    assert state
    briefed.services.quality_failures.record("gong.calls", state.load_id, [BROKEN])
    done = operate(briefed.services, "set", "gong.rollout", "50", "ada", "a try")
    assert done.rebuilt and "marts.calls" in done.rebuilt.waiting
    assert "wait for gong.calls" in done.rebuilt.in_words()
    assert "calls" not in metrics(facts(briefed))


def test_switching_sandbox_data_off_takes_every_figure_back_and_a_briefing_is_written_all_the_same(
    briefed: Platform,
) -> None:
    assert change(briefed, "set", "enable_mock_data", "off").success
    assert values(facts(briefed)) == {}
    assert "HubSpot is taken back for now" in brief(briefed)[1]
    assert change(briefed, "rollback", "enable_mock_data").success
    assert "pipeline_value" in metrics(facts(briefed))


def test_a_system_that_is_switched_off_serves_its_last_data_and_the_briefing_says_so(briefed: Platform) -> None:
    before = values(facts(briefed))
    assert change(briefed, "set", "gong.enabled", "off").success
    assert values(facts(briefed)) == before
    assert "Gong is switched off for now, so nothing new is read from it." in brief(briefed)[1]


@pytest.mark.parametrize(
    ("action", "flag", "value", "reason", "told"),
    [
        ("set", "gong.rolout", "10", "why", "there is no flag"),
        ("set", "gong.rollout", "101", "why", "from 0 to 100"),
        ("set", "gong.rollout", "10", "", "a reason was not given"),
        ("promote", "gong", "50", "why", "promote takes no value"),
        ("promote", "gong", "", "why", "at 100 % already"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    platform: Platform, action: str, flag: str, value: str, reason: str, told: str
) -> None:
    result = change(platform, action, flag, value, reason)
    assert not result.success
    assert told in failure_text(result)
    assert actions.tail(platform.services.control) == []


def test_the_change_is_recorded_with_who_and_why(platform: Platform) -> None:
    assert change(platform, "set", "gong.rollout", "10", "first step").success
    (deed,) = actions.tail(platform.services.control)
    assert (deed.actor, deed.action, deed.target, deed.reason) == ("ada", "flag.set", "gong.rollout", "first step")


def test_a_run_says_under_which_flags_it_ran(platform: Platform) -> None:
    platform.services.flags.set("gong.rollout", 10, "ada", "first step")
    platform.ingest("hubspot", group="owners")
    (run,) = platform.instance.get_runs(limit=1)
    assert run.tags["sophia/flags"].endswith(" gong.rollout=10")
