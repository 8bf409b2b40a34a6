"""Models of a partly served system are those of a warehouse that holds the served rows alone, on both engines."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sophia_assets.control.rollouts import Shares, condition, is_included, rollout_flag
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Table
from sophia_assets.warehouse.building import build_models
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets.warehouse.interface import Warehouse
from sophia_assets.warehouse.models import Model, load_models
from sophia_assets.warehouse.snowflake_session import SnowflakeAccount
from sophia_assets.warehouse.snowflake_warehouse import SnowflakeWarehouse
from sophia_assets_tests.warehouse.models.loaded_company import MODEL_PARAMETERS, Tables
from sophia_assets_tests.warehouse.snowflake_server import SnowflakeServer, snowflake_server

AWKWARD = ["", " ", "007", "7", "Zoë", "Zoe\u0308", "呼び出し", "🙂", "O'Brien", "a:b", "x" * 5_000, None]
FLAG = rollout_flag("gong")


@pytest.fixture(scope="module")
def server() -> Iterator[SnowflakeServer]:
    with snowflake_server() as running:
        yield running


def copy_of(company: Tables, folder: Path) -> DuckDBWarehouse:
    folder.mkdir()
    return DuckDBWarehouse(shutil.copy(company.warehouse.path, folder / "warehouse.duckdb"))


def keep_only_served(warehouse: DuckDBWarehouse, shares: Shares) -> None:
    """Deletes what is not served, key by key as the rule in Python has it."""
    with warehouse.session():
        statements = [
            f"DELETE FROM {name} WHERE {not_served(warehouse, table, name, percent)}"
            for system, percent in shares.partial().items()
            for table in registry.tables(system)
            for name in (table.qualified_name, table.history_name)[: 1 + table.keeps_versions]
        ]
    warehouse.execute_in_transaction(statements)


def not_served(warehouse: DuckDBWarehouse, table: Table, name: str, percent: int) -> str:
    """The rows of a table, or of its history, that are not served."""
    if not table.entity or not percent:
        return "FALSE" if percent else "TRUE"
    found = warehouse.query(f"SELECT DISTINCT {table.entity} AS entity FROM {name}")["entity"].to_pylist()
    out = [key for key in found if not is_included(rollout_flag(table.system), key, percent)]
    quoted = ", ".join("'{}'".format(key.replace("'", "''")) for key in out if key is not None)
    return f"{table.entity} IS NULL OR {table.entity} IN ({quoted or 'NULL'})"


def contents(warehouse: Warehouse) -> dict[str, list[str]]:
    with warehouse.session():
        return {name: sorted(map(repr, warehouse.query(f"SELECT * FROM {name}").to_pylist())) for name in load_models()}


def test_models_are_built_as_though_the_other_rows_had_never_come(company: Tables, tmp_path: Path) -> None:
    shares = Shares({"gong": 10, "hubspot": 50, "linear": 10, "pinecone": 50, "redis": 10, "slack": 0, "snowflake": 50})
    whole, cut = copy_of(company, tmp_path / "whole"), copy_of(company, tmp_path / "cut")
    keep_only_served(cut, shares)
    models = list(load_models().values())
    build_models(whole, models, MODEL_PARAMETERS, conditions=shares.conditions())
    build_models(cut, models, MODEL_PARAMETERS)
    assert contents(whole) == contents(cut)


@pytest.mark.parametrize("model", load_models().values(), ids=lambda model: model.qualified_name)
@pytest.mark.parametrize("dialect", ["duckdb", "snowflake"])
def test_where_everything_is_served_a_model_is_the_very_same_sql(model: Model, dialect: str) -> None:
    unfiltered = model.sql(dialect, MODEL_PARAMETERS)
    assert model.sql(dialect, MODEL_PARAMETERS, Shares({}).conditions()) == unfiltered
    assert "SHA2" not in unfiltered


def test_a_model_that_is_filtered_stays_as_it_was_for_the_next_build() -> None:
    model = load_models()["marts.calls"]
    before = model.sql("duckdb", MODEL_PARAMETERS)
    assert model.sql("duckdb", MODEL_PARAMETERS, Shares({"gong": 10}).conditions()) != before
    assert model.sql("duckdb", MODEL_PARAMETERS) == before


def chosen(warehouse: Warehouse, keys: list[str | None], percent: int) -> set[int]:
    """The places of the keys that the condition chooses."""
    import sqlglot

    text = sqlglot.transpile(condition(FLAG, "entity", percent), read="snowflake", write=warehouse.dialect)[0]
    rows = " UNION ALL ".join(f"SELECT {place} AS place, ? AS entity" for place in range(len(keys)))
    found = warehouse.query(f"SELECT place FROM ({rows}) AS given WHERE {text}", keys).to_pylist()
    return {int(row["place"]) for row in found}


@pytest.fixture(params=["duckdb", "snowflake"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Warehouse]:
    """An empty warehouse on either engine."""
    if request.param == "duckdb":
        yield DuckDBWarehouse(tmp_path / "warehouse.duckdb", tables=())
        return
    account: SnowflakeAccount = request.getfixturevalue("server").new_account()
    made = SnowflakeWarehouse(account, tmp_path, tables=())
    yield made
    made.close()


def test_both_engines_choose_the_keys_that_the_rule_chooses(engine: Warehouse) -> None:
    keys: list[Any] = [*AWKWARD, *(f"call-{number}" for number in range(200))]
    for percent in (0, 10, 50):
        wanted = {place for place, key in enumerate(keys) if is_included(FLAG, key, percent)}
        assert chosen(engine, keys, percent) == wanted
