"""The exporter on an installation whose control store and Dagster storage are a real Postgres."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
import yaml

from sophia_assets.home import CompanyIdentity, Home
from sophia_assets.orchestration.instance import instance_for
from sophia_assets.settings import Settings, load_settings
from sophia_assets_tests.control.postgres import PostgresServer, with_driver
from sophia_assets_tests.telemetry.exporting import look_again, looked, scraped
from sophia_assets_tests.telemetry.test_exporter_counting import Counting, look_at_sensors

pytestmark = pytest.mark.long


@pytest.fixture
def environment(postgres_server: PostgresServer, tmp_path: Path) -> dict[str, str]:
    config = tmp_path / "dagster.yaml"
    storage = {"postgres": {"postgres_url": with_driver(postgres_server.new_database())}}
    config.write_text(yaml.safe_dump({"storage": storage, "telemetry": {"enabled": False}}), encoding="utf-8")
    return {
        "SOPHIA_HOME": str(tmp_path / "home"),
        "SOPHIA_CONTROL_URL": postgres_server.new_database(),
        "SOPHIA_DAGSTER_CONFIG": str(config),
    }


@pytest.fixture
def settings(environment: dict[str, str]) -> Settings:
    home = Home(Path(environment["SOPHIA_HOME"]))
    home.prepare()
    home.record_company(CompanyIdentity("live", first_day="2026-01-01"))
    return load_settings(environment)


def test_every_part_is_read_and_runs_are_counted_once(environment: dict[str, str], settings: Settings) -> None:
    home = Home(Path(environment["SOPHIA_HOME"]))
    looking, ground = looked(environment)
    with instance_for(home, settings) as instance:
        runs = Counting(instance, ground.services().control)
        runs.ended(runs.run(), runs.run())
        runs.ended(runs.run(), how="FAILURE")
        still = runs.run("check_sources")
        look_at_sensors(instance)
        look_again(looking, ground)
        told = scraped(looking)
        ups = [told.value("sophia_exporter_collector_up", **each) for each in told.sets("sophia_exporter_collector_up")]
        assert set(ups) == {1.0}, told.text
        assert told.value("sophia_runs_total", job="ingest_gong", status="success") == 2
        assert told.value("sophia_runs_total", job="ingest_gong", status="lost") == 1
        assert told.value("sophia_runs_in_progress", job="check_sources", status="started") == 1
        assert told.sets("sophia_tick_age_seconds")
        runs.ended(still)
        other, other_ground = looked(environment)
        look_again(looking, ground)
        assert scraped(other).value("sophia_runs_total", job="check_sources", status="success") == 1
        assert runs.count() == 0
        assert isinstance(instance, dg.DagsterInstance)
    ground.close()
    other_ground.close()
