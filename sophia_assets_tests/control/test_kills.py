"""A process that dies by SIGKILL leaves a store that opens, in which everything is there whole or not at all."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from sophia_assets.control.actions import tail
from sophia_assets.control.breaker import BreakerPolicy, Failure, State, Verdict
from sophia_assets.control.circuits import Circuits
from sophia_assets.control.store import ControlStore
from sophia_assets_tests.control.killed_writers import NAME, Writer, deed, holding_probe, writing

pytestmark = pytest.mark.takes(15)

_ACTIONS = {"circuit.open": "forced_open", "circuit.reset": "reset"}


def _deeds_in(url: str) -> int:
    """How many deeds the store holds, opened anew; fails where one is there in part."""
    store = ControlStore(url)
    circuits = Circuits(store)
    circuit, changes, actions = circuits.get(NAME), circuits.changes(NAME), tail(store, 10_000)
    assert [change.seq for change in changes] == list(range(1, circuit.change_seq + 1))
    by_hand = [(change.event, change.reason) for change in changes if change.by]
    assert by_hand == [(_ACTIONS[action.action], action.reason) for action in reversed(actions)]
    found = [change.event for change in changes if change.event in ("opened", "reset")]
    assert (circuit.state is State.OPEN) == (found[-1:] == ["opened"])
    assert (circuit.force is not None) == ([event for event, _ in by_hand[-1:]] == ["forced_open"])
    failed, calls = circuits.errors_of(NAME, datetime.now(UTC) - timedelta(hours=2))
    assert failed == calls
    if store.is_sqlite:
        with store.reading() as connection:
            assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
    store.close()
    return len(actions) + failed


@pytest.fixture
def probed(store: ControlStore, store_url: str) -> Iterator[Writer]:
    """A process that has taken the probe of a circuit that opened an hour ago."""
    before = Circuits(store, clock=lambda: datetime.now(UTC) - timedelta(hours=1))
    for _ in range(5):
        before.failed(NAME, Failure("connection", "no answer"))
    with holding_probe(store_url) as holder:
        assert holder.said.recv() == 1, "it has the probe"
        yield holder


def test_whoever_dies_at_a_statement_leaves_all_of_a_deed_or_nothing(store_url: str) -> None:
    held = _deeds_in(store_url)
    for die_at in range(1, 36):
        with writing(store_url, die_at) as child:
            child.await_its_death()
            told = child.told()
        now_held = _deeds_in(store_url)
        assert told <= now_held - held <= told + 1, f"killed at statement {die_at}"
        held = now_held


def test_whoever_dies_at_any_moment_leaves_all_of_a_deed_or_nothing(store_url: str) -> None:
    held = 0
    for _ in range(30):
        with writing(store_url) as child:
            child.said.poll(30)  # it is at work
            time.sleep(random.uniform(0, 0.02))
            child.kill()
            told = child.told()
        now_held = _deeds_in(store_url)
        assert told <= now_held - held <= told + 1
        held = now_held


def test_a_store_whose_creation_was_killed_is_created_by_the_next(store_url: str) -> None:
    for die_at in range(1, 14, 2):
        with writing(store_url, die_at) as child:
            child.await_its_death()
            assert child.told() == 0, "it died while it created the store"
    deed(Circuits(ControlStore(store_url)), 1)

    assert _deeds_in(store_url) == 1


def test_a_probe_whose_holder_was_killed_is_due_again_when_its_lease_ends(store: ControlStore, probed: Writer) -> None:
    probed.kill()
    just_now = Circuits(store)
    after_the_lease = Circuits(store, clock=lambda: datetime.now(UTC) + BreakerPolicy().lease)

    assert not just_now.take_probe(NAME, "another"), "nobody knows yet that its holder is dead"
    assert after_the_lease.admission(NAME).verdict is Verdict.PROBE_DUE
    assert after_the_lease.take_probe(NAME, "another")
    assert after_the_lease.succeeded(NAME, "another").state is State.CLOSED
