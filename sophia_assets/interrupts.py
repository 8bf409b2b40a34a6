"""Interrupts (Ctrl-C) that Dagster sets aside, remembered for whoever runs jobs in its own process."""

from __future__ import annotations

import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def remembered_interrupts() -> Iterator[Callable[[], None]]:
    """Gives a function that raises KeyboardInterrupt where one has come since.

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
            if signal.SIGINT in heard.recv(64):
                raise KeyboardInterrupt

    # One that lands in a library's clean-up cannot be raised there, and would be printed as a traceback instead.
    shown = sys.unraisablehook
    sys.unraisablehook = lambda info: None if info.exc_type is KeyboardInterrupt else shown(info)
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    try:
        yield raise_if_interrupted
    finally:
        sys.unraisablehook = shown
        signal.set_wakeup_fd(before)
        heard.close()
        ear.close()
