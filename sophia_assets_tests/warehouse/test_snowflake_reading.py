"""Readings of a home on Snowflake: queries go there, each under the Snowflake role of whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from sophia_assets.errors import ConfigurationError, SophiaError, WarehouseUnavailable
from sophia_assets.home import Home
from sophia_assets.metrics.drill_down import Evidence, rows_behind
from sophia_assets.metrics.filters import Filter
from sophia_assets.metrics.on_demand import measure
from sophia_assets.services import Services
from sophia_assets.warehouse.reading import QueryRefused, Reading, readings_for
from sophia_assets.warehouse.snowflake_reading import SnowflakeReadings
from sophia_assets.warehouse.snowflake_warehouse import SnowflakeWarehouse
from sophia_assets_tests.finished_home import services_of
from sophia_assets_tests.warehouse.small_source import TABLES
from sophia_assets_tests.warehouse.snowflake_server import SnowflakeServer, snowflake_server

pytestmark = pytest.mark.timeout(300)

_DAY = date(2026, 6, 30)
_ODD = "O'Brien \\ Co; --"
_TERMS = (
    f"SELECT 'a' AS account_id, '{_ODD.replace(chr(92), chr(92) * 2).replace(chr(39), chr(39) * 2)}' AS account, "
    "'1' AS term_id, 'basic' AS plan, "
    "CAST(100 AS DECIMAL(18, 4)) AS mrr, CAST('2026-01-01' AS DATE) AS valid_from, CAST(NULL AS DATE) AS valid_to "
    "UNION ALL SELECT 'b', 'Other', '2', 'pro', 300, CAST('2026-06-15' AS DATE), NULL"
)
_MODELS = {
    "staging.days": f"SELECT CAST('{_DAY}' AS DATE) AS day",
    "marts.accounts": "SELECT 'a' AS account_id, 'o1' AS owner_id UNION ALL SELECT 'b', 'o2'",
    "marts.recurring_revenue": _TERMS,
}


@dataclass
class _Sent:
    """What the connector has sent: the role of each login, and the parameters of each statement."""

    roles: list[str] = field(default_factory=list)
    statements: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


@pytest.fixture(scope="module")
def server() -> Iterator[SnowflakeServer]:
    with snowflake_server() as running:
        yield running


@pytest.fixture(scope="module")
def environment(server: SnowflakeServer) -> dict[str, str]:
    account = server.new_account()
    names = {name: text for name, text in asdict(account).items() if text}
    return {
        "SOPHIA_WAREHOUSE": "snowflake",
        "SOPHIA_HISTORY_START": "2026-01-01",
        "SOPHIA_SNOWFLAKE_ROLE_EXECUTIVE": "PUBLIC",
        "SOPHIA_SNOWFLAKE_ROLE_ANALYST": "SANDBOX_READER",
        "SOPHIA_SNOWFLAKE_ROLE_AUDITOR": "NOBODY_MADE_IT",
        **{f"SOPHIA_WAREHOUSE_SNOWFLAKE_{name.upper()}": text for name, text in names.items()},
    }


@pytest.fixture(scope="module")
def services(
    environment: dict[str, str], server: SnowflakeServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Services]:
    """A home whose warehouse in Snowflake holds the recurring revenue of two accounts."""
    home = Home(tmp_path_factory.mktemp("home"))
    home.prepare()
    services = services_of(home, environment)
    warehouse = SnowflakeWarehouse(services_account(services), home.path, tables=TABLES)
    services.__dict__["warehouse"] = warehouse
    read_to = datetime(2026, 7, 1, tzinfo=UTC).replace(tzinfo=None)
    warehouse.replace_tables(_MODELS, lambda _: None, record=[_build(model, "first") for model in _every_model()])
    warehouse.execute_in_transaction(
        [
            'INSERT INTO "_sophia"."state" (table_name, loaded_through, loaded_at, load_id, rows_total) '
            f"VALUES ('snowflake.subscriptions', '{read_to}', '{read_to}', 'l', 2)"
        ]
    )
    yield services
    services.close()


def services_account(services: Services) -> Any:
    from sophia_assets.warehouse.snowflake_session import SnowflakeAccount

    return SnowflakeAccount(**services.settings.snowflake_warehouse(None))


def _every_model() -> list[str]:
    from sophia_assets.warehouse.models import load_models

    return list(load_models())


def _build(model: str, number: str) -> str:
    return (
        'INSERT INTO "_sophia"."builds" (model, table_name, load_id, loaded_through, shares) '
        f"VALUES ('{model}', '', '{number}', NULL, '')"
    )


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> _Sent:
    """Everything that is sent from here on."""
    from snowflake.connector.cursor import SnowflakeCursor
    from snowflake.connector.network import SnowflakeRestful

    found = _Sent()
    execute, post = SnowflakeCursor.execute, SnowflakeRestful._post_request

    def executed(cursor: Any, command: str, *args: Any, **more: Any) -> Any:
        found.statements.append((command, more.get("_statement_params") or {}))
        return execute(cursor, command, *args, **more)

    def posted(rest: Any, url: str, *args: Any, **more: Any) -> Any:
        if "login-request" in url:
            found.roles += parse_qs(urlsplit(url).query).get("roleName", [""])
        return post(rest, url, *args, **more)

    monkeypatch.setattr(SnowflakeCursor, "execute", executed)
    monkeypatch.setattr(SnowflakeRestful, "_post_request", posted)
    return found


@pytest.fixture
def readings(services: Services) -> Iterator[SnowflakeReadings]:
    readings = readings_for(services)
    assert isinstance(readings, SnowflakeReadings)
    yield readings
    readings.close()


def test_each_roles_queries_run_under_the_snowflake_role_that_is_set_for_it(
    readings: SnowflakeReadings, sent: _Sent
) -> None:
    for role, theirs in [("executive", "PUBLIC"), ("analyst", "SANDBOX_READER")]:
        reading = readings.current(role)
        sent.roles.clear()
        assert reading.query("SELECT COUNT(*) AS n FROM marts.accounts").to_pylist() == [{"n": 2}]
        assert sent.roles == [theirs]
        # The next one goes through the same session.
        reading.query("SELECT 1 AS one")
        assert sent.roles == [theirs]


def test_a_query_says_for_whom_it_is_and_how_long_it_may_take(readings: SnowflakeReadings, sent: _Sent) -> None:
    readings.current("executive").query("SELECT 1 AS one", seconds=3)
    _, parameters = sent.statements[-1]
    assert parameters["STATEMENT_TIMEOUT_IN_SECONDS"] == "3"
    assert orjson.loads(parameters["QUERY_TAG"])["reader"] == "executive"


def test_a_role_without_one_in_snowflake_is_refused_and_asks_nothing(readings: SnowflakeReadings, sent: _Sent) -> None:
    with pytest.raises(ConfigurationError, match="sales_leader has no role in Snowflake"):
        readings.current("sales_leader")
    assert sent.statements == []


def test_a_role_that_snowflake_does_not_know_gets_nothing(readings: SnowflakeReadings) -> None:
    with pytest.raises(WarehouseUnavailable, match="NOBODY_MADE_IT"):
        readings.current("auditor").query("SELECT 1 AS one")


def test_where_no_roles_are_set_queries_run_as_the_warehouses_login(
    services: Services, environment: dict[str, str], sent: _Sent
) -> None:
    plain = {name: text for name, text in environment.items() if not name.startswith("SOPHIA_SNOWFLAKE_ROLE_")}
    others = services_of(services.home, plain)
    others.__dict__["warehouse"] = services.warehouse
    readings = SnowflakeReadings(others)
    try:
        assert readings.current("sales_leader").query("SELECT 1 AS one").to_pylist() == [{"one": 1}]
        assert sent.roles == ["SANDBOX_READER"]
    finally:
        readings.close()


@pytest.mark.parametrize(
    "sql",
    ["DELETE FROM marts.accounts", "SELECT 1; SELECT 2", "USE ROLE ACCOUNTADMIN", "CALL x()", "", "SELECT FROM ("],
)
def test_nothing_but_one_select_is_sent(readings: SnowflakeReadings, sent: _Sent, sql: str) -> None:
    reading = readings.current("executive")
    before = len(sent.statements)
    with pytest.raises(QueryRefused):
        reading.query(sql)
    assert len(sent.statements) == before


def test_what_snowflake_refuses_is_told(readings: SnowflakeReadings) -> None:
    with pytest.raises(QueryRefused, match="refused a statement"):
        readings.current("executive").query("SELECT nothing FROM marts.nowhere")


def _measured(reading: Reading, **more: Any) -> dict[str, float]:
    found = measure(reading, reading.catalog.metrics["mrr"], **more)
    return {next(iter(fact.entity_ids.values()), ""): fact.value for fact in found}


def test_figures_and_their_rows_come_from_snowflake(readings: SnowflakeReadings) -> None:
    reading = readings.current("executive")
    assert reading.day == _DAY
    assert _measured(reading) == {"": 400.0}
    assert _measured(reading, dimension="account") == {"b": 300.0, "a": 100.0}
    assert _measured(reading, filters=[Filter("account", ("a",), ("A",))]) == {"a": 100.0}
    odd = "'; DROP TABLE marts.accounts; -- \\' \\"
    assert _measured(reading, filters=[Filter("account", (odd,), (odd,), is_excluded=True)]) == {"": 400.0}
    mine = "t.account_id IN (SELECT account_id FROM marts.accounts WHERE owner_id IN ('o2'))"
    assert _measured(reading, condition=mine) == {"": 300.0}
    (fact,) = measure(
        reading, reading.catalog.metrics["revenue_per_customer"], filters=[Filter("plan", ("pro",), ("Pro",))]
    )
    assert fact.display == "$300"
    (whole,) = measure(reading, reading.catalog.metrics["mrr"])
    drill = rows_behind(reading, Evidence.of(whole), condition=None, columns=("account", "mrr", "valid_from"))
    assert [row["account"] for row in drill.rows] == ["Other", _ODD]
    assert drill.total_rows == 2


def test_the_ground_is_asked_for_once_in_a_while_and_moves_with_the_builds(services: Services, sent: _Sent) -> None:
    readings = SnowflakeReadings(services, seconds=3600)
    try:
        before = readings.current("executive")
        asked = len(sent.statements)
        assert readings.current("analyst").version == before.version
        assert len(sent.statements) == asked
        services.warehouse.execute_in_transaction(
            ["UPDATE \"_sophia\".\"builds\" SET load_id = 'second' WHERE model = 'marts.accounts'"]
        )
        readings._seconds = 0
        assert readings.current("executive").version != before.version
    finally:
        readings.close()


def test_a_warehouse_without_models_says_that_there_is_no_data(
    server: SnowflakeServer, environment: dict[str, str], tmp_path: Path
) -> None:
    services = services_of(Home(tmp_path), environment)
    services.__dict__["warehouse"] = SnowflakeWarehouse(server.new_account(), tmp_path, tables=TABLES)
    try:
        with pytest.raises(SophiaError, match="no data to answer from yet"):
            services.readings.current("executive")
    finally:
        services.close()


def test_the_day_is_never_one_that_is_not_over(services: Services, readings: SnowflakeReadings) -> None:
    assert readings.current("executive").day <= datetime.now(UTC).date() - timedelta(days=1)
