"""Interrupts (Ctrl-C, SIGTERM) that Dagster sets aside, remembered for whoever runs jobs in its own process."""

from __future__ import annotations

import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM came: the program ends as by Ctrl-C."""


@contextmanager
def remembered_interrupts() -> Iterator[Callable[[], None]]:
    """Gives a function that raises KeyboardInterrupt, or Terminated, where one has come since.

    Dagster sets aside an interrupt that comes at the edge of a run, and then forgets it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    heard, ear = socket.socketpair()
    heard.setblocking(False)
    ear.setblocking(False)
    before = signal.set_wakeup_fd(ear.fileno(), warn_on_full_buffer=False)

    def raise_if_interrupted() -> None:
        with suppress(BlockingIOError):
            came = heard.recv(64)
            if signal.SIGTERM in came:
                raise Terminated
            if signal.SIGINT in came:
                raise KeyboardInterrupt

    # One that lands in a library's clean-up cannot be raised there, and would be printed as a traceback instead.
    shown = sys.unraisablehook
    sys.unraisablehook = lambda info: None if issubclass(info.exc_type, KeyboardInterrupt) else shown(info)
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, ordinary in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        # Whoever has decided otherwise about a signal keeps it so.
        if handlers[number] == ordinary:
            signal.signal(number, _raise)
    try:
        yield raise_if_interrupted
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        sys.unraisablehook = shown
        signal.set_wakeup_fd(before)
        heard.close()
        ear.close()


def _raise(number: int, _: FrameType | None) -> None:
    # One function for both: Dagster gives the handler of SIGINT to SIGTERM after each of its runs.
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt
