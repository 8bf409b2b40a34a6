"""Sessions: a ticket stands for a user until it ends, and never for longer than the user may enter."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from sophia_assets.access.sessions import MOST_OF_A_USER, Sessions
from sophia_assets.access.users import Users
from sophia_assets.control.schema import sessions
from sophia_assets.control.store import ControlStore
from sophia_assets.errors import AccessDenied
from sophia_assets_tests.access.test_users import BY, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def everybody(store: ControlStore, clock: Clock) -> Users:
    everybody = Users(store, clock=clock)
    everybody.add("ada", "executive", by="root", expires_at=clock.now + timedelta(days=2))
    return everybody


def test_a_ticket_gives_its_user_until_it_ends(store: ControlStore, everybody: Users, clock: Clock) -> None:
    logins = Sessions(store, clock=clock)
    ticket = logins.open("ada", 3600)
    assert logins.find(ticket.id) == (everybody.named("ada"), ticket)
    assert ticket.expires_at == clock.now + timedelta(hours=1)
    clock.now += timedelta(hours=1)

    assert logins.find(ticket.id) is None


def test_no_other_id_gives_anybody(store: ControlStore, everybody: Users, clock: Clock) -> None:
    logins = Sessions(store, clock=clock)
    ticket = logins.open("ada", 60)

    for other in ("", ticket.csrf, ticket.id + "A", ticket.id[:-1], "x" * 10_000, "\ud800"):
        assert logins.find(other) is None


@pytest.mark.parametrize(
    "end",
    [
        lambda everybody: everybody.change("ada", role="analyst", **BY),
        lambda everybody: everybody.renew("ada", **BY),
        lambda everybody: everybody.disable("ada", **BY),
        lambda everybody: everybody.remove("ada", **BY),
    ],
)
def test_whatever_changes_a_user_ends_the_sessions(
    store: ControlStore, everybody: Users, clock: Clock, end: Callable[[Users], None]
) -> None:
    logins = Sessions(store, clock=clock)
    ticket = logins.open("ada", 60)
    end(everybody)

    assert logins.find(ticket.id) is None


def test_a_session_of_a_removed_user_is_nobodys_when_the_name_is_given_again(
    store: ControlStore, everybody: Users, clock: Clock
) -> None:
    logins = Sessions(store, clock=clock)
    ticket = logins.open("ada", 60)
    everybody.remove("ada", **BY)
    everybody.add("ada", "executive", by="root")

    assert logins.find(ticket.id) is None


def test_an_expired_user_is_out_and_cannot_log_in(store: ControlStore, everybody: Users, clock: Clock) -> None:
    logins = Sessions(store, clock=clock)
    ticket = logins.open("ada", 7 * 86_400)
    clock.now += timedelta(days=2)

    assert logins.find(ticket.id) is None
    for name in ("ada", "nobody"):
        with pytest.raises(AccessDenied, match=f"{name} may not log in"):
            logins.open(name, 60)


def test_one_session_or_all_of_a_user_are_closed(store: ControlStore, everybody: Users, clock: Clock) -> None:
    everybody.add("bob", "analyst", by="root")
    logins = Sessions(store, clock=clock)
    one, two, three = (logins.open("ada", 60) for _ in range(3))
    of_bob = logins.open("bob", 60)
    logins.close(one.id)
    logins.close(one.id)
    assert logins.find(one.id) is None and logins.find(two.id)
    everybody.log_out("ada", by="root", reason="a lost telephone")

    assert logins.find(two.id) is None and logins.find(three.id) is None and logins.find(of_bob.id)


def test_the_store_holds_neither_ticket_nor_its_word_for_forms(
    store: ControlStore, everybody: Users, clock: Clock
) -> None:
    ticket = Sessions(store, clock=clock).open("ada", 60)
    with store.reading() as connection:
        kept = " ".join(str(value) for row in connection.execute(select(sessions)) for value in row)

    assert ticket.id not in kept and ticket.csrf not in kept


def test_a_user_has_so_many_sessions_at_most_and_old_ones_are_swept(
    store: ControlStore, everybody: Users, clock: Clock
) -> None:
    logins = Sessions(store, clock=clock)
    tickets = []
    for _ in range(MOST_OF_A_USER + 2):
        clock.now += timedelta(seconds=1)
        tickets.append(logins.open("ada", 3600))
    assert [bool(logins.find(ticket.id)) for ticket in tickets] == [False, False] + [True] * MOST_OF_A_USER
    clock.now += timedelta(hours=2)
    logins.open("ada", 60)

    with store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(sessions)).scalar_one() == 1
