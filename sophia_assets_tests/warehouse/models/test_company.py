"""The company that the models are tested on has something to find in every raw table."""

from __future__ import annotations

from sophia_assets.sources import registry
from sophia_assets_tests.warehouse.models.loaded_company import Tables


def test_every_raw_table_has_rows(company: Tables) -> None:
    assert [table.qualified_name for table in registry.tables() if company.raw(table.qualified_name).empty] == []
