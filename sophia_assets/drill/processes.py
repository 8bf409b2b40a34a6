"""The processes that a drill starts: each in a group of its own, its output in a file, ended by id with the drill.

A drill that is killed itself can end nothing. For that there is the guard, a process that waits for the drill's end.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Self

from sophia_assets.errors import SophiaError

_ENDS_WITHIN_S = 5.0
_LOOK_S = 0.05
_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Child:
    """A process that was started under a name that people know; what it prints is in `log`."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def last_line(self) -> str:
        """The last thing that it said."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "nothing")


class Children:
    """Processes that end with the block, also where that is left by a signal, and also where this process is killed.

    `folder` is where all of them work and their logs lie; the guard removes it unless `keep`.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], *, keep: bool) -> None:
        self._folder = folder
        self._environment = dict(environment)
        self._children: list[Child] = []
        self._guard = subprocess.Popen(
            [sys.executable, "-m", "sophia_assets.drill.guard", *([] if keep else [str(folder)])],
            stdin=subprocess.PIPE,
            env=self._environment,
            start_new_session=True,
        )

    def start(self, name: str, *arguments: str) -> Child:
        """Starts Python with `arguments`."""
        log = self._folder / f"{name.replace(' ', '-')}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        child = Child(name, process, log)
        self._children.append(child)
        self._tell_guard(f"{process.pid}\n")
        return child

    def forget(self, child: Child) -> None:
        """No longer minds that a process has ended. It must have."""
        self._children.remove(child)
        self._tell_guard(f"-{child.process.pid}\n")

    def raise_if_one_ended(self) -> None:
        """Raises SophiaError where a process has ended that should not have."""
        for child in self._children:
            code = child.process.poll()
            if code is not None:
                raise SophiaError(f"the {child.name} has ended with {code}; the last it said is: {child.last_line}")

    def stop(self) -> None:
        """Ends all processes with everything that they have started: asks, waits, then kills."""
        groups = [child.process.pid for child in self._children]
        end_groups(groups, lambda: [child.process.poll() for child in self._children])
        for child in self._children:
            child.process.wait()
        self._children.clear()
        self._tell_guard("done\n")
        if self._guard.stdin is not None:
            with contextlib.suppress(OSError):
                self._guard.stdin.close()
        self._guard.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with no_interruption():
            self.stop()

    def _tell_guard(self, line: str) -> None:
        # A guard that was killed is missed only where the drill is killed, too.
        if self._guard.stdin is not None:
            with contextlib.suppress(OSError):
                self._guard.stdin.write(line.encode())
                self._guard.stdin.flush()


def end_groups(groups: Sequence[int], reap: Callable[[], object] = lambda: None) -> None:
    """Ends process groups by their ids: SIGTERM, and SIGKILL for what is left after some seconds.

    `reap` is called while waiting, to take note of children that have ended.
    """
    _signal(groups, signal.SIGTERM)
    if not _are_gone(groups, reap):
        _signal(groups, signal.SIGKILL)
        _are_gone(groups, reap)


def _signal(groups: Sequence[int], number: int) -> None:
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)


def _are_gone(groups: Sequence[int], reap: Callable[[], object]) -> bool:
    until = time.monotonic() + _ENDS_WITHIN_S
    while time.monotonic() < until:
        reap()
        if not any(map(_exists, groups)):
            return True
        time.sleep(_LOOK_S)
    return False


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Leaves the block by SystemExit where the process is asked to end, so that every clean-up is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = {number: signal.signal(number, leave) for number in _ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def no_interruption() -> Iterator[None]:
    """Sets signals aside that would break off a clean-up: a second Ctrl-C is as good as the first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, *_ENDING_SIGNALS)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
