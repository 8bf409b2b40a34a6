"""What the exporter tells: every series, in Prometheus' own format, of whatever state a home is in."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert

from sophia_assets.control.breaker import State
from sophia_assets.control.schema import measures
from sophia_assets.control.store import ControlStore
from sophia_assets.home import CompanyIdentity, Home
from sophia_assets.orchestration.instance import instance_for
from sophia_assets.quality.outcomes import Outcome
from sophia_assets.services import Services
from sophia_assets.settings import load_settings
from sophia_assets.sources import registry
from sophia_assets.telemetry.exporter import collecting
from sophia_assets.telemetry.exporter.collecting import Looking, Part
from sophia_assets.telemetry.exporter.ground import Ground
from sophia_assets.telemetry.exporter.known_labels import JOBS, known_labels
from sophia_assets.telemetry.exporter.samples import Sample
from sophia_assets.telemetry.recording import label_text, write
from sophia_assets.telemetry.series import (
    CACHE_REQUESTS,
    FETCH_SECONDS,
    FETCHES,
    LAST_LOAD,
    SYSTEM_MODE,
    Kind,
    Origin,
    Point,
    every_series,
)
from sophia_assets_tests.finished_home import copied_home, services_of
from sophia_assets_tests.telemetry.exporting import (
    Scrape,
    look_again,
    looked,
    record_everything,
    scrape_of,
    scraped,
)
from sophia_assets_tests.waiting import until

# What is told only where there is something to tell: a sensor that was looked at.
_OF_TICKS = {"sophia_tick_age_seconds", "sophia_tick_duration_seconds", "sophia_tick_failed"}


BAD = Outcome("unique", False, "error", expected="one", observed="two", guards_downstream=True)


@pytest.fixture(scope="module")
def recorded_home(finished_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A finished home in which everything has been written down once, with an instance of Dagster."""
    home = copied_home(finished_home, tmp_path_factory.mktemp("exporter") / "home")
    record_everything(home)
    with instance_for(home, load_settings({"SOPHIA_HOME": str(home.path)})):
        pass
    return home


@pytest.fixture(scope="module")
def scrape(recorded_home: Home) -> Scrape:
    return scrape_of(recorded_home)


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Those of a home that holds a company, and nothing else."""
    home = Home(tmp_path / "home")
    home.prepare()
    home.record_company(CompanyIdentity("live", first_day="2026-01-01"))
    made = services_of(home)
    yield made
    made.close()


def record(services: Services, *points: Point) -> None:
    with services.control.transaction() as connection:
        write(connection, points)


def test_every_declared_series_is_exported(scrape: Scrape) -> None:
    declared = {one.name: str(one.kind) for one in every_series() if one.origin is not Origin.SERVED}
    missing = declared.keys() - scrape.kinds.keys() - _OF_TICKS
    assert not missing, f"declared, and never told: {sorted(missing)}"
    assert {name: scrape.kinds[name] for name in declared if name not in _OF_TICKS} == {
        name: kind for name, kind in declared.items() if name not in _OF_TICKS
    }


def test_nothing_is_exported_that_is_not_declared(scrape: Scrape) -> None:
    assert not scrape.kinds.keys() - {one.name for one in every_series()}


def test_every_part_can_be_read(scrape: Scrape) -> None:
    standing = {
        each["collector"]: scrape.value("sophia_exporter_collector_up", **each)
        for each in scrape.sets("sophia_exporter_collector_up")
    }
    assert set(standing.values()) == {1.0}, standing


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_to_lint(scrape: Scrape) -> None:
    told = subprocess.run(["promtool", "check", "metrics"], input=scrape.text, text=True, capture_output=True)
    assert (told.returncode, told.stdout + told.stderr) == (0, "")


def test_what_is_known_is_zero_before_anything_has_happened(tmp_path: Path) -> None:
    home = Home(tmp_path / "never" / "run")
    told = scrape_of(home)
    known = known_labels(load_settings({"SOPHIA_HOME": str(home.path)}))
    for one in every_series():
        for labels in known.get(one.name, ()):
            name = f"{one.name}_count" if one.kind is Kind.HISTOGRAM else one.name
            assert told.value(name, **dict(zip(one.labels, labels, strict=True))) == 0
    assert told.value("sophia_circuit_state", name="gong", state="closed") == 1
    assert told.value("sophia_rollout_percent", name="gong") == 100
    assert told.value("sophia_briefing_overdue_seconds") == 0
    assert not told.sets("sophia_data_freshness_seconds")
    assert not home.path.exists(), "looking makes nothing"


def test_the_jobs_that_are_known_are_those_that_there_are(tmp_path: Path) -> None:
    from sophia_assets.definitions import build_definitions

    home = Home(tmp_path)
    declared = {job.name for job in build_definitions(home=home).resolve_all_job_defs()}
    assert declared - {"__ASSET_JOB"} == set(JOBS) - {"__ASSET_JOB"}


def test_a_histogram_is_added_up_from_its_buckets(services: Services) -> None:
    record(services, *(FETCH_SECONDS.observe(value, source="gong") for value in (0.05, 0.4, 0.5, 9999.0)))
    told = scrape_of(services.home)
    name = "sophia_data_fetch_duration_seconds"
    counts = [
        told.value(f"{name}_bucket", source="gong", le=bound)
        for bound in ("0.1", "0.5", "1.0", "3600.0", "+Inf")
        if told.has(f"{name}_bucket", source="gong", le=bound)
    ]
    assert counts[0] == 1 and counts[-1] == 4 and counts == sorted(counts)
    assert told.value(f"{name}_count", source="gong") == 4
    assert told.value(f"{name}_sum", source="gong") == pytest.approx(0.05 + 0.4 + 0.5 + 9999)


def test_what_another_version_wrote_does_not_disturb(services: Services) -> None:
    rows = [
        ("sophia_of_tomorrow_total", label_text(["gong"]), "value"),
        (FETCHES.name, "no JSON at all", "value"),
        (FETCHES.name, '{"a":1}', "value"),
        (FETCHES.name, label_text(["too", "many"]), "value"),
        (FETCH_SECONDS.name, label_text(["gong"]), "0.7"),
        (FETCH_SECONDS.name, label_text(["gong"]), "nonsense"),
    ]
    with services.control.transaction() as connection:
        connection.execute(
            insert(measures),
            [{"day": "", "series": name, "labels": labels, "part": part, "value": 1.0} for name, labels, part in rows],
        )
    told = scrape_of(services.home)
    assert not told.sets("sophia_of_tomorrow_total")
    assert len(told.sets(FETCHES.name)) == len(registry.SYSTEMS)
    name = "sophia_data_fetch_duration_seconds"
    assert (
        told.value(
            f"{name}_bucket", source="gong", le="1.0" if told.has(f"{name}_bucket", source="gong", le="1.0") else "1"
        )
        == 1
    ), "what lay between two bounds counts below the upper one"
    assert told.value(f"{name}_count", source="gong") == 2


def test_any_text_may_be_a_label(services: Services) -> None:
    names = ['Müller \u2028 "quoted" \\ \n line', "🚀" * 400, "\ud800 half"]
    rows = [
        {"day": "", "series": FETCHES.name, "labels": json.dumps([name]), "part": "value", "value": 1.0}
        for name in names
    ]
    with services.control.transaction() as connection:
        connection.execute(insert(measures), rows)
    told = scrape_of(services.home)
    assert told.value(FETCHES.name, source=names[0]) == 1
    assert told.value(FETCHES.name, source="🚀" * 200) == 1
    assert told.value(FETCHES.name, source="? half") == 1


def test_the_hit_rate_is_of_all_that_was_ever_asked(services: Services) -> None:
    record(
        services, CACHE_REQUESTS.add(3, cache="facts", outcome="hit"), CACHE_REQUESTS.add(cache="facts", outcome="miss")
    )
    told = scrape_of(services.home)
    assert told.value("sophia_cache_hit_rate", cache="facts") == 0.75
    assert all(math.isnan(told.value("sophia_cache_hit_rate", cache=name)) for name in ("answer", "model_answer"))


def test_freshness_is_told_of_the_systems_that_are_in_use_alone(services: Services) -> None:
    hour = time.time() - 3600
    record(
        services, LAST_LOAD.set(hour, source="gong", table="calls"), LAST_LOAD.set(hour, source="slack", table="users")
    )
    services.flags.set("slack.enabled", False, "somebody", "a test")
    told = scrape_of(services.home, SOPHIA_LINEAR_MODE="off")
    age = "sophia_data_freshness_seconds"
    assert told.value(age, source="gong", table="calls") == pytest.approx(3600, abs=60)
    assert told.value(age, source="gong", table="users") == math.inf, "never loaded, while others were"
    assert {each["source"] for each in told.sets(age)} == set(registry.SYSTEMS) - {"linear", "slack"}
    limits = told.sets("sophia_data_freshness_limit_seconds")
    assert len(limits) == 2 * len(told.sets(age))
    assert told.value(SYSTEM_MODE.name, name="linear", mode="off") == 1
    assert told.value(SYSTEM_MODE.name, name="slack", mode="off") == 1
    assert told.value(SYSTEM_MODE.name, name="gong", mode="sandbox") == 1


def test_circuits_flags_and_held_back_tables_are_told_as_they_stand(services: Services) -> None:
    services.circuits.force("gong", State.OPEN, "somebody", "a test")
    services.flags.set("hubspot.rollout", 10, "somebody", "a test")
    services.flags.set("enable_caching", False, "somebody", "a test")
    services.quality_failures.record("hubspot.deals", "load", [BAD])
    told = scrape_of(services.home)
    assert told.value("sophia_circuit_state", name="gong", state="open") == 1
    assert told.value("sophia_circuit_state", name="gong", state="closed") == 0
    assert told.value("sophia_rollout_percent", name="hubspot") == 10
    assert told.value("sophia_flag_enabled", flag="enable_caching") == 0
    assert told.value("sophia_tables_held_back", source="hubspot") == 1
    assert told.value("sophia_tables_held_back", source="gong") == 0


def test_an_encrypted_home_is_read_with_its_key(tmp_path: Path) -> None:
    home = Home(tmp_path)
    key = {"SOPHIA_ENCRYPTION_KEY": bytes(range(32)).hex()}
    made = services_of(home, key)
    made.quality_failures.record("hubspot.deals", "load", [BAD])
    made.close()
    assert scrape_of(home, **key).value("sophia_tables_held_back", source="hubspot") == 1
    without = scrape_of(home)
    assert without.value("sophia_exporter_collector_up", collector="checks") == 0
    assert without.value("sophia_exporter_collector_up", collector="recorded") == 1


def test_a_briefing_is_overdue_from_its_deadline_until_it_is_there(services: Services) -> None:
    told = scrape_of(services.home)
    assert told.value("sophia_briefing_overdue_seconds") > 0
    for day in range(1, 8):
        date = datetime.fromtimestamp(time.time() - day * 86400, UTC).date()
        folder = services.home.briefings / date.isoformat()
        folder.mkdir(parents=True)
        (folder / "briefing.json").write_text("{}", encoding="utf-8")
    assert scrape_of(services.home).value("sophia_briefing_overdue_seconds") == 0


def test_the_home_that_was_last_run_is_followed(tmp_path: Path) -> None:
    base, other = Home(tmp_path), Home(tmp_path / "companies" / "seed-7")
    for home, number in ((base, 1), (other, 2)):
        store = ControlStore.at(home.path / "control.db")
        with store.transaction() as connection:
            write(connection, [FETCHES.add(number, source="gong")])
        store.close()
    looking, ground = looked({"SOPHIA_HOME": str(tmp_path)})
    assert scraped(looking).value(FETCHES.name, source="gong") == 1
    (tmp_path / "current.json").write_text(json.dumps({"home": "companies/seed-7"}), encoding="utf-8")
    assert ground.follow()
    told = scraped(looking)
    assert not told.has(FETCHES.name, source="gong"), "nothing of the other company is told"
    assert told.value("sophia_exporter_collector_up", collector="recorded") == 0
    look_again(looking, ground)
    assert scraped(looking).value(FETCHES.name, source="gong") == 2
    (other.path / "control.db").unlink()
    assert ground.follow(), "a store that is gone is not read on"
    look_again(looking, ground)
    assert scraped(looking).value(FETCHES.name, source="gong") == 0
    ground.close()


def test_a_part_that_hangs_or_fails_takes_neither_the_others_nor_the_scrape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "HANGS_AFTER_SECONDS", 0.05)
    released, is_broken = threading.Event(), threading.Event()

    def hangs(_: Ground) -> list[Sample]:
        released.wait(120)
        return []

    def fails(_: Ground) -> list[Sample]:
        if is_broken.is_set():
            raise OSError("the disk is gone")
        return [FETCHES.add(5, source="gong")]

    parts = [
        Part("hangs", hangs, 60),
        Part("fails", fails, 60),
        Part("works", lambda _: [SYSTEM_MODE.set(1, name="a", mode="b")], 60),
    ]
    ground = Ground(load_settings({"SOPHIA_HOME": str(tmp_path)}))
    looking = Looking(ground, parts)

    def ups() -> list[float]:
        told = scraped(looking)
        return [told.value("sophia_exporter_collector_up", collector=part.name) for part in parts]

    try:
        looking.start(wait_seconds=0)
        until(lambda: ups() == [0, 1, 1], "the other two are looked at")
        is_broken.set()
        looking.look(parts[1])
        told = scraped(looking)
        assert ups() == [0, 0, 1]
    finally:
        released.set()
        looking.stop()
    assert told.value(FETCHES.name, source="gong") == 5, "what was found last stays for a while"
    assert told.value(SYSTEM_MODE.name, name="a", mode="b") == 1
