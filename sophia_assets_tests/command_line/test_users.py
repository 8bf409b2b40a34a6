"""`sophia users`: who may read and ask, and what operators are refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from sophia_assets.access.sessions import Sessions
from sophia_assets.access.users import Users
from sophia_assets.control.store import ControlStore
from sophia_assets_tests.command_line.commands import Sophia, refused

WHY = ("--by", "root", "--reason", "asked for")
_ACCOUNTS = [
    ("a1", "Acme", "7", "Ada Smith", "Software", "Chad"),
    ("a2", "Öl & Söhne", "8", "Bob O'Neil", "Energy", "Österreich"),
    ("a3", "Twin", "7", "Ada Smith", "Software", "Chad"),
    ("a4", "Twin", "9", "Ada Smyth", "Software", None),
]


@pytest.fixture
def store(sophia: Sophia) -> Iterator[ControlStore]:
    store = ControlStore.at(sophia.hold().path / "control.db")
    yield store
    store.close()


@pytest.fixture
def accounts(sophia: Sophia, store: ControlStore) -> None:
    """A warehouse with a few accounts."""
    path: Path = sophia.base_home / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA marts")
        connection.execute(
            "CREATE TABLE marts.accounts (account_id VARCHAR, account VARCHAR, owner_id VARCHAR, owner VARCHAR, "
            "industry VARCHAR, country VARCHAR)"
        )
        connection.executemany("INSERT INTO marts.accounts VALUES (?, ?, ?, ?, ?, ?)", _ACCOUNTS)


def test_a_user_is_added_and_the_token_shown_once_with_how_to_use_it(sophia: Sophia, store: ControlStore) -> None:
    output = sophia("users", "add", "ada", "--role", "executive", *WHY).output
    token = next(word for word in output.split() if word.startswith("sophia_"))

    assert output.startswith("ada: executive, active.") and "Authorization: Bearer" in output
    user = Users(store).with_token(token)
    assert user is not None and user.name == "ada"
    for command in (("users", "list"), ("users", "show", "ada"), ("audit", "tail")):
        assert token not in sophia(*command).output and token not in sophia(*command, "--json").output


def test_programs_get_the_user_and_the_token(sophia: Sophia, store: ControlStore) -> None:
    told = json.loads(sophia("users", "add", "ada", "--role", "analyst", "--expires", "2099-12-31", "--json").stdout)

    assert (told["name"], told["role"], told["state"]) == ("ada", "analyst", "active until 2099-12-31")
    assert told["expires_at"].startswith("2100-01-01T00:00") and Users(store).with_token(told["token"])
    renewed = json.loads(sophia("users", "renew", "ada", *WHY, "--json").stdout)
    assert Users(store).with_token(told["token"]) is None and Users(store).with_token(renewed["token"])


def test_limits_are_given_by_id_or_name_and_shown_by_name(sophia: Sophia, accounts: None) -> None:
    only = ("--only", "owner=ada smith", "--only", "owner=8", "--only", "country=Österreich")
    told = json.loads(sophia("users", "add", "bob", "--role", "sales_leader", *only, "--json").stdout)
    assert told["only"] == {"country": ["Österreich"], "owner": ["7", "8"]}
    shown = sophia("users", "show", "bob").output

    assert "Only owner: Ada Smith (7), Bob O'Neil (8)" in shown and "Only country: Österreich" in shown
    assert "Areas: customer, sales; cleared for what is internal" in shown
    assert "country=Österreich; owner=7, 8" in sophia("users", "list").output


@pytest.mark.parametrize(
    ("only", "told"),
    [
        ("owner=Ada Smit", "no account has the owner 'Ada Smit'. Did you mean Ada Smith"),
        ("owner=Zzz", "There are Ada Smith, Bob O'Neil, Ada Smyth"),
        ("account=Twin", "2 have the account 'Twin'. Name it by its id: account=a3, account=a4"),
        ("industry=software'; DROP TABLE x; --", "no account has the industry"),
        ("colour=red", "--only is 'colour=red'. Write one of account=..., owner=..., industry=..., country=..."),
        ("owner", "--only is 'owner'"),
        ("owner=", "--only is 'owner='"),
    ],
)
def test_limits_that_no_account_meets_are_refused_with_what_is_near(
    sophia: Sophia, accounts: None, only: str, told: str
) -> None:
    refused(sophia("users", "add", "bob", "--role", "sales_leader", "--only", only), 2, told)
    assert json.loads(sophia("users", "list", "--json").stdout) == []


def test_limits_need_accounts_and_make_no_warehouse(sophia: Sophia, store: ControlStore) -> None:
    refused(sophia("users", "add", "bob", "--role", "analyst", "--only", "owner=7"), 2, "there are no accounts yet")
    assert not (sophia.base_home / "warehouse.duckdb").exists()


def test_a_user_is_changed_disabled_enabled_and_removed(sophia: Sophia, accounts: None) -> None:
    sophia("users", "add", "bob", "--role", "sales_leader", "--only", "owner=7")
    assert "bob: analyst, active, only owner=7." in sophia("users", "change", "bob", "--role", "analyst", *WHY).output
    assert "bob: analyst, active." in sophia("users", "change", "bob", "--everything", *WHY).output
    assert "bob: analyst, disabled." in sophia("users", "disable", "bob", *WHY).output
    assert "disabled" in sophia("users", "list").output
    assert "bob: analyst, active." in sophia("users", "enable", "bob", *WHY).output
    assert "bob is removed" in sophia("users", "remove", "bob", *WHY).output
    assert "There are no users yet" in sophia("users", "list").output
    actions = [entry["action"] for entry in json.loads(sophia("audit", "tail", "--action", "users", "--json").stdout)]

    assert actions == [f"users.{name}" for name in ("add", "change", "change", "disable", "enable", "remove")]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("add", "Bob", "--role", "analyst"), "'Bob' is no name for a user"),
        (("add", "bob", "--role", "king"), "there is no role 'king'. Use one of executive, sales_leader"),
        (("add", "ada", "--role", "analyst"), "there is a user 'ada' already"),
        (("add", "bob", "--role", "analyst", "--expires", "2020-01-01"), "bob would have expired already"),
        (("add", "bob", "--role", "analyst", "--expires", "soon"), "--expires is 'soon', which is not a date"),
        (("show", "bob"), "there is no user 'bob'. `sophia users list` shows who there is"),
        (("disable", "ada"), "ada is not changed: a reason was not given"),
        (("remove", "bob", *WHY), "there is no user 'bob'"),
        (("change", "ada", *WHY), "nothing of ada would be changed"),
        (("change", "ada", "--only", "owner=7", "--everything", *WHY), "--only and --everything contradict"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    sophia: Sophia, store: ControlStore, arguments: tuple[str, ...], told: str
) -> None:
    sophia("users", "add", "ada", "--role", "executive")
    before = sophia("users", "list", "--json").output
    refused(sophia("users", *arguments), 2, told)
    assert sophia("users", "list", "--json").output == before


def test_everybody_who_is_logged_in_as_a_user_is_logged_out(sophia: Sophia, store: ControlStore) -> None:
    sophia("users", "add", "ada", "--role", "executive", *WHY)
    ticket = Sessions(store).open("ada", 60)

    assert sophia("users", "logout", "ada", *WHY).output == "ada is logged out everywhere.\n"
    assert Sessions(store).find(ticket.id) is None
    assert "users.logout" in sophia("audit", "tail").output
    refused(sophia("users", "logout", "nobody", *WHY), 2, "there is no user 'nobody'")
