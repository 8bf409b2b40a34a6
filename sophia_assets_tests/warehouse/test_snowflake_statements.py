"""What is sent to Snowflake: asserted where fakesnow takes statements for less, or for more, than Snowflake does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from sophia_assets.sources.declarations import CompleteSet, Deleted
from sophia_assets.warehouse.snowflake_session import SnowflakeAccount
from sophia_assets.warehouse.snowflake_warehouse import SnowflakeWarehouse
from sophia_assets_tests.warehouse.small_source import TABLES, item, load, rows
from sophia_assets_tests.warehouse.snowflake_server import SnowflakeServer, snowflake_server

pytestmark = pytest.mark.timeout(300)

_DEFINES = re.compile(r"\s*(CREATE|ALTER|DROP|TRUNCATE|GRANT|COMMENT)\b", re.I)


@pytest.fixture(scope="module")
def server() -> Iterator[SnowflakeServer]:
    """One server for all tests."""
    with snowflake_server() as running:
        yield running


@pytest.fixture
def warehouse(server: SnowflakeServer, tmp_path: Path) -> Iterator[SnowflakeWarehouse]:
    """An empty warehouse."""
    made = SnowflakeWarehouse(server.new_account(), tmp_path, tables=TABLES)
    yield made
    made.close()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, warehouse: SnowflakeWarehouse) -> list[tuple[str, dict[str, Any]]]:
    """Every statement that reaches the connector from here on, with its query tag."""
    from snowflake.connector.cursor import SnowflakeCursor

    found: list[tuple[str, dict[str, Any]]] = []
    execute = SnowflakeCursor.execute

    def recorded(cursor: SnowflakeCursor, command: str, *given: Any, **more: Any) -> Any:
        found.append((command, orjson.loads((more.get("_statement_params") or {}).get("QUERY_TAG", "{}"))))
        return execute(cursor, command, *given, **more)

    monkeypatch.setattr(SnowflakeCursor, "execute", recorded)
    return found


def _in_transactions(sent: list[tuple[str, dict[str, Any]]]) -> list[list[str]]:
    """The statements between each BEGIN and its COMMIT."""
    found: list[list[str]] = []
    is_open = False
    for statement, _ in sent:
        if statement == "BEGIN":
            is_open = True
            found.append([])
        elif statement in ("COMMIT", "ROLLBACK"):
            is_open = False
        elif is_open:
            found[-1].append(statement)
    return found


def test_no_statement_of_a_load_s_transaction_would_end_it(
    warehouse: SnowflakeWarehouse, sent: list[tuple[str, dict[str, Any]]]
) -> None:
    load(warehouse, rows(item("A"), item("B"), item("E", pieces="many")), Deleted("items", [("B",)]), run_id="1")
    load(warehouse, rows(item("A", name="Sofa")), CompleteSet("items"), run_id="2")

    transactions = _in_transactions(sent)
    assert len(transactions) == 2
    assert all(not _DEFINES.match(statement) for statements in transactions for statement in statements)
    assert [statements[0].split()[:2] for statements in transactions] == [["UPDATE", '"_sophia"."writer"']] * 2


def test_rows_are_uploaded_copied_and_merged(
    warehouse: SnowflakeWarehouse, sent: list[tuple[str, dict[str, Any]]]
) -> None:
    load(warehouse, rows(item("A")))

    kinds = [" ".join(statement.split()[:2]) for statement, _ in sent]
    wanted = ["CREATE TRANSIENT", "CREATE TEMPORARY", "PUT", "COPY INTO", "BEGIN", "MERGE INTO", "COMMIT", "DROP TABLE"]
    places = [next(place for place, kind in enumerate(kinds) if kind.startswith(name)) for name in wanted]
    assert places == sorted(places)
    copy = next(statement for statement, _ in sent if statement.startswith("COPY INTO"))
    assert copy.endswith(
        "FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE "
        "ON_ERROR = ABORT_STATEMENT PURGE = TRUE"
    )


def test_every_statement_says_for_which_run_and_table_it_is(
    warehouse: SnowflakeWarehouse, sent: list[tuple[str, dict[str, Any]]]
) -> None:
    load(warehouse, rows(item("A")), run_id="morning")

    merges = [tag for statement, tag in sent if statement.startswith("MERGE")]
    assert merges == [{"app": "sophia-assets", "run": "morning", "load": "morning", "table": "shop.items"}]
    assert all(tag["app"] == "sophia-assets" for _, tag in sent)


def test_models_are_replaced_in_one_transaction_without_a_definition(
    warehouse: SnowflakeWarehouse, sent: list[tuple[str, dict[str, Any]]]
) -> None:
    selects = {"staging.one": "SELECT item_id FROM shop.items", "marts.two": "SELECT COUNT(*) AS n FROM staging.one"}
    load(warehouse, rows(item("A")), run_id="1")
    sent.clear()

    warehouse.replace_tables(selects, lambda _: None)

    (transaction,) = _in_transactions(sent)
    assert [" ".join(statement.split()[:3]) for statement in transaction] == [
        'UPDATE "_sophia"."writer" SET',
        "DELETE FROM staging.one",
        "INSERT INTO staging.one",
        "DELETE FROM marts.two",
        "INSERT INTO marts.two",
    ]
    assert warehouse.query("SELECT n FROM marts.two").to_pylist() == [{"n": 1}]


def test_models_that_cannot_be_built_leave_all_as_they_were(warehouse: SnowflakeWarehouse) -> None:
    good = {"marts.one": "SELECT 1 AS a", "marts.two": "SELECT a FROM marts.one"}
    warehouse.replace_tables(good, lambda _: None)
    with pytest.raises(Exception, match="NOWHERE"):
        warehouse.replace_tables({**good, "marts.one": "SELECT 2 AS a", "marts.three": "SELECT a FROM marts.nowhere"},
                                 lambda _: None)  # fmt: skip

    assert warehouse.query("SELECT one.a AS a, two.a AS b FROM marts.one CROSS JOIN marts.two").to_pylist() == [
        {"a": 1, "b": 1}
    ]


def test_a_model_whose_columns_have_changed_is_replaced(warehouse: SnowflakeWarehouse) -> None:
    warehouse.replace_tables({"marts.one": "SELECT 1 AS a"}, lambda _: None)
    warehouse.replace_tables({"marts.one": "SELECT 'x' AS a, 2 AS b"}, lambda _: None)
    warehouse.replace_tables({"marts.one": "SELECT 3 AS c"}, lambda _: None, kept=["marts.one"])

    assert warehouse.query("SELECT * FROM marts.one").to_pylist() == [{"a": "x", "b": 2}]


def test_sessions_are_told_what_the_statements_rely_on() -> None:
    account = SnowflakeAccount("acme", "sophia", "SOPHIA", "WH", role="LOADER", private_key_path="/keys/rsa.p8",
                               private_key_passphrase="open")  # fmt: skip
    arguments = account.resource_arguments()

    assert (arguments["private_key_path"], arguments["private_key_password"]) == ("/keys/rsa.p8", "open")
    assert "password" not in arguments
    assert (arguments["database"], arguments["warehouse"], arguments["role"]) == ("SOPHIA", "WH", "LOADER")
    assert (arguments["paramstyle"], arguments["autocommit"]) == ("qmark", True)
    told = arguments["additional_snowflake_connection_args"]["session_parameters"]
    assert told["QUOTED_IDENTIFIERS_IGNORE_CASE"] is True
    assert (told["TIMEZONE"], told["TIMESTAMP_TYPE_MAPPING"]) == ("UTC", "TIMESTAMP_NTZ")
    assert told["LOCK_TIMEOUT"] > 300
    assert "open" not in repr(account)
