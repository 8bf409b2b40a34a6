"""What waits while a table is held back: all that rests on it, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sophia_assets.quality.serving import HeldTable, Serving, models_held_back
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
