"""The registry knows every system there is, and nothing heavy is imported to ask it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sophia_assets.errors import ConfigurationError
from sophia_assets.sources import registry


def test_systems_tables_and_groups_are_found() -> None:
    assert set(registry.SYSTEMS) == {"gong", "hubspot", "linear", "pinecone", "redis", "slack", "snowflake"}
    assert registry.table("hubspot.deals").primary_key == ("deal_id",)
    assert [table.name for table in registry.groups("linear")["issues"]] == ["issues", "issue_labels", "issue_history"]
    assert all(table in registry.tables() for table in registry.tables("gong"))


def test_what_is_unknown_is_refused_with_what_there_is() -> None:
    with pytest.raises(ConfigurationError, match=r"hubspot\.deals"):
        registry.table("hubspot.quotes")
    with pytest.raises(ConfigurationError, match="snowflake"):
        registry.tables("salesforce")


def test_heavy_libraries_are_not_imported_by_the_registry() -> None:
    script = (
        "import sys; from sophia_assets.sources import registry; registry.create_source_from_settings('snowflake', {});"
        "print([name for name in ('snowflake.connector', 'pandas', 'dagster', 'duckdb') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"
