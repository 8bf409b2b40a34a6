"""Starting a sandbox in a process of its own, and stopping it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import IO, Any, Literal, Self

from sophia_assets import errors
from sophia_assets.sandbox.config import Endpoints, SandboxConfig

Milestone = Literal["listening", "ready"]

_STOP_WAIT_S = 3.0


class RunningSandbox:
    """A sandbox process. Use it as a context manager, or call `stop`."""

    def __init__(self, config: SandboxConfig) -> None:
        self._passed: dict[str, threading.Event] = {"listening": threading.Event(), "ready": threading.Event()}
        self._endpoints: Endpoints | None = None
        self._failure: errors.SophiaError | None = None
        self._last_lines: deque[str] = deque(maxlen=5)
        command = [sys.executable, "-m", "sophia_assets.sandbox", "--config", config.to_json()]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._complaints = self._follow(self._process.stderr, self._last_lines.append)
        self._events = threading.Thread(target=self._listen, daemon=True)
        self._events.start()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def endpoints(self) -> Endpoints:
        """The newest readiness report. Raises SophiaError before the first."""
        if self._endpoints is None:
            raise self._failure or errors.SophiaError("the sandbox does not answer yet", remedy="Wait for it first")
        return self._endpoints

    def wait(self, milestone: Milestone = "ready", timeout_s: float = 60.0) -> Endpoints:
        """Wait until HubSpot and Gong answer (`listening`) or all systems do (`ready`).

        Raises the error that stopped the sandbox, or SophiaError after `timeout_s`.
        """
        if not self._passed[milestone].wait(timeout_s):
            raise errors.SophiaError(
                f"the sandbox was not ready after {timeout_s:g} s",
                remedy="Start it by hand to see why: python -m sophia_assets.sandbox",
            )
        if self._failure is not None:
            raise self._failure
        return self.endpoints

    def stop(self) -> None:
        """Stop the process: ask, wait, then kill. Does nothing when it has ended."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_WAIT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()
        for thread in (self._events, self._complaints):
            thread.join(_STOP_WAIT_S)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _follow(self, stream: IO[str] | None, keep: Any) -> threading.Thread:
        def read() -> None:
            for line in stream or ():
                if line.strip():
                    keep(line.strip())

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        return thread

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            event = json.loads(line)
            if event["event"] == "failed":
                self._failure = _rebuilt(event)
            else:
                self._endpoints = Endpoints.from_dict(event["endpoints"])
                self._passed[event["event"]].set()
        # End of output: the process is going. Whoever still waits must learn why.
        if self._failure is None and not self._passed["ready"].is_set():
            self._complaints.join(1)
            said = self._last_lines[-1] if self._last_lines else "it said nothing"
            self._failure = errors.SophiaError(f"the sandbox ended before it was ready: {said}")
        for passed in self._passed.values():
            passed.set()


@contextlib.contextmanager
def start_sandbox(
    config: SandboxConfig, *, wait_for: Milestone | None = "ready", timeout_s: float = 60.0
) -> Iterator[RunningSandbox]:
    """Start a sandbox that lives as long as the `with` block, or as this process if that ends first.

    Waits for a milestone, see `RunningSandbox.wait`; with `wait_for=None` it does not wait.
    Raises ConfigurationError, PortTaken, or another SophiaError that says why it did not start.
    """
    with RunningSandbox(replace(config, parent_pid=os.getpid())) as sandbox:
        if wait_for is not None:
            sandbox.wait(wait_for, timeout_s)
        yield sandbox


def _rebuilt(event: dict[str, Any]) -> errors.SophiaError:
    kind = getattr(errors, event["type"], errors.SophiaError)
    problem: errors.SophiaError = kind(
        event["message"], remedy=event["remedy"], system=event["system"], obj=event["object"]
    )
    return problem
