"""Snowflake through the real connector: watermarks, tables that lack columns, logins that fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from sophia_assets.errors import AuthenticationFailed, ConfigurationError, ResponseInvalid
from sophia_assets.sandbox.company_data import SnowflakeData, SnowflakeTable
from sophia_assets.sources.declarations import Window
from sophia_assets.sources.snowflake.client import SnowflakeSource
from sophia_assets.sources.snowflake.connection import SnowflakeConnection
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.sandbox.small_company import Served, served, small_company
from sophia_assets_tests.sources.complete_company import EVERYTHING, START, contents, ingest, source_for

_PLAIN_DEALS = SnowflakeTable(
    "SALES.DEALS",
    {"DEAL_ID": "VARCHAR", "DEAL_NAME": "VARCHAR", "AMOUNT": "NUMBER(38,2)", "STAGE": "VARCHAR", "COLOUR": "VARCHAR"},
    [("1", "Big", Decimal("12.50"), "won", "red"), ("2", "Small", None, "lost", None)],
)
_NO_AMOUNT = SnowflakeTable("FINANCE.INVOICES", {"AMOUNT": "NUMBER(18,2)"}, [])


@pytest.fixture(scope="module")
def plain() -> Iterator[Served]:
    """An account whose SALES.DEALS has only what it must have, and whose FINANCE.INVOICES lacks its key."""
    data = SnowflakeData("SANDBOX", [_PLAIN_DEALS, _NO_AMOUNT])
    with served(small_company(hubspot=None, gong=None, snowflake=data)) as sandbox:
        yield sandbox


def test_a_table_without_the_optional_columns_is_read_whole_and_they_stay_empty(
    plain: Served, warehouse: DuckDBWarehouse
) -> None:
    window = Window(START, START + timedelta(days=1))
    ingest(source_for("snowflake", plain.env), "sales_deals", warehouse, window)

    deals = contents(warehouse, "snowflake.sales_deals")
    assert [(found["deal_id"], found["amount"], found["probability"]) for found in deals] == [
        ("1", Decimal("12.5000"), None),
        ("2", None, None),
    ]


def test_a_table_without_an_indispensable_column_is_refused_by_name(plain: Served) -> None:
    with pytest.raises(ResponseInvalid, match=r"FINANCE\.INVOICES lacks INVOICE_ID"):
        list(source_for("snowflake", plain.env).read("invoices", EVERYTHING))


def test_a_table_that_is_not_there_says_what_to_grant(plain: Served) -> None:
    with pytest.raises(AuthenticationFailed, match=r"grant SELECT on FINANCE\.SUBSCRIPTIONS"):
        list(source_for("snowflake", plain.env).read("subscriptions", EVERYTHING))


def test_a_wrong_password_names_the_settings(plain: Served) -> None:
    with pytest.raises(AuthenticationFailed, match="SNOWFLAKE_PASSWORD"):
        source_for("snowflake", plain.env | {"SNOWFLAKE_PASSWORD": "wrong"}).ping()


def test_the_watermark_is_closed_above_and_open_to_the_microsecond(sandbox: Served, warehouse: DuckDBWarehouse) -> None:
    first = datetime(2026, 1, 1, 9, microsecond=123, tzinfo=UTC)
    window = Window(first, first + timedelta(days=2))
    ingest(source_for("snowflake", sandbox.env), "invoices", warehouse, window)

    found = [row["updated_at"].replace(tzinfo=UTC) for row in contents(warehouse, "snowflake.invoices")]
    assert found == [first, first + timedelta(days=1)]


def test_a_private_key_that_cannot_be_read_names_its_setting(plain: Served, tmp_path: Path) -> None:
    connection = SnowflakeConnection.from_settings(plain.env)
    key = tmp_path / "key.pem"
    key.write_text("no key")

    with pytest.raises(AuthenticationFailed, match="SNOWFLAKE_PRIVATE_KEY_PATH"):
        SnowflakeSource(replace(connection, private_key_path=str(key))).ping()


def test_a_port_that_is_no_number_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="SNOWFLAKE_PORT"):
        SnowflakeConnection.from_settings({"SNOWFLAKE_PORT": "https"})
