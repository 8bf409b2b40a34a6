"""The Snowflake stand-in works with the real connector."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.company_data import SnowflakeTable
from sophia_assets_tests.sandbox.clients import Client
from sophia_assets_tests.sandbox.small_company import Served, served, small_company, small_snowflake

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    with served(small_company(hubspot=None, gong=None, snowflake=small_snowflake(3_000))) as started:
        yield started


@pytest.fixture
def control(running: Served) -> Iterator[Client]:
    client = Client(f"http://{running.env['SNOWFLAKE_HOST']}:{running.env['SNOWFLAKE_PORT']}")
    yield client
    client.delete("/_control/faults")


def connect(running: Served, **changes: Any) -> SnowflakeConnection:
    from snowflake.connector import connect

    env = running.env
    settings = {
        name: env[f"SNOWFLAKE_{name.upper()}"]
        for name in ("account", "user", "password", "database", "warehouse", "role", "host", "protocol")
    }
    return connect(**{**settings, "port": int(env["SNOWFLAKE_PORT"]), "login_timeout": 10, **changes})


def rows(connection: SnowflakeConnection, sql: str) -> list[Any]:
    return connection.cursor().execute(sql).fetchall()  # type: ignore[union-attr]


def test_rows_arrive_with_their_types(running: Served) -> None:
    with closing(connect(running)) as connection:
        first = rows(connection, "SELECT * FROM SALES.DEALS ORDER BY UPDATED_AT LIMIT 2")
    assert first == [
        ("D0", Decimal("0.25"), 0.5, date(2026, 3, 1), "won", datetime(2026, 1, 1, 9, 0, 0, 123)),
        ("D1", Decimal("1.25"), 0.5, date(2026, 3, 2), None, datetime(2026, 1, 2, 9, 0, 0, 123)),
    ]


def test_arrow_batches_hold_every_row(running: Served) -> None:
    with closing(connect(running)) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT DEAL_ID, AMOUNT, UPDATED_AT FROM SALES.DEALS")
        assert sum(batch.num_rows for batch in cursor.fetch_arrow_batches()) == 3_000


def test_a_window_with_a_closed_upper_bound_is_read(running: Served) -> None:
    with closing(connect(running)) as connection:
        cursor = connection.cursor()
        cursor.execute(
            "SELECT COUNT(*) FROM SALES.DEALS WHERE UPDATED_AT > %s AND UPDATED_AT <= %s",
            (datetime(2026, 1, 1, 9, 0, 0, 123), datetime(2026, 1, 3, 9, 0, 0, 123)),
        )
        assert cursor.fetchone() == (2,)


def test_an_empty_table_is_there(running: Served) -> None:
    with closing(connect(running)) as connection:
        assert rows(connection, "SELECT * FROM FINANCE.INVOICES") == []


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"user": "NOBODY"}])
def test_a_wrong_credential_is_refused_as_the_vendor_does(running: Served, wrong: dict[str, str]) -> None:
    from snowflake.connector.errors import DatabaseError

    with pytest.raises(DatabaseError, match="Incorrect username or password was specified"):
        connect(running, **wrong)


def test_a_table_or_database_that_does_not_exist_is_an_error(running: Served) -> None:
    from snowflake.connector.errors import ProgrammingError

    with closing(connect(running)) as connection, pytest.raises(ProgrammingError, match="does not exist"):
        rows(connection, "SELECT * FROM SALES.NOTHING")
    with closing(connect(running, database="ELSEWHERE")) as connection, pytest.raises(ProgrammingError):
        rows(connection, "SELECT * FROM SALES.DEALS")


def test_empty_takes_the_rows_out_of_an_answer(running: Served, control: Client) -> None:
    with closing(connect(running)) as connection:
        control.post("/_control/faults", json={"fault": "snowflake:empty"})
        assert rows(connection, "SELECT * FROM SALES.DEALS") == []


def test_auth_refuses_the_right_password(running: Served, control: Client) -> None:
    from snowflake.connector.errors import DatabaseError

    control.post("/_control/faults", json={"fault": "snowflake:auth"})
    with pytest.raises(DatabaseError, match="Incorrect username or password"):
        connect(running)


def test_a_login_that_comes_early_waits_for_the_engine() -> None:
    company = small_company(hubspot=None, gong=None)
    with served(company, wait_for="listening") as running, closing(connect(running, login_timeout=60)) as connection:
        assert rows(connection, "SELECT COUNT(*) FROM SALES.DEALS") == [(50,)]


def test_two_companies_in_one_process_do_not_mix(running: Served) -> None:
    other = small_company(hubspot=None, gong=None, snowflake=small_snowflake(7))
    with served(other) as second, closing(connect(running)) as one, closing(connect(second)) as two:
        assert rows(one, "SELECT COUNT(*) FROM SALES.DEALS") == [(3_000,)]
        assert rows(two, "SELECT COUNT(*) FROM SALES.DEALS") == [(7,)]


def test_a_table_that_cannot_be_served_says_which_and_why() -> None:
    from sophia_assets.sandbox.standins.snowflake.engine import make_engine

    torn = SnowflakeTable("SALES.TORN", {"AMOUNT": "NUMBER(18,2)"}, [("many",)])
    with pytest.raises(ConfigurationError, match=r"table SALES\.TORN cannot be served"):
        make_engine("SANDBOX", [torn])


def test_other_data_can_be_served_in_sessions_that_are_open() -> None:
    with (
        served(small_company(hubspot=None, gong=None, snowflake=small_snowflake(5))) as own,
        closing(connect(own)) as connection,
    ):
        assert rows(connection, "SELECT COUNT(*) FROM SALES.DEALS") == [(5,)]
        own.app.standins["snowflake"].load(small_company(snowflake=small_snowflake(9)))
        assert rows(connection, "SELECT COUNT(*) FROM SALES.DEALS") == [(9,)]


def test_rows_can_come_in_any_order_and_doubled_until_that_is_over(running: Served, control: Client) -> None:
    with closing(connect(running)) as connection:
        tidy = rows(connection, "SELECT DEAL_ID FROM SALES.DEALS")
        control.post("/_control/faults", json={"fault": "snowflake:pages:2"})
        untidy = rows(connection, "SELECT DEAL_ID FROM SALES.DEALS")
        control.delete("/_control/faults")
        assert len(untidy) > len(tidy) and set(untidy) == set(tidy) and untidy[: len(tidy)] != tidy
        assert rows(connection, "SELECT DEAL_ID FROM SALES.DEALS") == tidy


def test_a_missing_timestamp_is_missing(running: Served) -> None:
    with closing(connect(running)) as connection:
        assert rows(connection, "SELECT CASE WHEN DEAL_ID = 'D0' THEN UPDATED_AT END FROM SALES.DEALS LIMIT 2") == [
            (datetime(2026, 1, 1, 9, 0, 0, 123),),
            (None,),
        ]


def test_a_fault_on_a_column_that_is_not_there_is_refused(control: Client) -> None:
    answer = control.post("/_control/faults", json={"fault": "snowflake:drop_column:99"})
    assert (answer.status_code, answer.json()["message"]) == (
        400,
        "SALES.DEALS has no column number 99. Use 1 to 6.",
    )


@pytest.mark.parametrize(
    ("wrong", "code"), [({"role": "NOBODY"}, 390189), ({"authenticator": "SNOWFLAKE_JWT"}, 390144)]
)
def test_a_wrong_role_and_an_unknown_key_are_refused_as_the_vendor_does(
    running: Served, wrong: dict[str, str], code: int
) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from snowflake.connector.errors import DatabaseError

    if code == 390144:
        wrong = {**wrong, "private_key": rsa.generate_private_key(public_exponent=65537, key_size=2048)}  # type: ignore[dict-item]
    with pytest.raises(DatabaseError) as refused:
        connect(running, **wrong)
    assert refused.value.errno == code
