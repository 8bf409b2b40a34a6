"""Whatever somebody wrote among the figures costs neither a scrape nor the figures beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from sophia_assets.home import CompanyIdentity, Home
from sophia_assets.services import Services
from sophia_assets.telemetry.exporter.recorded import MOST_LABELS
from sophia_assets.telemetry.recording import write
from sophia_assets.telemetry.series import FETCHES
from sophia_assets_tests.finished_home import services_of
from sophia_assets_tests.telemetry.exporting import scrape_of

_INSERT = text("INSERT INTO measures (day, series, labels, part, value) VALUES ('', :series, :labels, :part, :value)")


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Those of a home that holds a company, and two reads of Gong."""
    home = Home(tmp_path / "home")
    home.prepare()
    home.record_company(CompanyIdentity("live", first_day="2026-01-01"))
    made = services_of(home)
    with made.control.transaction() as connection:
        write(connection, [FETCHES.add(2, source="gong")])
    yield made
    made.close()


def _put(services: Services, *rows: tuple[str, Any]) -> None:
    with services.control.transaction() as connection:
        for labels, value in rows:
            row = {"series": FETCHES.name, "labels": labels, "part": "value", "value": value}
            connection.execute(_INSERT, row)


@pytest.mark.parametrize("value", ["three", b"\xff\x00", float("inf"), -3.0], ids=str)
def test_what_is_no_count_is_left_out_and_the_rest_is_told(services: Services, value: Any) -> None:
    _put(services, ('["strange"]', value))
    told = scrape_of(services.home)
    assert told.value(FETCHES.name, source="gong") == 2
    assert not told.has(FETCHES.name, source="strange")
    assert told.value("sophia_exporter_collector_up", collector="recorded") == 1


def test_labels_that_are_nested_without_end_are_left_out(services: Services) -> None:
    _put(services, ("[" * 100_000, 1.0), ('["' + "9" * 100_000 + '"]', 1.0))
    told = scrape_of(services.home)
    assert told.value(FETCHES.name, source="gong") == 2
    assert told.value("sophia_exporter_collector_up", collector="recorded") == 1


def test_names_without_end_do_not_make_a_scrape_without_end(services: Services) -> None:
    _put(services, *((json.dumps([f"made up {number}"]), 1.0) for number in range(MOST_LABELS + 500)))
    told = scrape_of(services.home)
    assert MOST_LABELS - 1 <= len(told.sets(FETCHES.name)) < MOST_LABELS + 50
    assert told.has(FETCHES.name, source="gong"), "what is known is told in any case"


def test_one_broken_store_is_one_warning_for_all_parts_that_read_it(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    (home.path / "control.db").write_bytes(b"garbage " * 2_000)
    with capture_logs() as lines:
        told = scrape_of(home)
    assert told.value("sophia_exporter_collector_up", collector="recorded") == 0
    problems = [str(line["problem"]) for line in lines if "of the figures cannot be read" in str(line["event"])]
    assert len([each for each in problems if "is not a control store" in each]) == 1 == len(set(problems)), problems
