"""Processes that write to the control store and die by SIGKILL: before a chosen statement, or at any moment."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from multiprocessing.connection import Connection as Pipe
from multiprocessing.process import BaseProcess
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from sophia_assets.control.breaker import Failure, State
from sophia_assets.control.circuits import Circuits
from sophia_assets.control.store import ControlStore

NAME = "gong"
# The server process imports once; its children are there in milliseconds.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])


@dataclass
class Writer:
    """The child, and what it says: each deed's number after the deed."""

    process: BaseProcess
    said: Pipe

    def kill(self) -> None:
        """SIGKILL, and wait until it is dead."""
        os.kill(self.process.pid or 0, signal.SIGKILL)
        self.process.join()

    def await_its_death(self) -> None:
        """Waits until it has killed itself; fails where it ended in another way."""
        self.process.join(60)
        assert self.process.exitcode == -signal.SIGKILL, self.process.exitcode

    def told(self) -> int:
        """How many deeds it has told of, in all."""
        last = 0
        try:
            while self.said.poll():
                last = self.said.recv()
        except EOFError:
            pass
        return last


def writing(url: str, die_at: int = 0) -> AbstractContextManager[Writer]:
    """A process that does deeds; it kills itself before its statement number `die_at` (from 1), where that is given."""
    return _running(_write, url, die_at)


def holding_probe(url: str) -> AbstractContextManager[Writer]:
    """A process that takes the probe, says 1 if it has it, and then does nothing."""
    return _running(_hold, url)


def deed(circuits: Circuits, number: int) -> None:
    """The deed with that number (from 1): a force, two failures that open the circuit, a reset, in turns."""
    if number % 4 == 1:
        circuits.force(NAME, State.OPEN, "ada", f"deed {number}", timedelta(hours=1))
    elif number % 4 in (2, 3):
        circuits.failed(NAME, Failure("authentication", f"deed {number}"))
    else:
        circuits.reset(NAME, "ada", f"deed {number}")


@contextmanager
def _running(work: Callable[..., None], url: str, *arguments: int) -> Iterator[Writer]:
    said, saying = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=work, args=(url, saying, *arguments), daemon=True)
    process.start()
    saying.close()
    try:
        yield Writer(process, said)
    finally:
        process.kill()
        process.join()
        said.close()


def _hold(url: str, saying: Pipe) -> None:
    saying.send(int(Circuits(ControlStore(url)).take_probe(NAME, "the one that dies")))
    signal.pause()


def _write(url: str, saying: Pipe, die_at: int) -> None:
    store = ControlStore(url)
    if die_at:
        _die_before_statement(die_at)
    circuits = Circuits(store)
    for number in count(1):
        deed(circuits, number)
        saying.send(number)


def _die_before_statement(number: int) -> None:
    numbers = count(1)

    def die(*_: Any) -> None:
        if next(numbers) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", die)
    event.listen(Engine, "commit", die)
    event.listen(Engine, "checkin", die)
