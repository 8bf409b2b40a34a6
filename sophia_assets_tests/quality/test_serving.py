"""What waits while a table is held back: all that rests on it, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sophia_assets.control.rollouts import Shares
from sophia_assets.quality.failures import FailureLog
from sophia_assets.quality.outcomes import Outcome
from sophia_assets.quality.serving import HeldTable, Serving, models_held_back, read_serving, record_of_builds
from sophia_assets.quality.tables import guarding_checks
from sophia_assets.sources import registry
from sophia_assets.warehouse.models import Model

MONDAY, TUESDAY = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC)


def model(name: str, *tables: str, named_by: tuple[str, ...] = (), optional: tuple[str, ...] = ()) -> Model:
    schema, short = name.split(".")
    select = "SELECT 1 AS one FROM " + " CROSS JOIN ".join(tables)
    return Model(schema, short, "", "", ("one",), {"one": ""}, select, Path(f"{short}.sql"), named_by, optional)


def models() -> Mapping[str, Model]:
    every = [
        model("staging.accounts", "hubspot.companies"),
        model(
            "marts.calls", "gong.calls", "staging.accounts", "gong.users", named_by=("staging.accounts", "gong.users")
        ),
        model("marts.accounts", "staging.accounts", "marts.calls", optional=("marts.calls",)),
        model("marts.health", "marts.accounts"),
        model("marts.invoices", "snowflake.invoices"),
    ]
    return {item.qualified_name: item for item in every}


def held(*tables: str, built: tuple[str, ...] = tuple(models())) -> set[str]:
    return set(models_held_back(models(), tables, built))


def test_what_rests_on_a_table_waits_and_the_rest_does_not() -> None:
    assert held("hubspot.companies") == {"staging.accounts", "marts.accounts", "marts.health"}
    assert held("snowflake.invoices") == {"marts.invoices"}
    assert held() == set()


def test_a_model_that_reads_a_bad_table_itself_waits_even_where_it_takes_only_names_from_it() -> None:
    assert held("gong.users") == {"marts.calls"}


def test_names_are_taken_from_what_stands_and_awaited_where_nothing_does() -> None:
    assert "marts.calls" not in held("hubspot.companies")
    assert "marts.calls" in held("hubspot.companies", built=())


def test_each_model_says_which_tables_it_waits_for() -> None:
    waits = models_held_back(models(), {"hubspot.companies", "gong.calls"}, ())
    assert waits["marts.health"] == ("gong.calls", "hubspot.companies")


def test_a_table_held_back_reaches_as_far_as_its_last_good_data_and_never_further_than_it_was_read() -> None:
    serving = Serving({
        "hubspot.deals": HeldTable("hubspot.deals", {}, MONDAY),
        "gong.calls": HeldTable("gong.calls", {}, None),
        "slack.users": HeldTable("slack.users", {}, TUESDAY),
    })  # fmt: skip
    read = {"hubspot.deals": TUESDAY, "gong.calls": TUESDAY, "slack.users": MONDAY, "redis.events": TUESDAY}
    assert serving.reach(read) == {"hubspot.deals": MONDAY, "slack.users": MONDAY, "redis.events": TUESDAY}


@pytest.mark.parametrize("table", registry.tables(), ids=lambda table: table.qualified_name)
def test_every_table_has_rules_that_hold_it_back_and_no_warning_is_among_them(table: object) -> None:
    declared = registry.table(table.qualified_name)  # type: ignore[attr-defined]
    guards = guarding_checks(declared)
    assert len(guards) > 1
    assert guards.isdisjoint(item.name for item in declared.expectations if item.severity == "warn")


class Recorded:
    """A warehouse of which only the record of builds is known: each model's systems that were served in part."""

    def __init__(self, shares: Mapping[str, str]) -> None:
        self._rows = [{"model": name, "table_name": "", "loaded_through": None, "shares": shares.get(name)}
                      for name in models()]  # fmt: skip

    def query(self, sql: str) -> pa.Table:
        return pa.Table.from_pylist(self._rows)


def serving_under(folder: Path, now: dict[str, int], **built: str) -> Serving:
    """What serves at the shares `now`, where models were built under others."""
    record: Any = Recorded({name.replace("_", ".", 1): text for name, text in built.items()})
    return read_serving(record, FailureLog(folder), models(), Shares(now))


READING_GONG = {"marts.calls", "marts.accounts", "marts.health"}


def test_models_built_under_another_share_are_not_shown_until_they_are_rebuilt(tmp_path: Path) -> None:
    serving = serving_under(tmp_path, {"gong": 10})
    assert serving.outdated == READING_GONG
    assert serving.unusable >= READING_GONG
    assert "marts.invoices" not in serving.unusable


def test_models_built_under_the_present_shares_are_shown(tmp_path: Path) -> None:
    built = {"marts_calls": "gong=10", "marts_accounts": "gong=10", "marts_health": "gong=10"}
    assert serving_under(tmp_path, {"gong": 10, "snowflake": 100}, **built).outdated == set()


def test_models_of_a_system_that_is_served_whole_again_are_outdated_too(tmp_path: Path) -> None:
    assert serving_under(tmp_path, {}, marts_health="gong=10").outdated == {"marts.health"}


def test_what_reads_an_outdated_model_is_outdated_be_it_for_a_name_alone(tmp_path: Path) -> None:
    built = {"marts_calls": "gong=50", "marts_accounts": "gong=10", "marts_health": "gong=10"}
    assert serving_under(tmp_path, {"gong": 10}, **built).outdated == READING_GONG


def test_of_a_system_that_is_taken_back_no_table_holds_anything_up_and_none_serves(tmp_path: Path) -> None:
    log = FailureLog(tmp_path)
    log.record("gong.calls", "load", [Outcome("unique", False, "error", "", "", guards_downstream=True)])
    whole = serving_under(tmp_path, {})
    taken_back = serving_under(tmp_path, {"gong": 0})
    assert "marts.calls" in whole.models and taken_back.models == {}
    assert "marts.calls" in taken_back.unusable
    assert taken_back.reach({"gong.calls": MONDAY, "snowflake.invoices": MONDAY}) == {"snowflake.invoices": MONDAY}


def test_the_record_of_a_build_says_under_which_shares_each_model_was_built() -> None:
    every = models()
    _, insert = record_of_builds(list(every.values()), every, Shares({"gong": 10, "snowflake": 50}))
    assert "('marts.calls', '', 'gong=10', " in insert
    assert "('marts.invoices', '', 'snowflake=50', " in insert
    assert "('staging.accounts', '', '', " in insert
