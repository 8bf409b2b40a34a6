"""Every planted fault is named with its cause and its remedy, and nothing else is called a problem."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime

import duckdb
import pytest

from sophia_assets.doctor.findings import Standing, secrets_in
from sophia_assets.home import Home
from sophia_assets_tests.doctor.cases_of_home import CASES as OF_HOME
from sophia_assets_tests.doctor.cases_of_systems import CASES as OF_SYSTEMS
from sophia_assets_tests.doctor.ground import Case, Ground, Unplantable, examined, prepared, recorded, seen

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

CASES = (*OF_SYSTEMS, *OF_HOME)


@pytest.fixture(scope="module")
def ground(finished_home: Home) -> Iterator[Ground]:
    """The home, the stand-ins, and servers that start when they are needed."""
    with prepared(finished_home) as ground:
        yield ground


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_planted_fault_is_named_with_its_cause_and_remedy(case: Case, ground: Ground) -> None:
    """And no other problem is told that does not come of it."""
    try:
        report, wrong = examined(case, ground)
    except Unplantable as error:
        pytest.skip(str(error))
    assert not wrong
    assert report.is_well is (case.standing is not Standing.PROBLEM)
    told = json.dumps(report.as_json())
    for secret in ("canary-password", "limited-secret", "cacher-secret", "wrong-mail-password", "pat-a-secret"):
        assert secret not in told


def test_a_home_in_which_all_is_well_has_neither_problems_nor_warnings(ground: Ground) -> None:
    """Whatever was skipped says why."""
    place = ground.place()
    report = seen(place)
    assert [each for each in report.findings if each.standing in (Standing.PROBLEM, Standing.WARNING)] == []
    assert {each.area for each in report.findings if each.standing is Standing.OK} >= {"gong", "control", "freshness"}
    told = json.dumps(report.as_json())
    assert not any(secret in told for secret in secrets_in(place.environment))


def test_a_home_whose_first_load_is_younger_than_the_due_briefing_misses_none(ground: Ground) -> None:
    """Nothing was due before the installation."""
    place = ground.place()
    file = place.home.company_file
    file.write_text(json.dumps({**json.loads(file.read_text()), "kind": "live"}))
    shutil.rmtree(place.home.briefings)
    with duckdb.connect(str(place.home.warehouse_file)) as connection:
        connection.execute("UPDATE _sophia.loads SET committed_at = ?", [datetime.now(UTC).replace(tzinfo=None)])
    [briefing] = [each for each in seen(place, "freshness").findings if each.subject == "briefing"]
    assert briefing.standing is Standing.SKIPPED
    assert "none is due yet" in briefing.told


def test_a_system_of_the_sandbox_is_told_to_be_that(ground: Ground) -> None:
    """Nobody takes it for the account whose token is set beside it."""
    place = ground.place()
    place.home.sandbox_file.write_text(json.dumps({"pid": os.getpid(), "env": ground.sandbox.env}))
    del place.environment["HUBSPOT_BASE_URL"]
    place.environment["HUBSPOT_ACCESS_TOKEN"] = "pat-of-the-real-account"
    found = {each.subject: each for each in seen(place, "hubspot").findings if each.area == "hubspot"}
    assert found["credential"].told == "HubSpot in the sandbox accepts it"
    assert found["address"].told.startswith("HubSpot in the sandbox answers")
    assert (found["mode"].standing, "so it is not used" in found["mode"].told) == (Standing.WARNING, True)


def test_a_home_on_postgres_in_which_all_is_well_has_no_problem(ground: Ground) -> None:
    """Its clock counts among those that are compared."""
    place = ground.place({"SOPHIA_CONTROL_URL": ground.postgres.new_database()})
    with place.control() as services:
        services.circuits.all()
    report = seen(place)
    assert report.is_well
    assert any(each.area == "control" and "Postgres" in each.told for each in report.findings)


def test_looking_changes_nothing(ground: Ground) -> None:
    """No row of the control store, no file of the home, no call that a vendor of models would bill."""
    place = ground.place()
    with place.control() as services:
        services.circuits.all()
    before = recorded(place)
    for _ in range(2):
        seen(place)
    assert recorded(place) == before
    assert not ground.sandbox.app.standins["openai"].counters.failed


def test_an_open_circuit_stays_as_it_is_and_its_probe_is_left_to_others(ground: Ground) -> None:
    """Even where the system would answer by now."""
    from sophia_assets.control.breaker import Failure

    place = ground.place()
    with place.control() as services:
        for _ in range(5):
            services.circuits.failed("gong", Failure("connection", "Gong did not answer"))
        before = services.circuits.get("gong")
    report = seen(place, "gong")
    with place.control() as services:
        assert services.circuits.get("gong") == before
    assert [each.subject for each in report.findings if each.standing is Standing.PROBLEM] == ["circuit"]


def test_one_system_is_looked_at_with_what_it_needs(ground: Ground) -> None:
    """And nothing else is asked."""
    report = seen(ground.place(), "gong")
    assert {each.area for each in report.findings} == {
        "settings", "clock", "home", "control", "warehouse", "gong", "freshness",
    }  # fmt: skip


def test_offline_asks_nobody(ground: Ground) -> None:
    """What would go over a network is skipped, and says so."""
    app = ground.sandbox.app
    before = {name: standin.counters.requests for name, standin in app.standins.items()}
    report = seen(ground.place(), is_offline=True)
    assert {name: standin.counters.requests for name, standin in app.standins.items()} == before
    assert report.is_well
    assert all("--offline" in each.told for each in report.findings if each.subject == "connection")


def test_a_server_that_stands_still_is_given_up_and_the_others_are_told(ground: Ground) -> None:
    """A frozen Redis: the connection stays open, and nothing comes."""
    ground.redis.freeze()
    try:
        place = ground.place({"REDIS_URL": ground.redis.url})
        report = seen(place)
    finally:
        ground.redis.thaw()
    problems = [each for each in report.findings if each.standing is Standing.PROBLEM]
    assert [each.area for each in problems] == ["redis"]
    assert "did not answer in time" in problems[0].told
