"""A second run changes nothing that did not change, and a past day's briefing uses what was known on that day."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from sophia_assets.home import CompanyIdentity, Home
from sophia_assets.sources import registry
from sophia_assets_tests.end_to_end.comparison import differences
from sophia_assets_tests.end_to_end.reads import read_day
from sophia_assets_tests.end_to_end.recomputed_facts import recompute
from sophia_assets_tests.end_to_end.recomputed_work import KEPT_BY_READING
from sophia_assets_tests.end_to_end.whole_runs import DAYS, LAST_DAY, SEED, WholeRun, once_per_session, run_whole

pytestmark = [pytest.mark.long, pytest.mark.timeout(900), pytest.mark.takes(200)]

# A deal of this company stood open on this day and was archived, as a duplicate, on the next: it counts on this one.
EARLIER = date(2025, 6, 12)


@pytest.fixture(scope="module")
def second_run(first_run: WholeRun, tmp_path_factory: pytest.TempPathFactory) -> WholeRun:
    """The first run's company again, in a copy of its home."""

    def build(home: Path) -> WholeRun:
        shutil.copytree(first_run.home, home)
        return run_whole(home, "--date", LAST_DAY.isoformat())

    return once_per_session(tmp_path_factory, "second-run", build)


@pytest.fixture(scope="module")
def looking_back(first_run: WholeRun, tmp_path_factory: pytest.TempPathFactory) -> WholeRun:
    """An earlier day's facts, made where later days are known."""

    def build(home: Path) -> WholeRun:
        shutil.copytree(first_run.home, home)
        company = Home(home).company()
        assert company
        return read_day(home, EARLIER, company)

    return once_per_session(tmp_path_factory, "looking-back", build)


@pytest.fixture(scope="module")
def on_that_day(tmp_path_factory: pytest.TempPathFactory) -> WholeRun:
    """The earlier day's facts as they were made on that day: the same company up to then."""
    first, last = (LAST_DAY - timedelta(days=DAYS - 1)).isoformat(), EARLIER.isoformat()
    company = CompanyIdentity("simulated", seed=SEED, start=first, first_day=first, last_day=last, timezone="UTC")
    return once_per_session(tmp_path_factory, "on-that-day", lambda home: read_day(home, EARLIER, company))


def test_a_second_run_has_the_same_rows_and_finds_nothing_new(first_run: WholeRun, second_run: WholeRun) -> None:
    assert second_run.result["rows"] == first_run.result["rows"]
    assert set(second_run.result["loads"]) == set(first_run.result["loads"])
    for table, counts in second_run.result["loads"].items():
        moved = {name: counts[name] for name in ("new", "changed", "deleted")}
        assert moved == {"new": 0, "changed": 0, "deleted": 0}, table


def test_no_raw_table_holds_a_key_twice(second_run: WholeRun) -> None:
    assert len(registry.tables()) == len(second_run.result["rows"])
    for table in registry.tables():
        keys = ", ".join(table.primary_key)
        rows, different = second_run.query(
            f"SELECT (SELECT count(*) FROM {table.qualified_name}), "
            f"(SELECT count(*) FROM (SELECT DISTINCT {keys} FROM {table.qualified_name}))"
        )[0]
        assert rows == different, table.qualified_name
        assert rows >= second_run.result["rows"][table.qualified_name] > 0


def test_a_second_run_s_briefing_has_the_same_facts(first_run: WholeRun, second_run: WholeRun) -> None:
    assert second_run.facts() == first_run.facts()
    first, second = first_run.briefing(), second_run.briefing()
    for part in ("facts", "sections", "bottom_line", "charts", "stories", "excluded_sources"):
        assert second[part] == first[part], part


def test_a_past_day_has_the_figures_of_that_day(looking_back: WholeRun, on_that_day: WholeRun) -> None:
    then, now = on_that_day.facts(), looking_back.facts()
    assert len(_deals_alive(on_that_day) - _deals_alive(looking_back)) == 1
    assert on_that_day.unknown() == set()
    unknown = looking_back.unknown()
    known = {key for key in then.keys() | now.keys() if key[0] not in unknown}
    different = {key for key in known if _figures(then.get(key)) != _figures(now.get(key))}
    assert different == set()
    assert len(then) > 800


def test_a_past_day_s_figures_follow_from_what_the_systems_tell_of_the_past(
    first_run: WholeRun, looking_back: WholeRun, on_that_day: WholeRun
) -> None:
    first_day = date.fromisoformat(first_run.company["first_day"])
    for run, answers in ((on_that_day, on_that_day.answers()), (looking_back, first_run.answers())):
        since = dict.fromkeys(KEPT_BY_READING, EARLIER)
        expected = recompute(answers, EARLIER, first_day, unknown=run.unknown(), since=since)
        facts = run.facts()
        assert facts.keys() == expected.keys()
        assert not [line for key, fact in facts.items() for line in differences(expected[key], fact)]


def _figures(fact: dict[str, Any] | None) -> Any:
    return fact and {**fact, "query_hash": None}


def _deals_alive(run: WholeRun) -> set[str]:
    before = f"SELECT deal_id FROM hubspot.deals WHERE _deleted_at IS NULL AND created_at < '{EARLIER}'"
    return {deal for (deal,) in run.query(before)}
