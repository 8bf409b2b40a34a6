"""A run's own lines in the process's log, and what our modules warn of in the run's log.

Belongs here: joining Dagster's log of a run to the platform's. Does not belong here: what a line looks like
(`telemetry.logs`).

Where lines are JSON, what `context.log` says and what Dagster notes of a run goes through the platform's log, with the
run's id; in a terminal Dagster shows it in its own way. The other way round, warnings of this package's modules appear
in the run's log in the UI: only those, and only of the run's own thread, since each is a row of the event log.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
from dagster._utils.log import create_console_logger

from sophia_assets.telemetry.logs import bound, writes_json

_NAME = "sophia_assets.run"
_SCHEMA = {
    "log_level": dg.Field(str, default_value="INFO", description="The level from which on lines are shown."),
    "name": dg.Field(str, default_value="dagster", description="The logger's name."),
}


@dg.logger(config_schema=_SCHEMA, description="The process's log: JSON where it is collected, else for a terminal.")
def run_logger(context: dg.InitLoggerContext) -> logging.Logger:
    """What Dagster hands every line of a run to."""
    level = str(context.logger_config["log_level"]).upper()
    if not writes_json():
        return create_console_logger(name=str(context.logger_config["name"]), level=level)
    logger = logging.Logger(_NAME, level)
    logger.parent = logging.getLogger()
    logger.addFilter(lambda _: not _telling.active)
    return logger


class _Telling(threading.local):
    """Whether this thread is telling the run's log of a line that the process's log has already."""

    active = False


_telling = _Telling()


@contextmanager
def joined_to(run_log: Any, **fields: Any) -> Iterator[None]:
    """While in this block, lines have these fields, and warnings of our modules go to the run's log, too."""
    if writes_json():
        _redirect(run_log)
    handler = _IntoRunLog(run_log)
    ours = logging.getLogger("sophia_assets")
    ours.addHandler(handler)
    try:
        with bound(**fields):
            yield
    finally:
        ours.removeHandler(handler)


def _redirect(run_log: Any) -> None:
    """Has Dagster's own console lines of a run written as ours: where a run's configuration names no logger, which is
    nearly always, Dagster takes its own and not the definitions'."""
    for logger in getattr(getattr(run_log, "_dagster_handler", None), "_loggers", ()):
        if logger.name != _NAME:
            logger.handlers[:] = [_IntoLog()]


class _IntoLog(logging.Handler):
    """Hands a run's lines to the process's log, but for those that come from there."""

    def emit(self, record: logging.LogRecord) -> None:
        """Past all loggers between, one of which would hand it to the run's log again."""
        if not _telling.active:
            record.name = _NAME
            logging.getLogger().handle(record)


class _IntoRunLog(logging.Handler):
    """Hands warnings of the thread that made it to a run's log; never fails whoever logs."""

    def __init__(self, run_log: Any) -> None:
        super().__init__(logging.WARNING)
        self._run_log, self._thread = run_log, threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """One row of the event log."""
        if threading.get_ident() != self._thread or _telling.active:
            return
        _telling.active = True
        try:
            self._run_log.log(record.levelno, record.getMessage())
        except Exception:
            return
        finally:
            _telling.active = False
