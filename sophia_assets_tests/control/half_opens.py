"""`python -m sophia_assets_tests.control.half_opens`: many processes reach for each half-open circuit's one probe.

In each round all processes see the probe due at the same moment; then its holder fails, succeeds, or is lost with its
lease, in turns, and the next round begins. The clock is given, so that nothing waits for time to pass.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from threading import BrokenBarrierError
from typing import Any

from sophia_assets.control.breaker import Admission, Failure, Verdict
from sophia_assets.control.circuits import Circuits
from sophia_assets.control.store import ControlStore
from sophia_assets_tests.control.postgres import running_postgres

NAME = "gong"
_START = datetime(2026, 1, 1, tzinfo=UTC)
_LONGER_THAN_ANY_WAIT = 2 * 3600
_PATIENCE = 120.0
_REFUSED = Failure("connection", "no answer")


@dataclass(frozen=True)
class Report:
    """`probes` has how many processes got each round's probe; `contenders` how many saw it due, on average."""

    processes: int
    rounds: int
    wrong_rounds: int
    contenders: float
    seconds: float

    @property
    def is_right(self) -> bool:
        """Whether every half-open circuit let exactly one probe through."""
        return self.wrong_rounds == 0


class _Watched(Circuits):
    """Counts how often the probe was seen due before it was reached for."""

    seen_due = 0

    def admission(self, name: str, credential: str = "") -> Admission:
        found = super().admission(name, credential)
        self.seen_due += found.verdict is Verdict.PROBE_DUE
        return found


class Shared:
    """What the processes have in common, beside the store: a clock, a barrier, and each round's count."""

    def __init__(self, processes: int, rounds: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.clock: Synchronized[float] = context.Value("d", 0.0)
        self.barrier = context.Barrier(processes)
        self.probes = context.Array("i", rounds)
        self.seen_due = context.Value("i", 0)
        self.context = context

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "context"}

    def now(self) -> datetime:
        """The given moment."""
        return _START + timedelta(seconds=self.clock.value)


def _reach(url: str, number: int, shared: Shared) -> None:
    """One process: in each round it reaches for the probe; whoever got it decides what becomes of the circuit."""
    store = ControlStore(url, wait_seconds=60)
    circuits = _Watched(store, clock=shared.now)
    for index in range(len(shared.probes)):
        owner = f"process {number}, round {index}"
        shared.barrier.wait(_PATIENCE)
        has_it = circuits.take_probe(NAME, owner)
        if has_it:
            with shared.probes.get_lock():
                shared.probes[index] += 1
        shared.barrier.wait(_PATIENCE)
        if has_it:
            _end_round(circuits, owner, index, shared)
    with shared.seen_due.get_lock():
        shared.seen_due.value += circuits.seen_due
    store.close()


def _end_round(circuits: Circuits, owner: str, index: int, shared: Shared) -> None:
    if index % 3 == 0:
        circuits.failed(NAME, _REFUSED, owner)
    elif index % 3 == 1:
        circuits.succeeded(NAME, owner)
        _open(circuits)
    shared.clock.value += _LONGER_THAN_ANY_WAIT  # in the third case the holder is lost with its lease


def _open(circuits: Circuits) -> None:
    for _ in range(5):
        circuits.failed(NAME, _REFUSED)


def run(url: str, processes: int, rounds: int) -> Report:
    """Plays the rounds on the store at `url`."""
    shared = Shared(processes, rounds)
    store = ControlStore(url)
    _open(Circuits(store, clock=shared.now))
    shared.clock.value += _LONGER_THAN_ANY_WAIT
    began = time.monotonic()
    children = [
        shared.context.Process(target=_reach, args=(url, number, shared), daemon=True) for number in range(processes)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
    store.close()
    if any(child.exitcode for child in children):
        raise RuntimeError(f"processes ended with {[child.exitcode for child in children]}") from BrokenBarrierError()
    wrong = sum(count != 1 for count in shared.probes[:])
    return Report(processes, rounds, wrong, shared.seen_due.value / rounds, round(time.monotonic() - began, 1))


def main() -> None:
    """Plays, prints the report, and ends with 1 where a round had no probe or more than one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--postgres", action="store_true", help="on a Postgres of its own, not on SQLite")
    options = parser.parse_args()
    with ExitStack() as stack:
        if options.postgres:
            url = stack.enter_context(running_postgres()).new_database()
        else:
            url = f"sqlite:///{Path(stack.enter_context(tempfile.TemporaryDirectory())) / 'control.db'}"
        report = run(url, options.processes, options.rounds)
    print(json.dumps(asdict(report) | {"store": "postgres" if options.postgres else "sqlite"}))
    sys.exit(not report.is_right)


if __name__ == "__main__":
    main()
