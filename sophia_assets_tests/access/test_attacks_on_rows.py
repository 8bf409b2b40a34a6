"""Whoever is limited to accounts learns of no other: not by what is answered, refused, put right or left out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import duckdb
import pytest

from sophia_assets.access.principal import Principal, RowScope
from sophia_assets.access.roles import ROLES
from sophia_assets.assistant.interface import Question, answer_as_json
from sophia_assets.desk import Desk
from sophia_assets.home import Home
from sophia_assets.metrics.catalog import load_catalog
from sophia_assets.services import Services
from sophia_assets.warehouse.reading import QueryRefused
from sophia_assets_tests.finished_home import copied_home, services_of

pytestmark = [pytest.mark.long, pytest.mark.takes(40)]

_ASKED = (
    "{name}",
    "What is MRR of {name}?",
    "How is {name} doing?",
    "What does {name} say?",
    "Compare MRR of {own} and {name}",
    "Compare {name} and {own}",
    "MRR without {name}",
    "Top deals of {name}",
    "quotes from {name} about pricing",
    "Why did MRR of {name} change?",
    "who is {name}",
    "pipeline of “{name}”",
)
#: Letters that stand for others: an unheard name of the same shape.
_OTHERS = str.maketrans("aeioubcdfghklmnprstvw", "oiaeuzwtvkplrdsnghmfb")


@pytest.fixture(scope="module")
def services(finished_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    made = services_of(copied_home(finished_home, tmp_path_factory.mktemp("rows") / "home"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def industry(finished_home: Home) -> str:
    """The one with the most accounts."""
    with duckdb.connect(str(finished_home.warehouse_file), read_only=True) as warehouse:
        sql = "SELECT industry FROM marts.accounts GROUP BY 1 ORDER BY COUNT(*) DESC, 1 LIMIT 1"
        return str(warehouse.execute(sql).fetchall()[0][0])


@pytest.fixture(scope="module")
def trimmed(finished_home: Home, industry: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """The same home without any row of an account of another industry."""
    home = copied_home(finished_home, tmp_path_factory.mktemp("trimmed") / "home")
    with duckdb.connect(str(home.warehouse_file)) as warehouse:
        columns = "SELECT table_name FROM information_schema.columns WHERE column_name = 'account_id'"
        tables = [name for (name,) in warehouse.execute(f"{columns} AND table_schema = 'marts'").fetchall()]
        kept = "(SELECT account_id FROM marts.accounts WHERE industry = ?)"
        for table in sorted(tables, key=lambda name: name == "accounts"):
            warehouse.execute(
                f"DELETE FROM marts.{table} WHERE account_id IS NULL OR account_id NOT IN {kept}", [industry]
            )
    made = services_of(home)
    yield made
    made.close()


def accounts_of(services: Services) -> dict[str, str]:
    rows = services.readings.current("executive").query("SELECT account_id, account FROM marts.accounts ORDER BY 1")
    return {row["account_id"]: row["account"] for row in rows.to_pylist()}


def told(services: Services, text: str, principal: Principal) -> str:
    """Everything that is answered, but for what differs from one time to the next."""
    answer = answer_as_json(replace(services.assistant.ask(Question(text, principal)), latency_ms=0, is_cached=False))
    for citation in answer["citations"]:
        citation.pop("query_hash")
    return json.dumps(answer, sort_keys=True, ensure_ascii=False)


def unheard(name: str) -> str:
    """A name like this one that nobody has: with another first word."""
    first, *rest = name.split()
    return " ".join([first.lower().translate(_OTHERS).capitalize(), *rest])


@pytest.mark.parametrize("role", ["executive", "sales_leader", "auditor"])
def test_a_name_of_somebody_else_is_told_like_one_that_nobody_has(services: Services, role: str) -> None:
    accounts = accounts_of(services)
    own, *others = accounts
    limits = RowScope() if role == "auditor" else RowScope({"account": frozenset({own})})
    principal = Principal("lim", role, "api", limits)
    differs = []
    for other in others[::8]:
        name, nobody = accounts[other], unheard(accounts[other])
        for template in _ASKED:
            known, unknown = (
                told(services, template.format(name=each, own=accounts[own]), principal)
                .replace(each.split()[0], "X")
                .replace(each.split()[0].lower(), "X")
                for each in (name, nobody)
            )
            if known != unknown:
                differs.append((template, name, nobody))
    assert differs == []


@pytest.mark.parametrize(
    ("role", "step"), [("executive", 5), *(pytest.param(role, 1, marks=pytest.mark.long) for role in ROLES)]
)
def test_answers_are_those_of_a_company_that_has_no_other_accounts(
    services: Services, trimmed: Services, industry: str, role: str, step: int
) -> None:
    principal = Principal("lim", role, "api", RowScope({"industry": frozenset({industry})}))
    one, other, *_ = accounts_of(trimmed).values()
    asked = ["How are we doing?", "What do customers say about pricing?", f"How is {one} doing?"]
    asked += [f"Compare MRR of {one} and {other}", "competitor mentions by competitor"]
    for metric in list(load_catalog().metrics.values())[::step]:
        asked += [f"What is {metric.label}?", f"Why did {metric.label} change?"]
        asked += [f"{metric.label} by {dimension.replace('_', ' ')}" for dimension in metric.dimensions[:2]]
    assert [text for text in asked if told(services, text, principal) != told(trimmed, text, principal)] == []


def test_a_name_that_two_accounts_share_is_ones_own(services: Services) -> None:
    from sophia_assets.assistant.understanding.entities import Name, NameIndex
    from sophia_assets.assistant.understanding.ground import Ground

    reading = services.readings.current("executive")
    whole = Ground.of(reading, services.settings)
    one, other, *_ = whole.accounts
    shared = replace(whole, names=NameIndex.of([Name("account", (one, other), "Twice There")]))
    seen = shared.seen_by({"account"}, RowScope({"account": frozenset({one})}))
    assert [name.ids for name in seen.names.names] == [(one,)]
    assert shared.seen_by({"account"}, RowScope()) is shared


def test_the_engines_words_about_rows_are_not_told_to_whoever_sees_some_of_them_only(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = next(iter(accounts_of(services)))
    monkeypatch.setattr(services.flags, "is_on", lambda _: True)
    limited = Principal("lim", "analyst", "api", RowScope({"account": frozenset({own})}))
    statement = "SELECT account FROM marts.accounts WHERE CAST(account AS INT) = 1"
    with pytest.raises(Exception, match="fails on the rows") as refused:
        Desk(services).run_sql(limited, statement)
    assert "Could not convert" not in str(refused.value)
    with pytest.raises(QueryRefused, match="Could not convert"):
        Desk(services).run_sql(Principal("ann", "analyst", "api"), statement)


def test_all_of_a_statement_that_runs_is_recorded(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    from sophia_assets.assistant.sql.checking import MOST_CHARACTERS

    monkeypatch.setattr(services.flags, "is_on", lambda _: True)
    ending = "SELECT COUNT(*) FROM marts.accounts"
    statement = " " * (MOST_CHARACTERS - len(ending)) + ending
    Desk(services).run_sql(Principal("ann", "analyst", "api"), statement)
    assert services.audit.tail(1)[0].details["sql"].endswith(ending)
