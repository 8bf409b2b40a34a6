"""Snowflake through the real connector: watermarks, tables that lack columns, logins that fail."""

from __future__ import annotations

import subprocess
import sys
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


_READ_IN_EIGHT_THREADS_AT_ONCE = """
import base64, io, sys, threading
import pyarrow as pa
from snowflake.connector.arrow_context import ArrowConverterContext
from snowflake.connector.result_batch import ArrowResultBatch
from sophia_assets.sources.snowflake.client import arrow_table

schema = pa.schema([pa.field("N", pa.string(), metadata={"logicalType": "TEXT"})])
sink = io.BytesIO()
with pa.ipc.new_stream(sink, schema) as stream:
    stream.write_table(pa.table({"N": ["x"]}, schema=schema))
data = base64.b64encode(sink.getvalue()).decode()
context = ArrowConverterContext({"TIMEZONE": "UTC"})
start, rows = threading.Barrier(8), []

def read():
    batch = ArrowResultBatch.from_data(data, 1, context, False, False, [], True)
    start.wait()
    rows.append(arrow_table(batch).num_rows)

sys.setswitchinterval(1e-6)
threads = [threading.Thread(target=read, daemon=True) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sum(rows))
"""


def test_the_first_batches_of_a_process_may_be_read_in_several_threads() -> None:
    # In processes of their own, since only the first batch of a process can meet another one's.
    readers = [
        subprocess.Popen([sys.executable, "-c", _READ_IN_EIGHT_THREADS_AT_ONCE], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    try:
        assert [reader.communicate(timeout=60)[0].strip() for reader in readers] == ["8"] * 4
    finally:
        for reader in readers:
            reader.kill()
            reader.wait()
