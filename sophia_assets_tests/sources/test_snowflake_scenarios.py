"""What befalls whoever reads a Snowflake account for a while: drift, deletions, cuts, odd values, other logins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sophia_assets.errors import AuthenticationFailed, ConnectionFailed, PermissionMissing, SchemaDrift
from sophia_assets.sandbox.company_data import SnowflakeData, SnowflakeTable
from sophia_assets.sandbox.config import Credentials
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Checkpoint, PresentKeys, ReadItem, Rows, Window
from sophia_assets.sources.snowflake.client import _ALWAYS_SWEPT, SnowflakeSource
from sophia_assets.sources.snowflake.connection import SnowflakeConnection
from sophia_assets.sources.snowflake.queries import TableReader
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.sandbox.small_company import Served, served, small_company
from sophia_assets_tests.sources.complete_company import (
    END,
    EVERYTHING,
    IMPATIENT,
    START,
    another,
    contents,
    ingest,
    snowflake_data,
    source_for,
)

_INVOICES = {"INVOICE_ID": "VARCHAR", "AMOUNT": "NUMBER(38,2)", "UPDATED_AT": "TIMESTAMP_NTZ"}
INCREMENT = Window(START + timedelta(days=5), END)


def _only_snowflake(data: SnowflakeData) -> Any:
    others = dict.fromkeys(("hubspot", "gong", "slack", "linear", "pinecone", "redis"))
    return small_company(**{**others, "snowflake": data})


def _invoices(*rows: tuple[Any, ...]) -> Any:
    return _only_snowflake(SnowflakeData("SANDBOX", [SnowflakeTable("FINANCE.INVOICES", dict(_INVOICES), rows)]))


@pytest.fixture(scope="module")
def account() -> Iterator[Served]:
    """One account for all tests; each loads it with what it needs."""
    with served(_only_snowflake(snowflake_data(5))) as sandbox:
        yield sandbox


@pytest.fixture
def running(account: Served) -> Iterator[Served]:
    """The account with every declared table, thirty rows each."""
    account.app.standins["snowflake"].load(_only_snowflake(snowflake_data()))
    yield account
    account.app.faults.clear()


def _read(sandbox: Served, group: str = "invoices", window: Window = EVERYTHING, resume: Any = None) -> list[ReadItem]:
    return list(source_for("snowflake", sandbox.env).read(group, window, resume))


def _rows(items: Sequence[ReadItem]) -> list[Any]:
    return [row for item in items if isinstance(item, Rows) for row in item.rows]


def _ids(warehouse: DuckDBWarehouse) -> list[str]:
    return [row["invoice_id"] for row in contents(warehouse, "snowflake.invoices")]


def test_a_row_that_was_deleted_is_tombstoned_although_no_row_says_so(
    running: Served, warehouse: DuckDBWarehouse
) -> None:
    source = source_for("snowflake", running.env)
    ingest(source, "invoices", warehouse, run_id="first")
    running.app.faults.add("snowflake:hard_delete:2")
    ingest(source, "invoices", warehouse, Window(END - timedelta(days=1), END), "again")

    assert len(_ids(warehouse)) == 28


def test_a_row_touched_after_the_window_is_not_taken_for_deleted(running: Served, warehouse: DuckDBWarehouse) -> None:
    source = source_for("snowflake", running.env)
    ingest(source, "invoices", warehouse, run_id="first")
    ingest(source, "invoices", warehouse, Window(None, START + timedelta(days=3)), "shorter")

    assert len(_ids(warehouse)) == 30


def test_a_large_table_has_its_keys_listed_once_a_week(running: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sophia_assets.sources.snowflake.client._ALWAYS_SWEPT", 10)
    monday = datetime(2026, 3, 2, tzinfo=UTC)
    days = [Window(monday + timedelta(days=day - 1), monday + timedelta(days=day)) for day in range(1, 8)]
    swept = [any(isinstance(item, PresentKeys) for item in _read(running, window=day)) for day in days]

    assert _ALWAYS_SWEPT == 250_000
    assert swept == [False] * 6 + [True]


def test_rows_without_a_watermark_come_with_every_window(account: Served) -> None:
    dated = START.replace(tzinfo=None) + timedelta(days=6)
    rows = [("old", Decimal(1), START.replace(tzinfo=None)), ("new", Decimal(2), dated), ("never", Decimal(3), None)]
    account.app.standins["snowflake"].load(_invoices(*rows))

    assert [row["invoice_id"] for row in _rows(_read(account))] == ["old", "new", "never"]
    assert [row["invoice_id"] for row in _rows(_read(account, window=INCREMENT))] == ["new", "never"]


def test_an_empty_table_is_read_without_any_row(account: Served) -> None:
    account.app.standins["snowflake"].load(_invoices())

    assert _rows(_read(account)) == []


def test_amounts_are_exact_and_the_year_9999_is_a_year(account: Served) -> None:
    far, large = datetime(9999, 12, 31, 23, 59, 59), Decimal("12345678901234567890123456.78")
    account.app.standins["snowflake"].load(_invoices(("1", large, far), ("2", Decimal("0.10"), None)))
    late = Window(None, datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))

    found = _rows(_read(account, window=late))
    assert [(row["amount"], row["updated_at"]) for row in found] == [
        (large, far),
        (Decimal("0.10"), None),
    ]


def test_a_read_resumed_behind_any_checkpoint_brings_the_rest(account: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = [START.replace(tzinfo=None) + timedelta(hours=number // 7) for number in range(40)]
    rows: list[tuple[Any, ...]] = [
        (f"{number % 37:03d}", Decimal(number), moment) for number, moment in enumerate(moments)
    ]
    rows += [(f"n{number}", Decimal(number), None) for number in range(9)]
    account.app.standins["snowflake"].load(_invoices(*rows))
    monkeypatch.setattr("sophia_assets.sources.snowflake.client._BATCH_ROWS", 4)
    items = _read(account)
    places = [place for place, item in enumerate(items) if isinstance(item, Checkpoint)]
    assert len(places) == 14
    for place in places:
        checkpoint = items[place]
        assert isinstance(checkpoint, Checkpoint)
        rest = {(row["invoice_id"], row["amount"]) for row in _rows(_read(account, resume=checkpoint.position))}
        assert {(row["invoice_id"], row["amount"]) for row in _rows(items[place:])} <= rest
        assert len(rest) <= len(_rows(items[place:])) + 1


def test_a_connection_that_is_cut_in_mid_answer_is_taken_up_again(running: Served, warehouse: DuckDBWarehouse) -> None:
    running.app.faults.add("snowflake:cut:0.2")
    connection = SnowflakeConnection.from_settings(running.env)
    source = SnowflakeSource(connection, retry=replace(IMPATIENT, attempts=20))
    ingest(source, "invoices", warehouse)

    assert len(_ids(warehouse)) == 30


def test_a_cut_that_lasts_is_a_failed_connection(running: Served) -> None:
    running.app.faults.add("snowflake:down")

    with pytest.raises(ConnectionFailed):
        _read(running)


def test_rows_in_any_order_and_with_older_versions_give_the_newest(running: Served, warehouse: DuckDBWarehouse) -> None:
    source = source_for("snowflake", running.env)
    ingest(source, "sales_deals", warehouse)
    tidy = contents(warehouse, "snowflake.sales_deals")
    running.app.faults.add("snowflake:pages:3")
    untidy = another(warehouse, "untidy")
    [result] = ingest(source, "sales_deals", untidy)

    assert result.rows_read > len(tidy) == 30
    assert contents(untidy, "snowflake.sales_deals") == tidy


def test_an_indispensable_column_that_vanished_is_drift_by_name(running: Served) -> None:
    running.app.faults.add("snowflake:drop_column:3")

    with pytest.raises(SchemaDrift, match=r"SALES\.DEALS lacks AMOUNT"):
        _read(running, "sales_deals")


def test_another_column_that_vanished_is_drift_too_once_it_held_values(
    running: Served, warehouse: DuckDBWarehouse
) -> None:
    source = source_for("snowflake", running.env)
    ingest(source, "sales_deals", warehouse, run_id="first")
    before = contents(warehouse, "snowflake.sales_deals")
    running.app.faults.add("snowflake:drop_column:5")

    with pytest.raises(SchemaDrift, match=r"(?i)probability"):
        ingest(source, "sales_deals", warehouse, run_id="again")
    assert contents(warehouse, "snowflake.sales_deals") == before


def test_a_watermark_that_is_no_time_any_more_is_drift(running: Served) -> None:
    place = len(registry.table("snowflake.sales_deals").columns)
    running.app.faults.add(f"snowflake:retype_column:{place}")

    with pytest.raises(SchemaDrift, match="UPDATED_AT"):
        _read(running, "sales_deals")


def test_a_new_column_is_kept_beside_the_declared_ones(running: Served, warehouse: DuckDBWarehouse) -> None:
    running.app.faults.add("snowflake:new_column")
    ingest(source_for("snowflake", running.env), "sales_deals", warehouse)

    assert {row["_extra"] for row in contents(warehouse, "snowflake.sales_deals")} == {'{"region":"north"}'}


def test_values_of_a_changed_type_set_their_rows_aside(running: Served, warehouse: DuckDBWarehouse) -> None:
    source = source_for("snowflake", running.env)
    ingest(source, "sales_deals", warehouse, run_id="first")
    before = contents(warehouse, "snowflake.sales_deals")
    running.app.faults.add("snowflake:retype_column:3")
    [result] = ingest(source, "sales_deals", warehouse, run_id="again")

    assert result.quarantined == {"amount": 1}
    assert contents(warehouse, "snowflake.sales_deals") == before


def test_names_are_asked_for_as_the_source_spells_them() -> None:
    table = registry.table("snowflake.invoices")
    described = {"Invoice_Id": "TEXT", 'odd "name"': "TEXT", "PICTURE": "BINARY", "UPDATED_AT": "TIMESTAMP_TZ"}
    statement, parameters = TableReader.of(table, "DB.FINANCE.INVOICES", described).rows(Window(START, END))

    assert statement.startswith('SELECT "Invoice_Id", "odd ""name""", "UPDATED_AT" FROM DB.FINANCE.INVOICES WHERE')
    assert parameters == ["2026-01-01 09:00:00.000000", "2026-07-01 00:00:00.000000"]


@pytest.fixture(scope="module")
def key_pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """The user's private key, a stranger's, and the user's public key as PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    folder = tmp_path_factory.mktemp("keys")
    own, other = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
    paths = []
    for name, key in (("own", own), ("other", other)):
        path = folder / f"{name}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        paths.append(path)
    public = own.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return paths[0], paths[1], public.decode()


def test_a_key_pair_opens_the_account_and_a_strangers_does_not(key_pair: tuple[Path, Path, str]) -> None:
    own, other, public = key_pair
    with served(_only_snowflake(snowflake_data(1)), credentials=Credentials(snowflake_public_key=public)) as sandbox:
        env = {**sandbox.env, "SNOWFLAKE_PASSWORD": ""}
        assert "accepts the login" in source_for("snowflake", env | {"SNOWFLAKE_PRIVATE_KEY_PATH": str(own)}).ping()
        with pytest.raises(AuthenticationFailed, match="SNOWFLAKE_PRIVATE_KEY_PATH"):
            source_for("snowflake", env | {"SNOWFLAKE_PRIVATE_KEY_PATH": str(other)}).ping()


@pytest.mark.parametrize("setting", ["SNOWFLAKE_ROLE", "SNOWFLAKE_WAREHOUSE", "SNOWFLAKE_DATABASE"])
def test_a_wrong_setting_is_named_with_what_to_grant(running: Served, setting: str) -> None:
    source = source_for("snowflake", running.env | {setting: "ELSEWHERE"})

    with pytest.raises(PermissionMissing, match=f"{setting}, and grant"):
        list(source.read("invoices", EVERYTHING))
