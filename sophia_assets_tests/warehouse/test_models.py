"""SQL models: what their headers must say, the order in which they are built, where their columns come from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sophia_assets.errors import ConfigurationError, SophiaError
from sophia_assets.sources import registry
from sophia_assets.warehouse.building import build_models
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets.warehouse.models import (
    LEDGER_SCHEMA,
    Model,
    column_lineage,
    lineage_of_models,
    load_models,
    parse_model,
    personal_columns,
    raw_name,
    required_tables,
)

WriteModel = Callable[..., Path]


@pytest.fixture
def write_model(tmp_path: Path) -> WriteModel:
    """Writes `sql/<schema>/<name>.sql` with a header made from `columns`, or with the text that is given."""

    def write(name: str, select: str = "", columns: str = "a", header: str | None = None, more: str = "") -> Path:
        schema, table = name.split(".")
        path = tmp_path / "sql" / schema / f"{table}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        names = columns.split()
        listed = "".join(f"  {column}: The {column}\n" for column in names)
        made = f"description: Rows.\nowner: team:revenue\ngrain: [{names[0]}]\n{more}columns:\n{listed}".rstrip()
        path.write_text(f"/*---\n{made if header is None else header}\n---*/\n{select}\n")
        return path

    return write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sql"


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    return DuckDBWarehouse(tmp_path_factory.mktemp("models") / "warehouse.duckdb")


def one_line(error: pytest.ExceptionInfo[SophiaError]) -> str:
    text = str(error.value)
    assert "\n" not in text and "\x1b" not in text
    return text


GOOD = "description: Rows.\nowner: team:revenue\ngrain: [a]\ncolumns: {a: The a}"


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("description: [", "the header of sql/staging/rows.sql is not YAML"),
        ("just text", "must have exactly: columns, description, grain, owner"),
        ("description: Rows.\ngrain: [a]\ncolumns: {a: A}", "must have exactly: columns, description, grain, owner"),
        (f"{GOOD}\nfreshness: 3", "must have exactly: columns, description, grain, owner"),
        (GOOD.replace("[a]", "[b]"), "the grain of sql/staging/rows.sql names b, which is not among its columns"),
        (GOOD.replace("[a]", "a"), "grain in the header of sql/staging/rows.sql must be a list of columns"),
        (GOOD.replace("[a]", "[]"), "grain in the header of sql/staging/rows.sql must be a list of columns"),
        (GOOD.replace("{a: The a}", "[a]"), "columns in the header of sql/staging/rows.sql must be a mapping"),
        (GOOD.replace("team:revenue", ""), "owner in the header of sql/staging/rows.sql must be a text"),
        (f"{GOOD}\nnamed_by: hubspot.owners", "named_by in the header of sql/staging/rows.sql must be a list"),
        (f"{GOOD}\noptional: hubspot.owners", "optional in the header of sql/staging/rows.sql must be a list"),
        (
            f"{GOOD}\nexpectations: {{kind: not_null}}",
            "expectations in the header of sql/staging/rows.sql must be a list",
        ),
    ],
)
def test_a_bad_header_is_told_in_one_line_with_the_file(write_model: WriteModel, header: str, told: str) -> None:
    path = write_model("staging.rows", "SELECT 1 AS a", header=header)
    with pytest.raises(ConfigurationError) as error:
        parse_model(path)
    assert "sql/staging/rows.sql" in one_line(error)
    assert told in one_line(error)


def test_a_file_without_a_header_is_told(folder: Path) -> None:
    path = folder / "marts" / "bare.sql"
    path.parent.mkdir(parents=True)
    path.write_text("SELECT 1 AS a")
    with pytest.raises(
        ConfigurationError, match=r"sql/marts/bare.sql does not open with a /\*--- \.\.\. ---\*/ header"
    ):
        parse_model(path)


@pytest.mark.parametrize(
    ("select", "told"),
    [
        ("SELECT a FROM WHERE", "is not valid SQL"),
        ("SELECT 'a", "is not valid SQL"),
        ("", "is not valid SQL"),
        ("SELECT 1 AS a; SELECT 2 AS a", "must hold exactly one SELECT"),
        ("DELETE FROM hubspot.deals", "must hold exactly one SELECT"),
    ],
)
def test_text_that_is_not_one_select_is_told(write_model: WriteModel, folder: Path, select: str, told: str) -> None:
    write_model("staging.rows", select)
    model = load_models(folder)["staging.rows"]
    with pytest.raises(ConfigurationError) as error:
        model.sql("duckdb", {})
    assert f"sql/staging/rows.sql {told}" in one_line(error)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("staging.nowhere", "reads staging.nowhere, and there is no such model"),
        ("hubspot.dealz", "reads hubspot.dealz, and there is no such raw table"),
        ("salesforce.deals", "reads salesforce.deals, and there is no such raw table"),
    ],
)
def test_an_unknown_table_is_told(write_model: WriteModel, folder: Path, table: str, told: str) -> None:
    write_model("marts.rows", f"SELECT a FROM {table}")
    with pytest.raises(ConfigurationError) as error:
        load_models(folder)
    assert f"sql/marts/rows.sql {told}" in one_line(error)


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        ("deals", "reads deals without saying of which schema"),
        ("hubspot.owners, hubspot.deals", "reads hubspot.deals in a way that is not recognised"),
    ],
)
def test_a_table_that_cannot_be_told_from_the_text_is_refused(
    write_model: WriteModel, folder: Path, tables: str, told: str
) -> None:
    write_model("marts.rows", f"SELECT a FROM {tables}")
    model = load_models(folder)["marts.rows"]
    with pytest.raises(ConfigurationError) as error:
        model.sql("duckdb", {})
    assert f"sql/marts/rows.sql {told}" in one_line(error)


def test_every_shipped_model_reads_what_a_parser_says_it_reads() -> None:
    from sqlglot import exp

    for model in load_models().values():
        tables = {raw_name(f"{t.db}.{t.name}") for t in model.expression.find_all(exp.Table) if t.db}
        read = {name for name in tables if not name.startswith(f"{LEDGER_SCHEMA}.")}
        assert read == set(model.dependencies), model.qualified_name


def test_each_model_comes_after_what_it_reads(write_model: WriteModel, folder: Path) -> None:
    write_model("marts.a_summary", "SELECT a FROM marts.z_detail")
    write_model("marts.z_detail", "SELECT a FROM staging.rows UNION ALL SELECT deal_id FROM hubspot.deals")
    write_model("staging.rows", "WITH chosen AS (SELECT deal_id AS a FROM hubspot.deals) SELECT a FROM chosen")
    models = load_models(folder)
    assert list(models) == ["staging.rows", "marts.z_detail", "marts.a_summary"]
    assert models["marts.z_detail"].dependencies == ("hubspot.deals", "staging.rows")
    assert models["staging.rows"].dependencies == ("hubspot.deals",), "a CTE is no table"


def test_models_that_read_each_other_are_refused(write_model: WriteModel, folder: Path) -> None:
    write_model("marts.hen", "SELECT a FROM marts.egg")
    write_model("marts.egg", "SELECT a FROM marts.hen")
    with pytest.raises(ConfigurationError) as error:
        load_models(folder)
    assert "in a circle" in one_line(error)
    assert "marts.hen" in one_line(error) and "marts.egg" in one_line(error)


def test_required_tables_leave_out_those_that_only_lend_names(write_model: WriteModel, folder: Path) -> None:
    write_model("staging.people", "SELECT owner_id AS a FROM hubspot.owners")
    write_model(
        "marts.rows",
        "SELECT d.deal_id AS a FROM hubspot.deals AS d LEFT JOIN staging.people AS p ON d.owner_id = p.a",
        more="named_by: [staging.people]\n",
    )
    models = load_models(folder)
    assert required_tables("marts.rows", models) == {"hubspot.deals"}
    assert required_tables("staging.people", models) == {"hubspot.owners"}


def test_required_tables_leave_out_those_without_which_only_some_columns_are_empty(
    write_model: WriteModel, folder: Path
) -> None:
    write_model("staging.calls", "SELECT call_id AS a FROM gong.calls")
    write_model(
        "marts.rows",
        "SELECT d.deal_id AS a FROM hubspot.deals AS d LEFT JOIN staging.calls AS c ON d.deal_id = c.a",
        more="optional: [staging.calls]\n",
    )
    models = load_models(folder)
    assert required_tables("marts.rows", models) == {"hubspot.deals"}
    assert models["marts.rows"].dependencies == ("hubspot.deals", "staging.calls")


def test_an_object_is_flattened_on_both_engines(write_model: WriteModel, warehouse: DuckDBWarehouse) -> None:
    select = (
        "SELECT held.key AS a, CAST(held.value AS INTEGER) AS b "
        "FROM redis.account_usage AS usage CROSS JOIN LATERAL FLATTEN(input => usage.features) AS held"
    )
    model = parse_model(write_model("staging.flattened", select, columns="a b"))
    assert "LATERAL FLATTEN(input => usage.features)" in model.sql("snowflake", {})
    assert "json_each(usage.features)" in model.sql("duckdb", {}).lower()
    (built,) = build_models(warehouse, [model], {})
    assert built.column_differences == ()


def test_column_lineage_goes_through_ctes_unions_and_expressions(write_model: WriteModel) -> None:
    model = parse_model(
        write_model(
            "marts.rows",
            """
            WITH won AS (
                SELECT d.deal_id, d.amount * s.probability AS worth
                FROM hubspot.deals AS d JOIN hubspot.pipeline_stages AS s ON d.stage_id = s.stage_id
            ),
            ranked AS (SELECT deal_id, worth, ROW_NUMBER() OVER (ORDER BY worth) AS place FROM won)
            SELECT deal_id AS a, worth AS b, place AS c, 'crm' AS d FROM ranked
            UNION ALL
            SELECT invoice_id, amount, NULL, 'finance' FROM snowflake.invoices
            """,
            columns="a b c d e",
        )
    )
    columns_of = {table.qualified_name: table.column_names for table in registry.tables()}
    found = {name: set(origins) for name, origins in column_lineage(model, columns_of).items()}
    deal_value = {("hubspot.deals", "amount"), ("hubspot.pipeline_stages", "probability")}
    assert found["a"] == {("hubspot.deals", "deal_id"), ("snowflake.invoices", "invoice_id")}
    assert found["b"] == {*deal_value, ("snowflake.invoices", "amount")}
    assert found["c"] == deal_value
    assert found["d"] == set()
    assert found["e"] == set(), "a column that the SELECT does not have comes from nowhere"


def test_columns_that_models_compute_from_personal_data_are_personal_too() -> None:
    personal = personal_columns()
    assert ("hubspot.contacts", "email") in personal
    assert ("hubspot.contacts", "contact_id") not in personal
    assert ("marts.deals", "deal_id") not in personal


def test_the_time_zone_is_filled_in_for_both_dialects(write_model: WriteModel) -> None:
    path = write_model(
        "marts.rows", "SELECT CAST(CONVERT_TIMEZONE('UTC', :timezone, created_at) AS DATE) AS a FROM hubspot.deals"
    )
    model = parse_model(path)
    for dialect in ("duckdb", "snowflake"):
        sql = model.sql(dialect, {"timezone": "Europe/Berlin"})
        assert "'Europe/Berlin'" in sql
        assert ":timezone" not in sql


def test_a_parameter_that_no_one_fills_in_is_told(write_model: WriteModel) -> None:
    model = parse_model(write_model("marts.rows", "SELECT :tomorrow AS a"))
    with pytest.raises(ConfigurationError) as error:
        model.sql("duckdb", {"timezone": "UTC"})
    assert "sql/marts/rows.sql uses :tomorrow, which no one fills in. Use one of :timezone" in one_line(error)


def counted(warehouse: DuckDBWarehouse, table: str) -> Any:
    return warehouse.query(f"SELECT COUNT(*) AS rows FROM {table}")["rows"][0].as_py()


def in_order(folder: Path) -> list[Model]:
    return list(load_models(folder).values())


def test_a_build_replaces_all_models_or_none(write_model: WriteModel, folder: Path, warehouse: DuckDBWarehouse) -> None:
    write_model("staging.all_or_none", "SELECT 1 AS a")
    write_model("marts.all_or_none", "SELECT a FROM staging.all_or_none")
    build_models(warehouse, in_order(folder), {"timezone": "UTC"})

    write_model("staging.all_or_none_2", "SELECT 1 AS a UNION ALL SELECT 2")
    second = parse_model(write_model("staging.all_or_none", "SELECT 1 AS a UNION ALL SELECT 2 UNION ALL SELECT 3"))
    broken = parse_model(write_model("marts.all_or_none", "SELECT CAST('x' AS INT) AS a FROM staging.all_or_none"))
    with pytest.raises(SophiaError) as error:
        build_models(warehouse, [second, broken], {"timezone": "UTC"})
    assert "sql/marts/all_or_none.sql could not be built" in one_line(error)
    assert counted(warehouse, "staging.all_or_none") == 1
    assert counted(warehouse, "marts.all_or_none") == 1


def test_a_build_counts_rows_repeated_keys_and_columns_that_differ(
    write_model: WriteModel, warehouse: DuckDBWarehouse
) -> None:
    repeated = parse_model(
        write_model("marts.repeated", "SELECT 1 AS a, 'x' AS b UNION ALL SELECT 1, 'y'", columns="a b c")
    )
    keyless = parse_model(write_model("marts.keyless", "SELECT 1 AS b", columns="a b"))
    built = build_models(warehouse, [repeated, keyless], {"timezone": "UTC"})
    assert (built[0].rows, built[0].repeated_keys, built[0].column_differences) == (2, 1, ("c",))
    assert built[0].types == {"a": "int32", "b": "string"}
    assert built[1].column_differences == ("a",)


def test_the_projects_models_run_on_an_empty_warehouse(warehouse: DuckDBWarehouse) -> None:
    built = build_models(warehouse, list(load_models().values()), {"timezone": "America/New_York"})
    assert {item.model.qualified_name: item.column_differences for item in built if item.column_differences} == {}
    assert [item.model.qualified_name for item in built if item.rows] == ["staging.topic_words"], "its words are listed"


def test_lineage_is_found_again_where_it_was_kept(tmp_path: Path) -> None:
    found = lineage_of_models(tmp_path)
    [file] = tmp_path.iterdir()
    lineage_of_models.cache_clear()

    assert lineage_of_models(tmp_path) == found == lineage_of_models()
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
