"""`sophia circuit` shows the breakers and works them, and refuses what makes no sense in one line."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sophia_assets.control.actions import tail
from sophia_assets.control.breaker import Failure
from sophia_assets.control.circuits import Circuits
from sophia_assets.control.store import ControlStore
from sophia_assets_tests.command_line.commands import Sophia, refused
from sophia_assets_tests.environment import default_settings


@pytest.fixture
def sophia(tmp_path: Path) -> Iterator[Sophia]:
    with default_settings(tmp_path):
        yield Sophia(tmp_path / "var")


@pytest.fixture
def store(sophia: Sophia) -> ControlStore:
    return ControlStore.at(sophia.base_home / "control.db")


def test_status_tells_every_circuit_in_words(sophia: Sophia, store: ControlStore) -> None:
    Circuits(store).failed("gong", Failure("authentication", "the token was refused"))
    told = sophia("circuit", "status").output

    assert ": the token was refused; it is not tried again" in told
    assert "openai     closed" in told


def test_status_of_one_circuit_is_an_object(sophia: Sophia) -> None:
    found = json.loads(sophia("circuit", "status", "gong", "--json").stdout)

    assert (found["name"], found["state"], found["forced"], found["words"]) == ("gong", "closed", None, "closed")


def test_whoever_opens_a_circuit_is_recorded_by_login_name(sophia: Sophia, store: ControlStore) -> None:
    result = sophia("circuit", "open", "gong", "--ttl", "30m", "--reason", "maintenance", "--json")

    forced = json.loads(result.stdout)["forced"]
    assert (forced["state"], forced["by"], forced["reason"]) == ("open", getpass.getuser(), "maintenance")
    assert [(deed.actor, deed.action) for deed in tail(store)] == [(getpass.getuser(), "circuit.open")]


def test_a_forced_circuit_is_given_back_by_a_reset(sophia: Sophia) -> None:
    sophia("circuit", "close", "gong", "--reason", "a test", "--by", "ada")
    assert "forced closed by ada" in sophia("circuit", "status", "gong").output
    assert "closed since" in sophia("circuit", "reset", "gong", "--reason", "done").output


def test_history_tells_who_did_what_and_why(sophia: Sophia) -> None:
    sophia("circuit", "open", "gong", "--reason", "maintenance", "--by", "ada")
    sophia("circuit", "reset", "gong", "--reason", "done", "--by", "bob")
    first, second = sophia("circuit", "history", "gong").output.splitlines()

    assert first.endswith("forced open by ada: maintenance") and second.endswith("reset by bob: done")
    assert [change["by"] for change in json.loads(sophia("circuit", "history", "gong", "--json").stdout)] == [
        "ada",
        "bob",
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["open", "gogn", "--reason", "x"], "there is no circuit 'gogn'. Use one of gong"),
        (["status", "gogn"], "there is no circuit 'gogn'"),
        (["history", "gogn"], "there is no circuit 'gogn'"),
        (["reset", "gogn", "--reason", "x"], "there is no circuit 'gogn'"),
        (["open", "gong"], "a reason was not given"),
        (["reset", "gong"], "a reason was not given"),
        (["close", "gong", "--reason", "  "], "a reason was not given"),
        (["open", "gong", "--reason", "x", "--ttl", "0m"], "--ttl is '0m'"),
        (["open", "gong", "--reason", "x", "--ttl", ""], "--ttl is ''"),
        (["open", "gong", "--reason", "x", "--ttl", "soon"], "--ttl is 'soon'. Write a whole number and s, m, h or d"),
        (["open", "gong", "--reason", "x", "--ttl", "367d"], "--ttl is '367d'"),
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_refused_in_one_line(
    sophia: Sophia, store: ControlStore, arguments: list[str], told: str
) -> None:
    refused(sophia("circuit", *arguments), 2, told)
    assert tail(store) == []


def test_a_store_that_cannot_be_reached_is_told_in_one_line(sophia: Sophia) -> None:
    url = "postgresql://me:s3cret@127.0.0.1:9/control"
    line = refused(sophia("circuit", "status", SOPHIA_CONTROL_URL=url), 4, "Postgres at 127.0.0.1:9/control")
    assert "s3cret" not in line
