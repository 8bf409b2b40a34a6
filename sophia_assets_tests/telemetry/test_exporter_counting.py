"""Runs that have ended are counted exactly once, whoever looks how often and whatever is deleted."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.events import JobFailureData, RunFailureReason
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.storage.runs.schema import RunsTable
from dagster._core.test_utils import create_run_for_test
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._daemon.types import DaemonHeartbeat
from dagster_shared.error import SerializableErrorInfo
from sqlalchemy import select

from sophia_assets.control.schema import marks, measures
from sophia_assets.control.store import ControlStore
from sophia_assets.home import Home
from sophia_assets.orchestration import run_counting
from sophia_assets.orchestration.instance import instance_for
from sophia_assets.orchestration.launching import MACHINE_TAG, PROCESS_TAG
from sophia_assets.orchestration.lost_runs import settle_lost_runs, this_machine
from sophia_assets.orchestration.run_counting import count_ended
from sophia_assets.orchestration.run_telemetry import count_runs, daemons, runs_under_way, ticks
from sophia_assets.settings import load_settings
from sophia_assets.telemetry.exporter.samples import Age
from sophia_assets.telemetry.recording import EVER
from sophia_assets.telemetry.series import TICK_AGE, TICK_FAILED, TICK_SECONDS, Point

STARTED = dg.DagsterRunStatus.STARTED


class Counting:
    """An instance with runs, and a control store that they are counted into."""

    def __init__(self, instance: dg.DagsterInstance, store: ControlStore) -> None:
        self.instance, self.store = instance, store

    def run(self, job: str = "ingest_gong", *, number: int | None = None) -> str:
        """A run that is at work."""
        run_id = str(create_run_for_test(self.instance, job_name=job, status=STARTED).run_id)
        self._write(run_id, start_time=1_790_000_000.0)
        if number is not None:
            self._write(run_id, id=number)
        return run_id

    def ended(self, *run_ids: str, how: str = "SUCCESS", reason: RunFailureReason | None = None) -> None:
        """Their end, 30 seconds after they began."""
        for run_id in run_ids:
            run: Any = self.instance.get_run_by_id(run_id)
            kind = dg.DagsterEventType[f"RUN_{how}"]
            data = JobFailureData(error=None, failure_reason=reason) if how == "FAILURE" else None
            event = dg.DagsterEvent(event_type_value=kind.value, job_name=run.job_name, event_specific_data=data)
            self.instance.report_dagster_event(event, run_id)
            self._write(run_id, end_time=1_790_000_030.0)

    def _write(self, run_id: str, **values: Any) -> None:
        storage: Any = self.instance.run_storage
        with storage.connect() as connection:
            connection.execute(RunsTable.update().where(RunsTable.c.run_id == run_id).values(values))

    def delete(self, *run_ids: str) -> None:
        for run_id in run_ids:
            self.instance.delete_run(run_id)

    def count(self) -> int:
        return count_runs(self.instance, self.store)

    def totals(self) -> dict[str, float]:
        """What was counted since ever, by `[job, status]`."""
        wanted = select(measures.c.labels, measures.c.value).where(
            measures.c.day == EVER, measures.c.series == "sophia_runs_total"
        )
        with self.store.reading() as connection:
            return {row.labels: row.value for row in connection.execute(wanted)}


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[Counting]:
    store = ControlStore.at(tmp_path / "control.db")
    with dg.DagsterInstance.ephemeral() as instance:
        yield Counting(instance, store)
    store.close()


def test_each_run_counts_once_when_it_has_ended(counting: Counting) -> None:
    first, second, third = counting.run(), counting.run(), counting.run("nobody knows this one")
    assert counting.count() == 0
    counting.ended(second)
    counting.ended(third)
    assert counting.count() == 2
    assert counting.count() == 0
    counting.ended(first, how="CANCELED")
    assert counting.count() == 1
    assert counting.totals() == {
        '["ingest_gong","success"]': 1,
        '["ingest_gong","canceled"]': 1,
        '["other","success"]': 1,
    }


def test_a_run_that_failed_without_a_word_of_its_own_was_lost(counting: Counting) -> None:
    counting.ended(counting.run(), how="FAILURE", reason=RunFailureReason.STEP_FAILURE)
    counting.ended(counting.run(), how="FAILURE", reason=RunFailureReason.RUN_EXCEPTION)
    counting.ended(counting.run(), how="FAILURE")
    counting.ended(counting.run(), how="FAILURE", reason=RunFailureReason.START_TIMEOUT)
    assert counting.count() == 4
    assert counting.totals() == {'["ingest_gong","failure"]': 2, '["ingest_gong","lost"]': 2}


def test_a_run_that_ends_while_it_is_looked_at_counts_once(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = counting.run()
    assert counting.count() == 0
    looked, looks = run_counting._selected, []

    def slowly(*given: Any) -> Sequence[Any]:
        looks.append(found := looked(*given))
        if len(looks) == 1:
            counting.ended(run_id)
        return found

    monkeypatch.setattr(run_counting, "_selected", slowly)
    assert (counting.count(), counting.count()) == (1, 0)
    assert len(looks) > 2


def test_a_tag_on_an_old_run_does_not_count_it_again(counting: Counting) -> None:
    run_id = counting.run()
    counting.ended(run_id)
    counting.count()
    counting.instance.add_run_tags(run_id, {"looked": "at"})
    assert counting.count() == 0


def test_what_is_deleted_stays_counted_and_a_number_that_is_given_again_is_another_run(counting: Counting) -> None:
    runs = [counting.run() for _ in range(5)]
    counting.ended(*runs)
    assert counting.count() == 5
    counting.delete(runs[-1])
    again = counting.run(number=5)
    counting.ended(again)
    assert counting.count() == 1
    counting.delete(*runs[:-1], again)
    assert counting.count() == 0
    counting.ended(counting.run(number=2), counting.run(number=3))
    assert counting.count() == 2, "the numbers have begun anew"
    assert counting.count() == 0
    assert sum(counting.totals().values()) == 8


def test_a_run_that_was_open_when_it_was_deleted_is_forgotten(counting: Counting) -> None:
    open_one = counting.run()
    counting.count()
    counting.delete(open_one)
    assert counting.count() == 0
    with counting.store.reading() as connection:
        (mark,) = connection.execute(select(marks.c.value)).scalars()
    assert '"open":{}' in mark


def test_a_lower_number_that_shows_later_is_counted(counting: Counting) -> None:
    counting.ended(counting.run(number=9))
    assert counting.count() == 1
    counting.ended(counting.run(number=7))
    assert counting.count() == 1


def test_many_runs_are_counted_in_batches(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_counting, "_BATCH", 10)
    monkeypatch.setattr(run_counting, "_REMEMBERED", 4)
    runs = [counting.run() for _ in range(35)]
    counting.ended(*runs[1::2])
    assert counting.count() == 17
    counting.ended(*runs[::2])
    assert counting.count() == 18
    assert counting.totals() == {'["ingest_gong","success"]': 35}


def test_two_exporters_that_begin_at_once_on_a_new_instance_count_under_one_name(
    counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each makes up the storage's id, as Dagster does where it finds none; what stands there first counts."""
    counting.ended(counting.run())
    storage = counting.instance.run_storage
    answers = iter(["mine", "what stands there", "another's", "what stands there"])
    monkeypatch.setattr(storage, "get_run_storage_id", lambda: next(answers))
    assert (counting.count(), counting.count()) == (1, 0)


def test_two_exporters_count_no_run_twice(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have seen the same runs before either has counted them."""
    counting.ended(*[counting.run() for _ in range(20)])
    both = threading.Barrier(2)
    read = run_counting._rows

    def together(storage: Any, mark: Any) -> tuple[Sequence[Any], Sequence[Any]]:
        found = read(storage, mark)
        if not mark.upto:
            both.wait(60)
        return found

    monkeypatch.setattr(run_counting, "_rows", together)
    counted: list[int] = []
    threads = [
        threading.Thread(target=lambda: counted.append(count_ended(counting.store, counting.instance.run_storage)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sorted(counted) == [0, 20]
    assert counting.totals() == {'["ingest_gong","success"]': 20}


def test_what_was_counted_is_lost_together_with_the_mark_or_not_at_all(
    counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting.ended(counting.run())

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(run_counting, "write", dies)
        counting.count()
    assert counting.totals() == {}
    assert counting.count() == 1


def test_counts_belong_to_the_day_on_which_the_run_ended(counting: Counting) -> None:
    counting.ended(counting.run())
    counting.count()
    with counting.store.reading() as connection:
        days = set(connection.execute(select(measures.c.day)).scalars())
    assert days == {EVER, "2026-09-21"}


def test_sensors_are_told_by_their_newest_looks(tmp_path: Path) -> None:
    with instance_for(Home(tmp_path), load_settings({"SOPHIA_HOME": str(tmp_path)})) as instance:
        look_at_sensors(instance)


def look_at_sensors(instance: dg.DagsterInstance) -> None:
    """Sensors that were looked at, and what is told of them."""
    target = LoadableTargetOrigin(module_name="sophia_assets.definitions")
    repository = RemoteRepositoryOrigin(InProcessCodeLocationOrigin(target), "__repository__")
    now = time.time()
    looks = {
        "circuit_gong": [(now - 90, TickStatus.FAILURE), (now - 30, TickStatus.SKIPPED)],
        "circuit_slack": [(now - 60, TickStatus.FAILURE), (now, TickStatus.STARTED)],
        "of_long_ago": [(now - 40 * 86_400, TickStatus.SKIPPED)],
        "stopped": [(now, TickStatus.SKIPPED)],
    }
    for name, made in looks.items():
        origin = RemoteInstigatorOrigin(repository, name)
        status = InstigatorStatus.STOPPED if name == "stopped" else InstigatorStatus.DECLARED_IN_CODE
        state = InstigatorState(origin, InstigatorType.SENSOR, status, SensorInstigatorData(min_interval=30))
        instance.add_instigator_state(state)
        for at, how in made:
            error = SerializableErrorInfo("it broke", [], None) if how is TickStatus.FAILURE else None
            told = TickData(
                origin.get_id(),
                name,
                InstigatorType.SENSOR,
                how,
                at,
                selector_id=state.selector_id,
                error=error,
                end_timestamp=at + 2,
            )
            instance.create_tick(told)
    found = {(one.series.name, one.labels[0]): one for one in ticks(instance)}
    assert {name for _, name in found} == {"circuit_gong", "circuit_slack"}
    newest = found[TICK_AGE.name, "circuit_gong"]
    assert isinstance(newest, Age) and newest.at(now) == pytest.approx(30, abs=1)
    values = {key: one.value for key, one in found.items() if isinstance(one, Point)}
    assert values[TICK_SECONDS.name, "circuit_gong"] == pytest.approx(2)
    assert values[TICK_FAILED.name, "circuit_gong"] == 0
    assert values[TICK_FAILED.name, "circuit_slack"] == 1, "one that is under way says nothing yet"


def test_a_daemon_that_never_gave_a_sign_is_told_as_well(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with instance_for(home, load_settings({"SOPHIA_HOME": str(tmp_path)})) as instance:
        sign = time.time() - 60
        instance.add_daemon_heartbeat(DaemonHeartbeat(sign, "SENSOR", None))
        found = {one.labels[0]: one.since for one in daemons(instance) if isinstance(one, Age)}
        assert set(found) == set(instance.get_required_daemon_types()) >= {"SENSOR", "SCHEDULER", "MONITORING"}
    assert found.pop("SENSOR") == pytest.approx(sign)
    assert set(found.values()) == {-math.inf}


def test_runs_under_way_are_told_with_the_age_of_the_oldest_and_those_that_are_lost(counting: Counting) -> None:
    lives, gone = counting.run(), counting.run("check_sources")
    tags = {PROCESS_TAG: str(os.getpid()), MACHINE_TAG: this_machine()}
    counting.instance.add_run_tags(lives, tags)
    counting.instance.add_run_tags(gone, tags | {PROCESS_TAG: "0"})
    counting.instance.add_run_tags(counting.run("probe_system"), {PROCESS_TAG: "0", MACHINE_TAG: "another"})
    found = {(one.series.name, *one.labels): one for one in runs_under_way(counting.instance)}
    numbers = {key: one.value for key, one in found.items() if isinstance(one, Point)}
    assert numbers["sophia_runs_in_progress", "ingest_gong", "started"] == 1
    assert numbers["sophia_runs_in_progress", "ingest_slack", "started"] == 0
    assert numbers["sophia_run_age_seconds", "ingest_slack", "started"] == 0
    oldest = found["sophia_run_age_seconds", "ingest_gong", "started"]
    assert isinstance(oldest, Age) and oldest.since == 1_790_000_000
    lost = {key[1] for key, number in numbers.items() if key[0] == "sophia_runs_lost" and number}
    assert lost == {"check_sources"}, "nobody here knows of another machine's processes"
    assert settle_lost_runs(counting.instance) == [gone]
    assert settle_lost_runs(counting.instance) == []
