"""The warehouse's account: how it is logged in to, what is told when that fails, and what is read in place there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sophia_assets.errors import ConfigurationError, SchemaDrift, WarehouseUnavailable
from sophia_assets.sandbox.company_data import SnowflakeData, SnowflakeTable
from sophia_assets.sandbox.config import Credentials
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import ReadItem, Window
from sophia_assets.sources.snowflake.connection import SnowflakeConnection
from sophia_assets.warehouse.interface import Load
from sophia_assets.warehouse.snowflake_session import SnowflakeAccount
from sophia_assets.warehouse.snowflake_warehouse import SnowflakeWarehouse, tables_in_place
from sophia_assets_tests.sandbox.small_company import Served, served, small_company
from sophia_assets_tests.warehouse.small_source import END, TABLES
from sophia_assets_tests.warehouse.snowflake_server import account_of

pytestmark = pytest.mark.timeout(300)

_INVOICES = SnowflakeTable(
    "FINANCE.INVOICES",
    {
        "INVOICE_ID": "VARCHAR",
        "ACCOUNT_ID": "VARCHAR",
        "AMOUNT": "VARCHAR",
        "ISSUED_ON": "DATE",
        "UPDATED_AT": "TIMESTAMP_NTZ",
        "BOOKED_BY": "VARCHAR",
    },
    [
        ("I1", "A", "10.5", date(2026, 1, 2), datetime(2026, 1, 2, 9), "x"),
        ("I1", "A", "11.5", date(2026, 1, 2), datetime(2026, 1, 3, 9), "x"),
        ("I2", "B", "unknown", None, datetime(2026, 1, 4, 9), None),
        (None, "C", "1", None, datetime(2026, 1, 4, 9), None),
    ],
)
_TABLE = registry.table("snowflake.invoices")
_PASSPHRASE = "open sesame"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def sandbox(key: rsa.RSAPrivateKey) -> Iterator[Served]:
    """A small company with invoices, in an account that takes the key."""
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    company = small_company(hubspot=None, gong=None, snowflake=SnowflakeData("SANDBOX", [_INVOICES]))
    with served(company, credentials=Credentials(snowflake_public_key=public.decode())) as started:
        yield started


@pytest.fixture
def account(sandbox: Served) -> SnowflakeAccount:
    return account_of(sandbox.env)


@pytest.fixture
def source(sandbox: Served) -> SnowflakeConnection:
    return SnowflakeConnection.from_settings(sandbox.env)


def test_an_encrypted_private_key_opens_the_warehouse(
    account: SnowflakeAccount, key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    path = tmp_path / "rsa.p8"
    encryption = serialization.BestAvailableEncryption(_PASSPHRASE.encode())
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
    by_key = replace(account, password="", private_key_path=str(path), private_key_passphrase=_PASSPHRASE)

    assert SnowflakeWarehouse(by_key, tmp_path, tables=TABLES).row_counts() == {"shop.items": 0, "shop.parts": 0}


def test_a_key_that_cannot_be_read_is_told_without_its_passphrase(account: SnowflakeAccount, tmp_path: Path) -> None:
    path = tmp_path / "rsa.p8"
    path.write_text("no key")
    by_key = replace(account, password="", private_key_path=str(path), private_key_passphrase=_PASSPHRASE)

    with pytest.raises(ConfigurationError, match="private key cannot be read") as caught:
        SnowflakeWarehouse(by_key, tmp_path, tables=TABLES)
    assert _PASSPHRASE not in str(caught.value)


def test_a_refused_login_is_told(account: SnowflakeAccount, tmp_path: Path) -> None:
    with pytest.raises(WarehouseUnavailable, match="refused the warehouse's login"):
        SnowflakeWarehouse(replace(account, password="wrong"), tmp_path, tables=TABLES)


def test_source_tables_of_the_same_account_are_shown_and_not_copied(
    account: SnowflakeAccount, source: SnowflakeConnection, tmp_path: Path
) -> None:
    in_place = tables_in_place(account, source)
    warehouse = SnowflakeWarehouse(account, tmp_path, tables=[_TABLE], in_place=in_place)
    (result,) = warehouse.load(Load("1", "1", [_TABLE], Window(None, END)), _nothing_is_read)

    assert (result.rows_total, result.inserted) == (2, 0)
    assert result.notices == ("read in place: a view over SANDBOX.FINANCE.INVOICES",)
    # The newest row of each key, in the declared types; what does not fit, and what the source lacks, is empty.
    found = warehouse.query(
        "SELECT invoice_id, amount, issued_on, status, _deleted_at FROM snowflake.invoices ORDER BY invoice_id"
    )
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        ("I1", Decimal("11.5"), date(2026, 1, 2), None, None),
        ("I2", None, None, None, None),
    ]
    state = warehouse.table_state("snowflake.invoices")
    assert state is not None
    assert (state.rows_total, state.newest) == (2, datetime.fromisoformat("2026-01-04T09:00:00+00:00"))
    assert warehouse.recorded("1") == [result]


def test_a_source_that_lacks_what_nothing_can_be_done_without_is_drift(
    sandbox: Served, account: SnowflakeAccount, source: SnowflakeConnection, tmp_path: Path
) -> None:
    table = registry.table("snowflake.satisfaction")
    location = {"snowflake.satisfaction": "SANDBOX.FINANCE.INVOICES"}
    warehouse = SnowflakeWarehouse(account, tmp_path, tables=[replace(table, primary_key=("response_id",))])
    warehouse.in_place = location

    with pytest.raises(SchemaDrift, match="lacks RESPONSE_ID"):
        warehouse.load(Load("2", "2", [table], Window(None, END)), [])


def test_tables_of_another_account_and_those_that_keep_versions_are_copied(
    account: SnowflakeAccount, source: SnowflakeConnection
) -> None:
    assert tables_in_place(account, source).keys() == {
        f"snowflake.{name}" for name in ("invoices", "satisfaction", "subscriptions")
    }
    assert tables_in_place(replace(account, host="other.example.com"), source) == {}


def _nothing_is_read(position: Any) -> Iterable[ReadItem]:
    raise AssertionError("what is read in place is not read through the connector")
