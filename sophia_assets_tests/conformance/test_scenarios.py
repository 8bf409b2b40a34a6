"""Scenarios that any system may meet, on every registered system; what only one can meet is in its own tests."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from sophia_assets.errors import QuotaExhausted, SourceError
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.sandbox.standins.registry import fault_kinds
from sophia_assets.sources import registry
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.conformance.oracle import expected
from sophia_assets_tests.conformance.schedules import PATIENT, differences
from sophia_assets_tests.sandbox.small_company import Served
from sophia_assets_tests.sources.complete_company import ingest, source_for

each_system = pytest.mark.parametrize("system", registry.SYSTEMS)
# Redis has no such answer, and Snowflake's connector keeps its waiting to itself.
tells_how_long = pytest.mark.parametrize("system", [s for s in registry.SYSTEMS if s not in ("redis", "snowflake")])
HURRIED = RetryPolicy(attempts=3, first_delay=0.01, longest_delay=0.05, longest_wait=20.0, read_timeout=0.3)


def _load_everything(system: str, sandbox: Served, warehouse: DuckDBWarehouse, retry: RetryPolicy = PATIENT) -> None:
    source = source_for(system, sandbox.env, retry=retry)
    for group in registry.groups(system):
        ingest(source, group, warehouse, run_id=group)


def _assert_complete(system: str, sandbox: Served, warehouse: DuckDBWarehouse) -> None:
    for name, rows in expected(system, sandbox.app.company).items():
        assert differences(warehouse, name, rows) == []


@each_system
@pytest.mark.parametrize(
    "fault",
    [
        # The storm has these bursts in it.
        pytest.param("errors:0.3", id="bursts_of_5xx", marks=pytest.mark.long),
        pytest.param("cut:0.3", id="cut_connections"),
        pytest.param("torn:0.3", id="truncated_json"),
        pytest.param("slow:0.02", id="slow_answers", marks=pytest.mark.long),
        pytest.param("storm:0.3", id="a_storm_of_429_and_5xx"),
    ],
)
def test_nothing_is_lost_in(fault: str, system: str, sandbox: Served, warehouse: DuckDBWarehouse) -> None:
    sandbox.app.faults.add(f"{system}:{fault}")

    _load_everything(system, sandbox, warehouse)

    _assert_complete(system, sandbox, warehouse)


@pytest.mark.parametrize("system", [s for s in registry.SYSTEMS if "expired_cursor" in fault_kinds(s)])
def test_an_expired_cursor_loses_nothing(system: str, sandbox: Served, warehouse: DuckDBWarehouse) -> None:
    sandbox.app.faults.add(f"{system}:pages:3")
    sandbox.app.faults.add(f"{system}:expired_cursor:2")

    _load_everything(system, sandbox, warehouse)

    _assert_complete(system, sandbox, warehouse)


# Snowflake's connector keeps its own time-outs, of a minute and more.
@pytest.mark.parametrize("system", [s for s in registry.SYSTEMS if s != "snowflake"])
def test_answers_slower_than_the_patience_for_them_are_a_clear_failure(system: str, sandbox: Served) -> None:
    sandbox.app.faults.add(f"{system}:slow:60")

    with pytest.raises(SourceError) as caught:
        source_for(system, sandbox.env, retry=HURRIED).ping()

    assert (caught.value.system, caught.value.kind) == (system, "connection")


@tells_how_long
def test_a_retry_after_of_0_is_asked_again_at_once(system: str, sandbox: Served, warehouse: DuckDBWarehouse) -> None:
    sandbox.app.faults.add(f"{system}:rate_limit:0")
    throttled = sandbox.app.standins[system].counters.throttled

    source_for(system, sandbox.env, retry=PATIENT).ping()

    assert sandbox.app.standins[system].counters.throttled <= throttled + 1


@tells_how_long
def test_a_retry_after_of_30_within_patience_is_waited_for(system: str, sandbox: Served) -> None:
    requests = sandbox.app.standins[system].counters
    before = requests.requests
    sandbox.app.faults.add(f"{system}:rate_limit:30")
    source = source_for(system, sandbox.env, retry=RetryPolicy(longest_wait=90))

    def ask() -> None:
        with suppress(SourceError):
            source.ping()

    asked = threading.Thread(target=ask, daemon=True)
    asked.start()
    asked.join(2)

    assert asked.is_alive()
    assert requests.requests == before + 1


@tells_how_long
def test_a_retry_after_of_7200_ends_the_read_and_says_until_when(system: str, sandbox: Served) -> None:
    sandbox.app.faults.add(f"{system}:rate_limit:7200")

    with pytest.raises(QuotaExhausted) as caught:
        source_for(system, sandbox.env, retry=RetryPolicy()).ping()

    assert abs(caught.value.not_before - datetime.now(UTC) - timedelta(hours=2)) < timedelta(minutes=1)
