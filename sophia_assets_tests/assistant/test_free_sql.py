"""Free SQL runs single SELECTs over what may be seen, and nothing else."""

from __future__ import annotations

import pytest

from sophia_assets.assistant.sql.checking import MOST_CHARACTERS, SqlRefused, checked, listed_functions

COLUMNS = {
    "marts.deals": ("deal_id", "deal", "amount", "account_id", "stage", "closed_on"),
    "marts.accounts": ("account_id", "account", "industry"),
}

WANTED = (
    "select count(*) from marts.deals",
    "select marts.deals.amount from marts.deals",
    "select d.* from marts.deals d where d.stage ilike '%won%' order by amount desc nulls last limit 3",
    "select iff(amount > 1, 'big', 'small') size, sum(amount) from marts.deals group by all having sum(amount) > 0",
    "select date_trunc('month', closed_on) m, avg(amount), median(amount) from marts.deals group by 1 order by 1",
    "select deal, row_number() over (partition by stage order by amount desc) n from marts.deals qualify n < 3",
    "with a as (select account_id, sum(amount) s from marts.deals group by 1), b as (select * from a where s > 1) "
    "select x.account, b.s from b join marts.accounts x using (account_id)",
    "with deals as (select * from marts.deals) select * from deals d join marts.deals m on m.deal_id = d.deal_id",
    "select * from marts.deals union all select * from marts.deals",
    "select * from marts.deals t where exists (select 1 from marts.accounts a where a.account_id = t.account_id)",
    "select case when amount is null then 0 else round(amount, 1) end from marts.deals where amount between 1 and 2",
    "select datediff('day', closed_on, current_date) from marts.deals where closed_on >= '2026-01-01'::date",
    "select account_id from marts.accounts intersect select account_id from marts.deals",
)

UNWANTED = (
    "",
    ";",
    "select 1; select 2",
    "select 1; drop table marts.deals",
    "drop table marts.deals",
    "insert into marts.deals select 1",
    "update marts.deals set amount = 0",
    "delete from marts.deals",
    "create table x as select 1",
    "copy marts.deals to 'x'",
    "attach 'x'",
    "pragma version",
    "set x = 1",
    "call x()",
    "explain select 1",
    "install httpfs",
    "load httpfs",
    "values (1)",
    "select * into x from marts.deals",
    "select * from marts.deals for update",
    "select * from read_csv('/etc/passwd')",
    "select * from read_text('/etc/passwd')",
    "select * from '/etc/passwd'",
    "select * from glob('/*')",
    "select * from duckdb_settings()",
    "select * from duckdb_tables",
    "select * from information_schema.tables",
    "select * from pg_catalog.pg_tables",
    "select * from sqlite_master",
    "select * from generate_series(1, 100)",
    "select * from (values (1)) v",
    "select * from marts.deals, lateral flatten(input => amount)",
    "select * from table(result_scan(last_query_id()))",
    "select * from @stage",
    "select $1 from marts.deals",
    "select * from marts.deals at (offset => -60)",
    "select * from marts.deals sample (10)",
    "select * from other.marts.deals",
    "select * from raw.deals",
    "select * from hubspot.contacts",
    "select * from deals",
    "select getenv('HOME')",
    "select current_user",
    "select current_role()",
    "select system$typeof(1)",
    "select nextval('x')",
    "select repeat('a', 1000000000)",
    "select email from marts.accounts",
    "select marts.accounts.email from marts.accounts",
    "select (select email from marts.accounts limit 1)",
    "select * from marts.deals where account_id in (select email from marts.accounts)",
    "select _extra from marts.deals",
    "select rowid from marts.deals",
    "with recursive a as (select 1) select * from a",
    "with marts as (select 1) select * from marts.secret",
    "select * from (with secret as (select 1 x) select * from secret) a, secret b",
    "select * from (with duckdb_tables as (select 1 x) select * from duckdb_tables) a, duckdb_tables",
    "with sqlite_master as (select 1) select * from main.sqlite_master",
    "with a as (with b as (select 1 y) select * from b) select * from a, b",
    "select * from marts.deals union select * from contacts",
    "(" * 400 + "select 1" + ")" * 400,
    "select " + "1+" * 4_000 + "1",
    "select '" + "x" * MOST_CHARACTERS + "'",
    "sélect * from märts",
    "'; drop table marts.deals; --",
)


@pytest.mark.parametrize("sql", WANTED)
@pytest.mark.parametrize("dialect", ["duckdb", "snowflake"])
def test_a_select_over_known_models_is_let_through(sql: str, dialect: str) -> None:
    assert checked(sql, COLUMNS, {}, dialect=dialect).tables


@pytest.mark.parametrize("sql", UNWANTED)
def test_whatever_else_is_refused_in_one_line(sql: str) -> None:
    with pytest.raises(SqlRefused) as refusal:
        checked(sql, COLUMNS, {}, dialect="duckdb")
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 600


def test_every_mention_of_a_model_is_narrowed_to_the_rows_and_columns_that_may_be_seen() -> None:
    sql = "select * from marts.deals a join marts.deals b using (deal_id) where a.amount > (select 1 from marts.deals)"
    statement = checked(sql, COLUMNS, {"marts.deals": "t.account_id IN ('it''s')"}, dialect="duckdb").sql
    assert statement.count("t.account_id IN ('it''s')") == 3
    assert statement.count("FROM marts.deals AS t") == 3


def test_an_answer_has_at_most_so_many_rows_and_one_more_to_tell_that_there_are_more() -> None:
    statement = checked("select * from marts.deals limit 5000", COLUMNS, {}, dialect="duckdb", most_rows=10).sql
    assert statement.endswith("LIMIT 11")


def test_comments_do_not_reach_the_engine() -> None:
    assert "secret" not in checked("select 1 from marts.deals -- secret \x00", COLUMNS, {}, dialect="duckdb").sql


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(SqlRefused, match=r"Did you mean marts\.deals"):
        checked("select * from marts.deal", COLUMNS, {}, dialect="duckdb")


def test_no_listed_function_reads_files_or_the_environment() -> None:
    names = set(listed_functions())
    assert {"sum", "count", "date_trunc"} <= names
    assert not [
        name for name in names if any(part in name for part in ("read", "file", "glob", "env", "query", "scan"))
    ]
