"""Users: a token proves one, the store never holds it, and whoever is disabled, expired or removed is out."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from sophia_assets.access.principal import Principal, RowScope
from sophia_assets.access.users import BELIEVED_S, Users
from sophia_assets.control.actions import tail
from sophia_assets.control.schema import audit, users
from sophia_assets.control.store import ControlStore
from sophia_assets.errors import ConfigurationError

LIMITS = RowScope({"owner": frozenset({"7", "8"}), "country": frozenset({"Österreich"})})
BY: dict[str, Any] = {"by": "root", "reason": "asked for"}


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def test_a_token_gives_the_user_with_role_and_limits(store: ControlStore) -> None:
    everybody = Users(store)
    token = everybody.add("ada", "sales_leader", rows=LIMITS, by="root")
    user = everybody.with_token(token)

    assert user is not None and user == everybody.named("ada") == everybody.all()[0]
    assert user.principal("api") == Principal("ada", "sales_leader", "api", LIMITS)


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: t + "A", lambda t: t.swapcase(), lambda t: f" {t}"])
def test_no_other_text_gives_a_user(store: ControlStore, change: object) -> None:
    everybody = Users(store)
    token = everybody.add("ada", "executive", by="root")

    assert everybody.with_token(change(token)) is None  # type: ignore[operator]


@pytest.mark.parametrize("text", ["", "sophia_", "Bearer x", "x" * 1_000_000, "sophia_\ud800", "sophia_' OR 1=1 --"])
def test_garbage_gives_nobody(store: ControlStore, text: str) -> None:
    assert Users(store).with_token(text) is None


def test_tokens_hold_256_bits_of_chance_and_no_two_are_alike(store: ControlStore) -> None:
    everybody = Users(store)
    tokens = {everybody.add(f"user{number}", "analyst", by="root") for number in range(20)}

    assert len({token[-43:] for token in tokens}) == 20  # 43 characters of base64 are 256 bits


def test_the_store_holds_no_token(store: ControlStore) -> None:
    token = Users(store).add("ada", "executive", by="root")
    with store.reading() as connection:
        kept = [str(value) for table in (users, audit) for row in connection.execute(select(table)) for value in row]

    assert not any(token[-43:] in value for value in kept)


def test_a_disabled_user_is_out_at_once_here_and_soon_elsewhere(
    store: ControlStore, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert BELIEVED_S <= 5
    monkeypatch.setattr("sophia_assets.access.users.BELIEVED_S", 0.2)
    everybody, elsewhere = Users(store), Users(ControlStore(store_url))
    token = everybody.add("ada", "executive", by="root")
    assert everybody.with_token(token) and elsewhere.with_token(token)
    everybody.disable("ada", **BY)

    assert everybody.with_token(token) is None
    deadline = time.monotonic() + 5
    while elsewhere.with_token(token) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert elsewhere.with_token(token) is None
    everybody.enable("ada", **BY)
    assert everybody.with_token(token)


def test_an_expired_user_is_out_even_where_the_token_was_just_believed(store: ControlStore) -> None:
    clock = Clock()
    everybody = Users(store, clock=clock)
    token = everybody.add("ada", "executive", by="root", expires_at=clock.now + timedelta(minutes=1))
    assert everybody.with_token(token)
    clock.now += timedelta(minutes=1)

    assert everybody.with_token(token) is None


def test_a_renewed_token_replaces_the_old_one(store: ControlStore) -> None:
    everybody = Users(store)
    old = everybody.add("ada", "executive", by="root")
    new = everybody.renew("ada", **BY)

    assert everybody.with_token(old) is None
    assert everybody.with_token(new) == everybody.named("ada")


def test_the_token_of_a_removed_user_proves_nobody_even_when_the_name_is_given_again(store: ControlStore) -> None:
    everybody = Users(store)
    old = everybody.add("ada", "executive", by="root")
    everybody.remove("ada", **BY)
    everybody.add("ada", "analyst", by="root")

    assert everybody.with_token(old) is None


def test_role_and_rows_change_each_alone(store: ControlStore) -> None:
    everybody = Users(store)
    everybody.add("ada", "sales_leader", rows=LIMITS, by="root")
    everybody.change("ada", role="analyst", **BY)
    assert everybody.named("ada").role == "analyst" and everybody.named("ada").rows == LIMITS
    everybody.change("ada", rows=RowScope(), **BY)
    assert everybody.named("ada").rows.is_everything


def test_every_change_is_recorded_with_who_and_why(store: ControlStore) -> None:
    everybody = Users(store)
    everybody.add("ada", "executive", by="root", reason="leads")
    everybody.renew("ada", **BY)
    everybody.change("ada", role="analyst", **BY)
    everybody.disable("ada", **BY)
    everybody.enable("ada", **BY)
    everybody.remove("ada", **BY)

    deeds = [(deed.action, deed.actor, deed.target, deed.reason) for deed in tail(store)][::-1]
    assert [deed[0] for deed in deeds] == [
        f"users.{name}" for name in ("add", "renew", "change", "disable", "enable", "remove")
    ]
    assert {deed[1:] for deed in deeds} == {("root", "ada", "leads"), ("root", "ada", "asked for")}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"name": "Ada"}, "'Ada' is no name for a user. Use up to 100 of a-z"),
        ({"name": ""}, "is no name for a user"),
        ({"name": "a" * 101}, "is no name for a user"),
        ({"name": "аda"}, "is no name for a user"),  # a Cyrillic letter
        ({"name": "ada\n"}, "is no name for a user"),
        ({"role": "king"}, "there is no role 'king'. Use one of executive"),
        ({"rows": RowScope({"colour": frozenset({"x"})})}, "by 'colour'. Use one of account, owner"),  # type: ignore[dict-item]
        ({"rows": RowScope({"owner": frozenset()})}, "0 values of owner are given"),
        ({"rows": RowScope({"owner": frozenset({" "})})}, "owner cannot be ' '"),
        ({"rows": RowScope({"owner": frozenset({"a\x00"})})}, "owner cannot be"),
        ({"by": " "}, "who does this was not given"),
        ({"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, "would have expired already"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(
    store: ControlStore, arguments: dict[str, object], told: str
) -> None:
    everybody = Users(store)
    with pytest.raises(ConfigurationError) as refused:
        everybody.add(**{"name": "ada", "role": "executive", "by": "root", **arguments})  # type: ignore[arg-type]

    assert told in str(refused.value) and everybody.all() == [] and tail(store) == []


def test_a_name_is_given_once_and_who_is_unknown_cannot_be_changed(store: ControlStore) -> None:
    everybody = Users(store)
    token = everybody.add("ada", "executive", by="root")
    with pytest.raises(ConfigurationError, match="there is a user 'ada' already"):
        everybody.add("ada", "analyst", by="root")
    for deed in (everybody.renew, everybody.disable, everybody.enable, everybody.remove):
        with pytest.raises(ConfigurationError, match="there is no user 'bob'"):
            deed("bob", **BY)
        with pytest.raises(ConfigurationError, match="a reason was not given"):
            deed("ada", by="root", reason=" ")
    with pytest.raises(ConfigurationError, match="nothing of ada would be changed"):
        everybody.change("ada", **BY)

    assert everybody.with_token(token) == everybody.named("ada")


def test_a_token_is_recognised_within_a_millisecond(store: ControlStore) -> None:
    everybody = Users(store)
    token = everybody.add("ada", "executive", by="root")
    everybody.with_token(token)
    began = time.perf_counter()
    for _ in range(200):
        everybody.with_token(token)

    assert (time.perf_counter() - began) / 200 < 0.001
