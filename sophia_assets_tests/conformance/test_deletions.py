"""What is deleted in a system goes from its tables, whichever system it is."""

from __future__ import annotations

import pytest

from sophia_assets.sources import registry
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.conformance.changes import after_deletions
from sophia_assets_tests.conformance.oracle import expected
from sophia_assets_tests.conformance.schedules import differences
from sophia_assets_tests.sandbox.small_company import Served
from sophia_assets_tests.sources.complete_company import ingest, source_for


@pytest.mark.parametrize("system", registry.SYSTEMS)
def test_a_full_read_removes_what_is_gone_and_nothing_else(
    system: str, sandbox: Served, warehouse: DuckDBWarehouse
) -> None:
    source = source_for(system, sandbox.env)
    for group in registry.groups(system):
        ingest(source, group, warehouse, run_id=f"{group} before")
    company = sandbox.app.company
    changed = after_deletions(system, company)
    sandbox.app.standins[system].load(changed)
    try:
        deleted = 0
        for group in registry.groups(system):
            deleted += sum(result.deleted for result in ingest(source, group, warehouse, run_id=f"{group} after"))
    finally:
        sandbox.app.standins[system].load(company)

    assert deleted > 0
    for name, rows in expected(system, changed).items():
        assert differences(warehouse, name, rows) == []
