"""Who is served at which percentage: even shares, cohorts that only grow, and one rule in Python and in SQL."""

from __future__ import annotations

import duckdb
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from sophia_assets.control.rollouts import (
    Shares,
    bucket,
    condition,
    entities_of,
    is_included,
    parse_shares,
    rollout_flag,
)
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import ColumnType, Table

FLAG = rollout_flag("gong")
KEYS = [f"call-{number}" for number in range(20_000)]
AWKWARD = [
    "",
    " ",
    "0",
    "007",
    "7",
    "7.0",
    "Zoë",
    "Zoe\u0308",
    "呼び出し",
    "🙂",
    "O'Brien",
    "a:b",
    "gong.rollout:1",
    "x" * 5_000,
]
percents = st.integers(0, 100)


@pytest.mark.parametrize("percent", [10, 50])
@pytest.mark.parametrize("system", registry.SYSTEMS)
def test_a_share_of_many_keys_is_what_it_says_within_a_point(system: str, percent: int) -> None:
    included = sum(is_included(rollout_flag(system), key, percent) for key in KEYS)
    assert abs(included / len(KEYS) - percent / 100) <= 0.01


def test_at_the_ends_it_is_nobody_and_everybody() -> None:
    assert not any(is_included(FLAG, key, 0) for key in KEYS)
    assert all(is_included(FLAG, key, 100) for key in [*KEYS, None])


@given(key=st.text(), one=percents, other=percents)
def test_nobody_leaves_when_a_rollout_widens(key: str, one: int, other: int) -> None:
    narrow, wide = sorted((one, other))
    assert is_included(FLAG, key, wide) or not is_included(FLAG, key, narrow)


def test_rollouts_of_different_systems_choose_independently() -> None:
    both = sum(is_included(FLAG, key, 50) and is_included(rollout_flag("slack"), key, 50) for key in KEYS)
    assert abs(both / len(KEYS) - 0.25) <= 0.01


def test_the_rule_stays_the_one_that_people_were_chosen_by() -> None:
    assert [bucket(FLAG, key) for key in ("call-1", "", "Zoë")] == [0x136822A2, 0x0E5DB407, 0x60FE9950]  # sha256sum


def test_a_row_without_a_key_is_served_with_all_others_only() -> None:
    assert [is_included(FLAG, None, percent) for percent in (0, 10, 99, 100)] == [False, False, False, True]


def chosen_by_duckdb(keys: list[str | None], percent: int) -> list[bool]:
    """What the condition says of each key; NULL chooses no row."""
    text = sqlglot.transpile(condition(FLAG, "key", percent), read="snowflake", write="duckdb")[0]
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"SELECT COALESCE({text}, FALSE) FROM (SELECT UNNEST(?) AS key, UNNEST(?) AS place) ORDER BY place",
            [keys, list(range(len(keys)))],
        ).fetchall()
    return [chosen for (chosen,) in rows]


@pytest.mark.parametrize("percent", [0, 1, 10, 50, 99])
def test_the_condition_in_sql_chooses_the_same_keys(percent: int) -> None:
    keys = [*KEYS, *AWKWARD, None]
    assert chosen_by_duckdb(keys, percent) == [is_included(FLAG, key, percent) for key in keys]


@settings(max_examples=50, deadline=None)
@given(
    keys=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1),
    percent=st.integers(0, 99),
)
def test_the_condition_in_sql_chooses_the_same_keys_whatever_they_are(keys: list[str], percent: int) -> None:
    assert chosen_by_duckdb([*keys], percent) == [is_included(FLAG, key, percent) for key in keys]


@given(st.dictionaries(st.sampled_from(registry.SYSTEMS), percents))
def test_shares_are_read_as_they_were_written(given_percents: dict[str, int]) -> None:
    shares = Shares(given_percents)
    assert parse_shares(shares.as_text()).partial() == shares.partial()


def test_systems_that_are_served_whole_have_no_condition() -> None:
    assert Shares({"gong": 100}).conditions() == {}
    assert {name.split(".")[0] for name in Shares({"gong": 10}).conditions()} == {"gong"}


def test_the_history_of_a_table_is_served_by_the_same_condition() -> None:
    conditions = Shares({"hubspot": 10}).conditions()
    assert conditions["history.hubspot_deals"] == conditions["hubspot.deals"]


def test_names_are_served_whole_until_nothing_is_served() -> None:
    assert "gong.users" not in Shares({"gong": 10}).conditions()
    assert Shares({"gong": 0}).conditions()["gong.users"] == "FALSE"
    assert Shares({"gong": 0}).conditions()["history.gong_users"] == "FALSE"


@pytest.mark.parametrize("table", registry.tables(), ids=lambda table: table.qualified_name)
def test_every_table_has_an_entity_that_is_a_text_or_says_that_it_is_a_dimension(table: Table) -> None:
    assert bool(table.entity) != table.is_dimension
    kinds = {column.name: column.type for column in table.columns}
    assert not table.entity or kinds[table.entity] is ColumnType.STRING


@pytest.mark.parametrize("system", registry.SYSTEMS)
def test_every_system_has_entities_to_be_rolled_out_by(system: str) -> None:
    assert any(table.entity for table in registry.tables(system))


def test_entities_are_named_as_people_say_them() -> None:
    assert [entities_of(system) for system in ("gong", "linear", "hubspot")] == ["calls", "issues", "records"]
