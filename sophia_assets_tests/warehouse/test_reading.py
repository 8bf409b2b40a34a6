"""Readings of a home on DuckDB: one state at a time, for many at once, from a copy that nobody can write to."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sophia_assets.errors import SophiaError
from sophia_assets.home import Home
from sophia_assets.metrics.computation import compute_facts
from sophia_assets.quality.outcomes import Outcome
from sophia_assets.services import Services
from sophia_assets.warehouse.copied_reading import CopiedReading, CopiedReadings
from sophia_assets.warehouse.marts_copy import MartsCopy
from sophia_assets.warehouse.models import load_models
from sophia_assets.warehouse.reading import QueryRefused, QueryStopped, Reading, readings_for
from sophia_assets_tests.finished_home import LAST_DAY, copied_home, services_of

_ENDLESS = "SELECT SUM(a.range * b.range) FROM range(1000000) AS a, range(1000000) AS b"


@pytest.fixture(scope="module")
def services(finished_home: Home) -> Iterator[Services]:
    services = services_of(finished_home)
    yield services
    services.close()


@pytest.fixture(scope="module")
def reading(services: Services) -> CopiedReading:
    found = services.readings.current("executive")
    assert isinstance(found, CopiedReading)
    return found


@pytest.fixture
def own(finished_home: Home, tmp_path: Path) -> Iterator[Services]:
    """Services on a copy of the home that may be written to."""
    services = services_of(copied_home(finished_home, tmp_path / "home"))
    yield services
    services.close()


def _accounts(reading: Reading) -> int:
    return int(reading.query("SELECT COUNT(*) AS n FROM marts.accounts").to_pylist()[0]["n"])


def test_the_copy_holds_every_mart_as_the_warehouse_has_it(services: Services, reading: CopiedReading) -> None:
    marts = [name for name in load_models() if name.startswith("marts.")]
    with services.warehouse.session():
        for name in marts:
            described = f"DESCRIBE {name}"
            assert reading.query(described).to_pylist() == services.warehouse.query(described).to_pylist()
            count = f"SELECT COUNT(*) AS n FROM {name}"
            assert reading.query(count) == services.warehouse.query(count)


def test_a_days_facts_of_the_copy_are_those_of_the_warehouse(services: Services, reading: CopiedReading) -> None:
    on_copy = compute_facts(reading, reading.catalog, load_models(), reading.context)
    assert len(on_copy) > 1000
    assert list(on_copy) == list(services.compute_facts(reading.day))


def test_the_day_is_the_companys_last_complete_one(reading: CopiedReading) -> None:
    assert reading.day == min(LAST_DAY, datetime.now(UTC).date() - timedelta(days=1))
    assert reading.context.day == reading.day


def test_a_home_without_data_says_so_and_is_left_as_it_is(tmp_path: Path) -> None:
    services = services_of(Home(tmp_path / "empty"))
    try:
        with pytest.raises(SophiaError, match="no data to answer from yet"):
            services.readings.current("executive")
        assert not services.home.warehouse_file.exists()
    finally:
        services.close()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM marts.accounts",
        "INSERT INTO marts.accounts SELECT * FROM marts.accounts",
        "UPDATE marts.accounts SET account = 'x'",
        "DROP TABLE marts.accounts",
        "CREATE TABLE marts.mine AS SELECT 1 AS a",
        "WITH gone AS (SELECT 1) DELETE FROM marts.accounts",
        "SELECT 1; DELETE FROM marts.accounts",
        "SELECT 1; COMMIT; DELETE FROM marts.accounts",
        "COMMIT",
        "SET threads = 8",
        "SET lock_configuration = false",
        "PRAGMA enable_profiling",
        "ATTACH ':memory:' AS other",
        "COPY marts.accounts TO '/tmp/accounts.csv'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "CALL pragma_version()",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM secret_rows",
        "SELECT nextval('s')",
        "SELECT",
        "",
        "\0",
    ],
)
def test_nothing_but_one_select_of_the_copys_own_tables_is_run(reading: CopiedReading, sql: str) -> None:
    secret_rows = [1]  # a table of that name would be read from here, if the copy looked for one
    before = _accounts(reading)
    with pytest.raises(QueryRefused):
        reading.query(sql)
    assert _accounts(reading) == before
    assert secret_rows


def test_parameters_go_by_place_and_by_name(reading: CopiedReading) -> None:
    odd = "O'Brien; DROP TABLE \U0001f40d --"
    assert reading.query("SELECT ? AS said", [odd]).to_pylist() == [{"said": odd}]
    assert reading.query("SELECT $said AS said", {"said": odd}).to_pylist() == [{"said": odd}]


def test_a_query_that_takes_too_long_is_stopped_and_its_connection_serves_the_next_one(reading: CopiedReading) -> None:
    for _ in range(3):
        began = time.monotonic()
        with pytest.raises(QueryStopped, match=r"stopped after 0\.2 s"):
            reading.query(_ENDLESS, seconds=0.2)
        assert time.monotonic() - began < 5
        assert _accounts(reading) > 0


def test_stopping_one_query_stops_no_other(reading: CopiedReading) -> None:
    expected = _accounts(reading)

    def endless() -> None:
        with pytest.raises(QueryStopped):
            reading.query(_ENDLESS, seconds=0.3)

    with ThreadPoolExecutor(8) as pool:
        stopped = [pool.submit(endless) for _ in range(3)]
        found = [pool.submit(_accounts, reading) for _ in range(200)]
        assert {each.result() for each in found} == {expected}
        for each in stopped:
            each.result()


def test_a_result_that_is_too_large_is_not_taken_into_memory(reading: CopiedReading) -> None:
    with pytest.raises(QueryStopped, match="larger than 256 MB"):
        reading.query("SELECT * FROM range(10000000000)")
    assert _accounts(reading) > 0


def test_a_query_that_needs_too_much_memory_is_stopped_and_spills_nothing_to_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sophia_assets.warehouse.marts_copy._QUERY_MEMORY_MB", 40)
    copy = MartsCopy([])
    with pytest.raises(QueryStopped, match="more memory"):
        copy.query("SELECT MAX(l) FROM (SELECT list(range ORDER BY hash(range)) AS l FROM range(20000000))")
    assert copy.query("SELECT 1 AS one").to_pylist() == [{"one": 1}]
    assert not list(tmp_path.iterdir())


def test_a_first_answer_waits_for_the_first_copy_however_many_ask_at_once(finished_home: Home) -> None:
    services = services_of(finished_home)
    together = threading.Barrier(8)

    def ask(_: int) -> Reading:
        together.wait()
        return services.readings.current("analyst")

    try:
        readings: CopiedReadings = readings_for(services)  # type: ignore[assignment]
        services.__dict__["readings"] = readings
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(ask, range(8)))
        assert len({id(each) for each in found}) == 1
    finally:
        services.close()


def test_a_change_takes_the_old_ones_place_while_whoever_holds_that_goes_on(own: Services) -> None:
    readings = CopiedReadings(own)
    try:
        before = readings.current("executive")
        rows = _accounts(before)
        own.warehouse.execute_in_transaction(["DELETE FROM marts.accounts"])
        after = readings.refresh()
        assert (rows > 0, _accounts(before), _accounts(after)) == (True, rows, 0)
        assert before.version != after.version
        assert readings.current("executive") is after
        assert readings.refresh() is after
    finally:
        readings.close()


def test_a_change_arrives_by_itself(own: Services) -> None:
    readings = CopiedReadings(own, seconds=0.02)
    try:
        before = readings.current("executive")
        own.warehouse.execute_in_transaction(["DELETE FROM marts.accounts"])
        deadline = time.monotonic() + 30
        while readings.current("executive") is before and time.monotonic() < deadline:
            time.sleep(0.01)
        assert _accounts(readings.current("executive")) == 0
    finally:
        readings.close()


def test_a_writer_finds_the_file_free_while_readings_are_held(own: Services) -> None:
    held = own.readings.current("executive")
    own.warehouse.execute_in_transaction(["DELETE FROM marts.invoices"])
    assert held.query("SELECT COUNT(*) AS n FROM marts.invoices").to_pylist()[0]["n"] > 0


def test_loads_that_no_model_was_built_from_move_the_version_and_leave_the_copy(own: Services) -> None:
    number = (
        'INSERT INTO "_sophia"."builds" (model, table_name, load_id, loaded_through, shares) '
        "VALUES ('marts.accounts', '', 'first', NULL, '')"
    )
    readings = CopiedReadings(own)
    try:
        own.warehouse.execute_in_transaction([number])
        before = readings.current("executive")
        moved = 'UPDATE "_sophia"."state" SET load_id = \'other\', loaded_through = loaded_through + INTERVAL 1 HOUR'
        own.warehouse.execute_in_transaction([f"{moved} WHERE table_name = 'hubspot.deals'"])
        after = readings.refresh()
        assert after.copy is before.copy
        assert after.version != before.version
        own.warehouse.execute_in_transaction(['UPDATE "_sophia"."builds" SET load_id = \'second\''])
        assert readings.refresh().copy is not before.copy
    finally:
        readings.close()


def test_metrics_whose_data_breaks_its_rules_are_gone_and_come_back(own: Services) -> None:
    def judge(passed: bool) -> None:
        outcome = Outcome("unique", passed, "error", "", "", guards_downstream=True)
        own.quality_failures.record("marts.recurring_revenue", "load", [outcome])

    readings = CopiedReadings(own)
    try:
        before = readings.current("executive")
        judge(passed=False)
        broken = readings.refresh()
        assert broken.unusable == ("marts.recurring_revenue",)
        gone = before.catalog.metrics.keys() - broken.catalog.metrics.keys()
        assert {"mrr", "revenue_per_customer", "revenue_churn_rate"} <= gone
        assert broken.copy is before.copy
        judge(passed=True)
        assert readings.refresh().version == before.version
    finally:
        readings.close()


def test_what_was_read_before_answers_while_the_warehouse_cannot_be_read(
    own: Services, caplog: pytest.LogCaptureFixture
) -> None:
    readings = CopiedReadings(own, seconds=0.01)
    try:
        before = readings.current("executive")
        own.home.warehouse_file.rename(own.home.path / "away")
        deadline = time.monotonic() + 20
        while "goes on answering" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.01)
        assert readings.current("executive") is before
        assert caplog.text.count("goes on answering") == 1
        assert _accounts(before) > 0
    finally:
        readings.close()


@pytest.mark.long
def test_memory_stays_flat_over_fifty_copies(own: Services) -> None:
    psutil = pytest.importorskip("psutil")
    readings = CopiedReadings(own)
    sizes = []
    try:
        for number in range(50):
            own.warehouse.execute_in_transaction([f"UPDATE marts.accounts SET account = '{number}'"])
            assert _accounts(readings.refresh()) > 0
            sizes.append(psutil.Process().memory_info().rss)
    finally:
        readings.close()
    assert max(sizes[25:]) < max(sizes[5:15]) * 1.15
