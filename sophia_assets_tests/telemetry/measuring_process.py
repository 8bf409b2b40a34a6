"""A process among several that write the same figures at the same time; run by `test_recording_storm`."""

from __future__ import annotations

import random
import threading
from typing import Any

from sophia_assets.control.circuits import Circuits
from sophia_assets.control.store import ControlStore
from sophia_assets.settings.breakers import CIRCUITS
from sophia_assets.telemetry.recording import Recorder, write
from sophia_assets.telemetry.series import FETCH_SECONDS, FETCHES, LAST_LOAD, Point

SYSTEMS = ("gong", "hubspot", "linear", "pinecone", "redis", "slack", "snowflake")


def write_often(url: str, number: int, writes: int, barrier: Any) -> None:
    """Half of the writes in a transaction of somebody's, half by a recorder; each has every system, in any order."""
    store = ControlStore(url)
    chance, recorder = random.Random(number), Recorder(store)
    with store.reading():
        barrier.wait(120)
    for turn in range(writes):
        points: list[Point] = []
        for system in SYSTEMS:
            points.append(FETCHES.add(source=system))
            points.append(FETCH_SECONDS.observe(0.25, source=system))
            points.append(LAST_LOAD.set(turn, source=system, table="calls"))
        chance.shuffle(points)
        if turn % 2:
            recorder.record(*points)
        else:
            with store.transaction() as connection:
                write(connection, points)
    recorder.close()
    store.close()


def hold_and_wait(url: str, has_recorded: Any) -> None:
    """Writes some figures down, holds others, and waits to be killed."""
    store = ControlStore(url)
    recorder = Recorder(store, hold_seconds=3_600)
    recorder.record(FETCHES.add(5, source="gong"))
    recorder.flush()
    Circuits(store, names=CIRCUITS).reset("gong", "ada", "to be counted at once")
    recorder.record(FETCHES.add(source="gong"))
    has_recorded.set()
    threading.Event().wait()
