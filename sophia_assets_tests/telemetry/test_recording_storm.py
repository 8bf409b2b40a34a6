"""Many processes that write the same figures at once: nothing is lost, nothing counted twice, nobody waits for ever."""

from __future__ import annotations

import multiprocessing
import os
import signal

import pytest

from sophia_assets.control.store import ControlStore
from sophia_assets.telemetry.series import CIRCUIT_CHANGES, FETCH_SECONDS, FETCHES, LAST_LOAD
from sophia_assets_tests.telemetry.measuring_process import SYSTEMS, hold_and_wait, write_often
from sophia_assets_tests.telemetry.recorded import cells, value

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

PROCESSES, WRITES = 8, 200


def test_the_totals_are_exact(store_url: str) -> None:
    store = ControlStore(store_url)
    assert cells(store) == {}
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    workers = [
        context.Process(target=write_often, args=(store_url, number, WRITES, barrier)) for number in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    try:
        for worker in workers:
            worker.join(150)
        assert [worker.exitcode for worker in workers] == [0] * PROCESSES
    finally:
        for worker in workers:
            worker.kill()
    whole = PROCESSES * WRITES
    for system in SYSTEMS:
        assert value(store, FETCHES, source=system) == whole
        assert value(store, FETCH_SECONDS, "0.5", source=system) == whole
        assert value(store, FETCH_SECONDS, "count", source=system) == whole
        assert value(store, FETCH_SECONDS, "sum", source=system) == whole / 4
        assert value(store, LAST_LOAD, source=system, table="calls") == WRITES - 1
    store.close()


def test_a_killed_process_loses_what_it_held_and_nothing_else(store_url: str) -> None:
    store = ControlStore(store_url)
    assert cells(store) == {}
    context = multiprocessing.get_context("spawn")
    has_recorded = context.Event()
    worker = context.Process(target=hold_and_wait, args=(store_url, has_recorded))
    worker.start()
    assert worker.pid
    try:
        assert has_recorded.wait(120)
    finally:
        os.kill(worker.pid, signal.SIGKILL)
        worker.join(30)
    assert value(store, FETCHES, source="gong") == 5
    assert value(store, CIRCUIT_CHANGES, name="gong", event="reset") == 1
    store.close()
