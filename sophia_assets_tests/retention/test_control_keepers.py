"""Old records in the control store go; what people and programs still rest on stays."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Table, func, select

from sophia_assets.access.audit_chain import Entry
from sophia_assets.access.audit_verification import verify
from sophia_assets.access.principal import Principal
from sophia_assets.control.schema import audit, deliveries, flag_changes, measures
from sophia_assets.control.store import ControlStore
from sophia_assets.retention.control_keepers import (
    AuditKeeper,
    DeliveriesKeeper,
    FlagChangesKeeper,
    MeasuresKeeper,
)
from sophia_assets.telemetry.recording import EVER, write
from sophia_assets.telemetry.series import QUESTIONS
from sophia_assets_tests.retention.conftest import NOW

CUTOFF = NOW - timedelta(days=100)


def _counted(store: ControlStore, table: Table) -> int:
    with store.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_day_figures_go_and_what_came_together_since_ever_never_does(store: ControlStore) -> None:
    with store.transaction() as connection:
        for back in (0, 99, 100, 101, 300):
            write(connection, [QUESTIONS.add(1, channel="page", status="answered")], NOW - timedelta(days=back))
    keeper = MeasuresKeeper(store)
    assert keeper.held(CUTOFF).due == 2
    assert sum(keeper.remove(CUTOFF)) == 2
    with store.reading() as connection:
        left = dict(connection.execute(select(measures.c.day, measures.c.value)).all())
    assert left.pop(EVER) == 5
    assert sorted(left) == [str((NOW - timedelta(days=back)).date()) for back in (100, 99, 0)]


def test_removing_twice_removes_nothing_more(store: ControlStore) -> None:
    with store.transaction() as connection:
        write(connection, [QUESTIONS.add(1, channel="page", status="answered")], NOW - timedelta(days=300))
    keeper = MeasuresKeeper(store)
    assert (sum(keeper.remove(CUTOFF)), sum(keeper.remove(CUTOFF))) == (1, 0)


def test_deliveries_go_in_steps_and_whoever_stops_goes_on_later(store: ControlStore) -> None:
    row = {"channel": "email", "kind": "k", "role": "r", "place": "p", "state": "sent", "claim": "c", "tries": 1,
           "receipt": "", "problem": "", "sent_at": None}  # fmt: skip
    with store.transaction() as connection:
        connection.execute(
            deliveries.insert(),
            [row | {"day": "d", "digest": str(n), "claimed_at": CUTOFF - timedelta(days=n)} for n in range(1201)],
        )
    keeper = DeliveriesKeeper(store)
    first = next(iter(keeper.remove(CUTOFF)))
    assert 0 < first < 1200
    assert first + sum(keeper.remove(CUTOFF)) == 1200
    assert _counted(store, deliveries) == 1


def test_the_newest_change_of_a_flag_stays_however_old_it_is(store: ControlStore) -> None:
    change: dict[str, Any] = {"by": "ada", "reason": "why", "before": None, "after": "on"}
    with store.transaction() as connection:
        connection.execute(
            flag_changes.insert(),
            [change | {"name": name, "at": CUTOFF - timedelta(days=n)} for n in (9, 5, 1) for name in ("a", "ü")],
        )
    assert sum(FlagChangesKeeper(store).remove(CUTOFF)) == 4
    with store.reading() as connection:
        left = connection.execute(select(flag_changes.c.name, flag_changes.c.at)).all()
    assert sorted(left) == [("a", CUTOFF - timedelta(days=1)), ("ü", CUTOFF - timedelta(days=1))]


def _accessed(store: ControlStore, days_ago: int) -> None:
    assert store.chain is not None
    entry = Entry.of(
        Principal("ada", "executive", "page"), "question.ask", "q", "allowed", {}, at=NOW - timedelta(days_ago)
    )
    with store.transaction() as connection:
        store.chain.append(connection, [entry])


def test_the_audit_trail_moves_to_an_archive_in_its_chain_a_month_at_a_time(store: ControlStore) -> None:
    for back in (140, 131, 120, 101, 99, 0):
        _accessed(store, back)
    keeper = AuditKeeper(store, store.chain, by="ada", reason="a night")
    assert sum(keeper.remove(CUTOFF)) == 4
    assert sum(keeper.remove(CUTOFF)) == 0, "what is not a month too old waits for the next archive"
    assert store.chain is not None
    told = verify(store, store.chain)
    assert told.is_whole, told.findings
    assert (told.archived, _counted(store, audit)) == (4, 3)  # two accesses, and the archiving itself


def test_a_trail_that_is_not_whole_is_left_as_it_is(store: ControlStore) -> None:
    for back in (200, 150, 0):
        _accessed(store, back)
    with store.transaction() as connection:
        connection.execute(audit.update().where(audit.c.seq == 2).values(actor="mallory"))
    try:
        removed = sum(AuditKeeper(store, store.chain, by="ada", reason="a night").remove(CUTOFF))
    except Exception as error:
        assert "the audit trail is not whole" in str(error)
    else:
        raise AssertionError(f"{removed} entries were archived")
    assert _counted(store, audit) == 3
