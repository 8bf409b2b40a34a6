"""Free SQL on real data: who may run it, what of the data it reaches, when it is stopped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sophia_assets.access.principal import Principal, RowScope
from sophia_assets.assistant.sql.checking import SqlRefused
from sophia_assets.control.flag_names import FREE_SQL
from sophia_assets.desk import Desk
from sophia_assets.errors import AccessDenied, ConfigurationError
from sophia_assets.home import Home
from sophia_assets.services import Services
from sophia_assets_tests.finished_home import copied_home, services_of

ANALYST = Principal("ann", "analyst", "api")


@pytest.fixture(scope="module")
def services(finished_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    made = services_of(copied_home(finished_home, tmp_path_factory.mktemp("sql") / "var"))
    made.flags.set(FREE_SQL, "on", "ops", "a try")
    yield made
    made.close()


@pytest.fixture(scope="module")
def desk(services: Services) -> Desk:
    return Desk(services)


def test_an_analyst_gets_rows_that_are_called_unverified(desk: Desk) -> None:
    found = desk.run_sql(ANALYST, "select count(*) as calls from marts.calls")
    assert found.columns == ("calls",)
    assert found.rows[0][0] > 0
    assert found.note.startswith("Unverified")
    assert found.tables == ("marts.calls",)


def test_an_answer_is_cut_after_so_many_rows(desk: Desk) -> None:
    found = desk.run_sql(ANALYST, "select a.call_id from marts.calls a, marts.calls b")
    assert (len(found.rows), found.is_cut) == (1_000, True)


def test_closely_held_revenue_is_no_analysts(desk: Desk) -> None:
    for table in ("marts.recurring_revenue", "marts.invoices", "marts.revenue_movements"):
        with pytest.raises(SqlRefused, match="that you may read"):
            desk.run_sql(ANALYST, f"select * from {table}")
    with pytest.raises(SqlRefused):
        desk.run_sql(ANALYST, "select mrr from marts.accounts")


def test_who_is_limited_to_accounts_sees_their_rows_alone(desk: Desk) -> None:
    everything = desk.run_sql(ANALYST, "select account_id, count(*) n from marts.calls group by 1 order by 2 desc")
    chosen = str(everything.rows[0][0])
    limited = Principal("lea", "analyst", "api", RowScope({"account": frozenset({chosen})}))
    for sql in (
        "select distinct account_id from marts.calls",
        "select account_id from marts.accounts",
        "select distinct c.account_id from marts.calls c left join marts.accounts a on a.account_id <> c.account_id",
        "with calls as (select * from marts.calls) select distinct account_id from calls",
    ):
        assert desk.run_sql(limited, sql).rows == ((chosen,),)


@pytest.mark.parametrize("role", ["sales_leader", "engineering_leader", "auditor"])
def test_others_may_run_none(desk: Desk, role: str) -> None:
    with pytest.raises(AccessDenied):
        desk.run_sql(Principal("eve", role, "api"), "select count(*) from marts.calls")


def test_every_statement_is_recorded_with_its_text_also_one_that_is_refused(desk: Desk, services: Services) -> None:
    with pytest.raises(SqlRefused):
        desk.run_sql(ANALYST, "select * from read_csv('/etc/passwd')")
    newest = services.audit.tail(1)[0]
    assert (newest.action, newest.outcome, newest.actor) == ("sql.run", "denied", "ann")
    assert "/etc/passwd" in str(newest.details)


def test_while_the_flag_is_off_nothing_runs(desk: Desk, services: Services) -> None:
    services.flags.set(FREE_SQL, "off", "ops", "enough")
    try:
        with pytest.raises(ConfigurationError, match="switched off"):
            desk.run_sql(ANALYST, "select 1")
    finally:
        services.flags.set(FREE_SQL, "on", "ops", "again")
