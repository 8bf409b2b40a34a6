"""What holds of loads into DuckDB holds of loads into Snowflake: the same tests, against fakesnow's server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from sophia_assets.warehouse.snowflake_warehouse import SnowflakeWarehouse
from sophia_assets_tests.warehouse import (
    small_source,
    test_drift,
    test_history,
    test_loading,
    test_overlapping_loads,
    test_quarantine,
    test_sweeps,
)
from sophia_assets_tests.warehouse.snowflake_server import SnowflakeServer, snowflake_server

pytestmark = [pytest.mark.long, pytest.mark.takes(150), pytest.mark.timeout(300)]

_SAME = (test_loading, test_sweeps, test_quarantine, test_drift, test_overlapping_loads, test_history)
# These open or change a DuckDB file themselves, or are about DuckDB's memory and its transactional DDL.
_OF_FILES = {
    "test_a_moment_outlives_a_kill",
    "test_a_table_that_begins_to_keep_versions_knows_them_since_its_last_load",
    "test_a_vanished_column_can_be_accepted",
    "test_an_older_file_is_brought_up_and_known_since_its_last_load",
    "test_many_versions_and_moments_go_through_in_parts",
    "test_spans_keys_and_versions_outlive_a_kill",
    "test_statements_are_executed_all_or_none",
    "test_the_quarantine_is_bounded_and_all_are_counted",
}


def _tests_of(module: ModuleType) -> dict[str, object]:
    return {name: test for name, test in vars(module).items() if name.startswith("test_") and callable(test)}


for _module in _SAME:
    globals().update({name: test for name, test in _tests_of(_module).items() if name not in _OF_FILES})


@pytest.fixture(scope="module")
def server() -> Iterator[SnowflakeServer]:
    """One server for all tests."""
    with snowflake_server() as running:
        yield running


@pytest.fixture
def warehouse(server: SnowflakeServer, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SnowflakeWarehouse]:
    """An empty warehouse with the tables of the module that the test is from."""
    tables = request.function.__globals__.get("TABLES", small_source.TABLES)
    made = SnowflakeWarehouse(server.new_account(), tmp_path, tables=tables, checkpoint_seconds=0)
    yield made
    made.close()
