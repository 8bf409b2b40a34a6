"""Policies: whatever no rule allows is denied, for every role and metric, every table and column."""

from __future__ import annotations

import duckdb
import pytest

from sophia_assets.access.policies import (
    ACCOUNTS,
    deny_metric,
    is_personal,
    may_audit,
    may_read_edition,
    may_read_quotes,
    may_run_sql,
    row_condition,
    sql_tables,
    visible_columns,
)
from sophia_assets.access.principal import EVERY_ROW, Principal, RowScope
from sophia_assets.access.roles import ROLES
from sophia_assets.errors import AccessDenied, ConfigurationError
from sophia_assets.metrics.catalog import load_catalog
from sophia_assets.warehouse.models import load_models

CATALOG, MODELS = load_catalog(), load_models()
LIMITS = RowScope({"owner": frozenset({"7"})})
_CLEARANCE = {"internal": 1, "confidential": 2, "restricted": 3}
#: What each role is to see, written down apart from the code: areas and clearance.
_EXPECTED = {
    "executive": ({"sales", "finance", "customer", "engineering", "product", "platform"}, 3),
    "sales_leader": ({"sales", "customer"}, 1),
    "engineering_leader": ({"engineering", "product"}, 1),
    "analyst": ({"sales", "finance", "customer", "engineering", "product", "platform"}, 1),
    "auditor": ({"platform"}, 1),
}


def someone(role: str, rows: RowScope = EVERY_ROW) -> Principal:
    return Principal("ada", role, "api", rows)


def test_every_role_is_written_down() -> None:
    assert _EXPECTED.keys() == ROLES.keys()


@pytest.mark.parametrize("role", ROLES)
def test_each_role_sees_the_metrics_of_its_areas_that_it_is_cleared_for_and_no_other(role: str) -> None:
    areas, clearance = _EXPECTED[role]
    for metric in CATALOG.metrics.values():
        allowed = bool(areas & set(metric.access)) and _CLEARANCE[metric.sensitivity] <= clearance
        why = deny_metric(someone(role), metric, MODELS)
        assert (why is None) == allowed, (role, metric.name, why)
        assert allowed or (role in str(why) and metric.spoken in str(why))


@pytest.mark.parametrize("role", ROLES)
def test_whoever_is_limited_to_accounts_sees_only_what_can_be_told_apart_by_account(role: str) -> None:
    for metric in CATALOG.metrics.values():
        by_account = all("account_id" in MODELS[table].columns for table in CATALOG.tables_of(metric))
        allowed = deny_metric(someone(role), metric, MODELS) is None and by_account
        assert (deny_metric(someone(role, LIMITS), metric, MODELS) is None) == allowed, metric.name


def test_a_metric_whose_table_nobody_knows_is_denied_to_whoever_is_limited() -> None:
    metric = CATALOG.metrics["bookings"]

    assert deny_metric(someone("executive", LIMITS), metric, {}) is not None


def test_a_ratio_of_unknown_parts_is_denied_to_whoever_is_limited() -> None:
    metric = CATALOG.metrics["revenue_churn_rate"].model_copy(update={"of": "nothing"})

    assert deny_metric(someone("executive", LIMITS), metric, MODELS) is not None


@pytest.mark.parametrize("question", [may_read_quotes, may_run_sql, may_audit])
def test_an_unknown_role_is_refused_with_the_roles_that_there_are(question: object) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no role 'king'\. Use one of executive, sales_leader"):
        question(someone("king"))  # type: ignore[operator]
    with pytest.raises(ConfigurationError):
        deny_metric(someone("king"), CATALOG.metrics["bookings"], MODELS)
    with pytest.raises(ConfigurationError):
        row_condition(someone("king"), ["account_id"])


def test_who_may_read_quotes_ask_by_sql_and_read_the_audit_trail() -> None:
    def allowed(question: object, rows: RowScope = EVERY_ROW) -> set[str]:
        return {role for role in ROLES if question(someone(role, rows))}  # type: ignore[operator]

    assert allowed(may_read_quotes) == {"executive", "sales_leader", "analyst"}
    assert allowed(may_run_sql) == {"executive", "analyst"}
    assert allowed(may_audit) == {"executive", "auditor"}
    assert allowed(may_audit, LIMITS) == set()


def test_everybody_reads_their_own_edition_the_executive_all_and_whoever_is_limited_none() -> None:
    for reader in ROLES:
        for edition in ROLES:
            assert may_read_edition(someone(reader), edition) == (reader in ("executive", edition))
            assert not may_read_edition(someone(reader, LIMITS), edition)
    with pytest.raises(ConfigurationError, match=r"there is no role '\.\./etc'"):
        may_read_edition(someone("executive"), "../etc")


def test_who_is_not_limited_needs_no_condition() -> None:
    assert row_condition(someone("analyst"), ["account_id"]) is None
    assert row_condition(someone("analyst"), []) is None


def test_rows_are_held_back_of_a_table_that_does_not_say_whose_they_are() -> None:
    with pytest.raises(AccessDenied, match="cannot be told apart by account"):
        row_condition(someone("analyst", LIMITS), ["stage", "amount"])
    with pytest.raises(ValueError, match="no name for a table"):
        row_condition(someone("analyst", LIMITS), ["account_id"], "t; DROP")
    with pytest.raises(ConfigurationError, match="limited by 'colour'"):
        row_condition(someone("analyst", RowScope({"colour": frozenset({"x"})})), ["account_id"])  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("limits", "seen"),
    [
        ({"owner": {"7"}}, {"a", "b"}),
        ({"owner": {"7", "o'8"}}, {"a", "b", "c"}),
        ({"owner": {"7"}, "country": {"Côte d'Ivoire"}}, {"b"}),
        ({"industry": {"back\\slash"}}, {"c"}),
        ({"industry": {"' OR 1=1 --"}}, set()),
        ({"industry": {"\\' OR 1=1 --"}}, {"d"}),
        ({"industry": {'"; DROP TABLE marts.accounts; --'}}, set()),
        ({"account": {"a", "nobody"}}, {"a"}),
        ({"owner": set()}, set()),
    ],
)
def test_the_condition_lets_through_exactly_the_rows_of_the_accounts(
    limits: dict[str, set[str]], seen: set[str]
) -> None:
    import sqlglot

    rows = RowScope({name: frozenset(values) for name, values in limits.items()})  # type: ignore[misc]
    condition = row_condition(someone("analyst", rows), ["account_id"], "f")
    query = sqlglot.transpile(
        f"SELECT DISTINCT account_id FROM facts AS f WHERE {condition}", read="snowflake", write="duckdb"
    )
    assert len(query) == 1
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA marts")
        connection.execute("CREATE TABLE marts.accounts (account_id VARCHAR, owner_id VARCHAR, industry VARCHAR, country VARCHAR)")  # fmt: skip  # noqa: E501
        accounts = [
            ("a", "7", "Software", "Chad"),
            ("b", "7", "Software", "Côte d'Ivoire"),
            ("c", "o'8", "back\\slash", "Chad"),
            ("d", None, "\\' OR 1=1 --", None),
        ]
        connection.executemany("INSERT INTO marts.accounts VALUES (?, ?, ?, ?)", accounts)
        connection.execute("CREATE TABLE facts AS SELECT account_id FROM marts.accounts UNION ALL SELECT NULL")
        assert {row[0] for row in connection.execute(query[0]).fetchall()} == seen


@pytest.mark.parametrize("role", ROLES)
def test_the_rows_behind_a_metric_show_what_it_speaks_of_and_nothing_personal(role: str) -> None:
    for metric in CATALOG.metrics.values():
        for table in CATALOG.tables_of(metric):
            columns = visible_columns(someone(role), MODELS[table], metric)
            assert set(columns) <= set(MODELS[table].columns)
            assert not any(map(is_personal, columns)), columns
            if deny_metric(someone(role), metric, MODELS):
                assert columns == ()


def test_the_columns_behind_bookings_are_those_that_it_is_computed_from_and_broken_down_by() -> None:
    columns = visible_columns(someone("sales_leader"), MODELS["marts.deal_states"], CATALOG.metrics["bookings"])

    assert {"deal_id", "deal", "account_id", "account", "owner", "amount", "is_won", "close_on"} <= set(columns)
    assert "probability" not in columns and "close_pushes" not in columns
    assert visible_columns(someone("executive"), MODELS["marts.calls"], CATALOG.metrics["bookings"]) == ()


@pytest.mark.parametrize(
    ("column", "personal"),
    [("email", True), ("contact_email", True), ("first_name", True), ("phone", True), ("body_text", True),
     ("title", True), ("host", True), ("last_seen_on", False), ("amount", False), ("owner", False),
     ("active_seats", False)],
)  # fmt: skip
def test_names_of_columns_tell_what_is_personal(column: str, personal: bool) -> None:
    assert is_personal(column) == personal


def test_sql_sees_no_column_that_only_a_denied_metric_speaks_of() -> None:
    for_executive = sql_tables(someone("executive"), CATALOG, MODELS)
    for_analyst = sql_tables(someone("analyst"), CATALOG, MODELS)

    assert "mrr" in for_executive["marts.customer_health"] and "mrr" not in for_analyst["marts.customer_health"]
    for table in ("marts.recurring_revenue", "marts.invoices", "marts.revenue_movements"):
        assert table in for_executive and table not in for_analyst
    assert set(for_analyst[ACCOUNTS]) == {"account_id", "account", "industry", "country", "owner_id", "owner"}
    assert all(table.startswith("marts.") for table in for_executive)
    assert not any(is_personal(column) for columns in for_executive.values() for column in columns)
    for role in ("sales_leader", "engineering_leader", "auditor"):
        assert sql_tables(someone(role), CATALOG, MODELS) == {}


def test_sql_of_whoever_is_limited_sees_only_tables_that_can_be_told_apart_by_account() -> None:
    for table, columns in sql_tables(someone("executive", LIMITS), CATALOG, MODELS).items():
        assert "account_id" in columns, table
