"""The same run on DuckDB and on Snowflake (fakesnow's, through the real connector) gives the same tables and facts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest

from sophia_assets.sources import registry
from sophia_assets.warehouse.models import load_models
from sophia_assets_tests.end_to_end.two_engines import ENGINES, Engines, loaded_into_both

pytestmark = [pytest.mark.long, pytest.mark.takes(240), pytest.mark.timeout(1_200)]

# What tells when and by which process something was loaded differs from one load to the next.
_OF_THE_LOAD = {"_loaded_at", "_load_id", "_row_hash", "_extra"}
# When the last load was stored, and how long it took.
_CLOCK = {"loaded_at", "last_seconds"}


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """The company in both engines. Not to be changed."""
    with loaded_into_both(tmp_path_factory.mktemp("engines")) as loaded:
        yield loaded


def _plain(value: Any) -> Any:
    """A value as both engines can give it: numbers to nine places, JSON by its content."""
    if isinstance(value, bool) or value is None or isinstance(value, datetime):
        return value
    if isinstance(value, (int, float, Decimal)):
        return round(float(value), 9)
    if isinstance(value, str) and value[:1] in "[{":
        try:
            return repr(orjson.loads(value))
        except ValueError:
            return value
    return value


def _rows(engines: Engines, engine: str, sql: str, without: set[str]) -> list[tuple[Any, ...]]:
    found = engines.rows(engine, sql)
    rows = [tuple(_plain(row[name]) for name in sorted(row) if name not in without) for row in found]
    return sorted(rows, key=repr)


@pytest.mark.parametrize("name", [table.qualified_name for table in registry.tables()])
def test_a_raw_table_holds_the_same_rows(name: str, engines: Engines) -> None:
    in_place = getattr(engines.services["snowflake"].warehouse, "in_place", {})
    # A view over the source has no tombstones, and no moment since when a row is known.
    where, without = (" WHERE _deleted_at IS NULL", {"_known_from"}) if name in in_place else ("", set[str]())
    held = [_rows(engines, engine, f"SELECT * FROM {name}{where}", _OF_THE_LOAD | without) for engine in ENGINES]

    assert held[0] == held[1]


@pytest.mark.parametrize("name", [table.history_name for table in registry.tables() if table.keeps_versions])
def test_replaced_versions_are_the_same(name: str, engines: Engines) -> None:
    held = [_rows(engines, engine, f"SELECT * FROM {name}", set()) for engine in ENGINES]

    assert held[0] == held[1]


@pytest.mark.parametrize("name", list(load_models()))
def test_a_model_gives_the_same_rows(name: str, engines: Engines) -> None:
    # What is read in place has no loads that bring rows, of which that model tells.
    in_place = getattr(engines.services["snowflake"].warehouse, "in_place", {})
    copied = ", ".join(f"'{table}'" for table in in_place)
    where = f" WHERE table_name NOT IN ({copied})" if name == "marts.data_health" else ""
    held = [_rows(engines, engine, f"SELECT * FROM {name}{where}", _CLOCK) for engine in ENGINES]

    assert held[0] == held[1]


def test_all_facts_are_the_same(engines: Engines) -> None:
    by_id = [{fact.id: fact for fact in engines.facts[engine]} for engine in ENGINES]

    assert len(by_id[0]) > 300
    assert by_id[0].keys() == by_id[1].keys()
    different = {
        identifier: [
            (declared.name, getattr(fact, declared.name), getattr(by_id[1][identifier], declared.name))
            for declared in fields(fact)
            if getattr(fact, declared.name) != getattr(by_id[1][identifier], declared.name)
        ]
        for identifier, fact in by_id[0].items()
        if fact != by_id[1][identifier]
    }
    assert different == {}
