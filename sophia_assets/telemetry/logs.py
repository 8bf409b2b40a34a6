"""Logs: one line for each thing that happened, with who, where and in which run, and without secrets.

Belongs here: how a line is made and written, whichever library it comes from. Does not belong here: what is taken out
of it (`redaction`), or what a command says to whoever called it, which is no log.

Each module has its logger, `_log = get_logger(__name__)`, and says what happened in a constant sentence with
the rest as fields: `_log.warning("the shared cache is not used for a while", problem=why)`. What is known of the
surroundings is bound where it becomes known (`bound`) and stands on every line below, other libraries' included. A
line that cannot be made or written is dropped: logging never takes the work down.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import Any, ParamSpec, TypeVar

import orjson
import structlog

from sophia_assets.plain_text import NEWLINE, visible
from sophia_assets.settings.logs import CONSOLE, JSON, LEVELS, LogSettings, secrets_of
from sophia_assets.telemetry.log_rendering import EXCEPTION, FIXED, as_json, as_text
from sophia_assets.telemetry.redaction import (
    LONGEST_TRACEBACK,
    Redaction,
    exception_in,
    shortened,
    told,
    traceback_of,
)

P = ParamSpec("P")
T = TypeVar("T")
#: Ours, and those whose INFO is worth reading; of all others, only what is wrong.
_TALKATIVE = ("sophia_assets", "uvicorn", "dagster", "dagit", "dagster-webserver")
_DAGSTERS = ("dagster", "dagit", "dagster-webserver")
_LINE = "sophia_line"
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.,]{8,20}(?:Z|[+-]\d\d:?\d\d)?", re.ASCII)
_MOST_FIELDS = 40

_fields: ContextVar[Mapping[str, Any]] = ContextVar("log_fields", default=MappingProxyType({}))
_redaction = Redaction()
_form = CONSOLE


def configure(settings: LogSettings, environment: Mapping[str, str]) -> None:
    """Has everything that this process logs written to standard error, as the settings say.

    Calling it again replaces what was said before. `environment` is where the settings come from: the values of its
    secrets are never shown.
    """
    global _form
    protect(environment)
    _form = settings.format
    level: int = logging.getLevelNamesMapping()[settings.level.upper()]
    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each, _StandardError)]:
        root.removeHandler(handler)
    root.addHandler(_StandardError(level))
    root.setLevel(min(level, logging.WARNING))
    if settings.format == JSON:
        # Dagster's processes write their own lines in a form of their own.
        for name in _DAGSTERS:
            logging.getLogger(name).handlers.clear()
    threading.excepthook = _thread_failed
    sys.excepthook = _process_failed


def settle(settings: LogSettings, environment: Mapping[str, str]) -> None:
    """Configures it again, where it was configured before all settings were known."""
    if any(isinstance(each, _StandardError) for each in logging.getLogger().handlers):
        configure(settings, environment)


def is_configured() -> bool:
    """Whether somebody has said in this process where logs go."""
    return bool(logging.getLogger().handlers)


def writes_json() -> bool:
    """Whether lines are JSON, for a program that collects them."""
    return _form == JSON


def protect(environment: Mapping[str, str]) -> None:
    """Makes the secrets among these settings known, so that no line shows them."""
    _redaction.learn(secrets_of(environment))


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """While in this block, every line of this thread or task has these fields; None takes one away."""
    before = _fields.get()
    bind(**fields)
    try:
        yield
    finally:
        _fields.set(before)


def bind(**fields: Any) -> None:
    """The same from here on, until the `bound` around it ends."""
    merged = {**_fields.get(), **fields}
    _fields.set({name: value for name, value in merged.items() if value is not None})


def carried(work: Callable[P, T]) -> Callable[P, T]:
    """The function, as it is to be called in another thread: its lines have the fields of where it was made."""
    fields = _fields.get()

    def with_fields(*args: P.args, **kwargs: P.kwargs) -> T:
        with bound(**fields):
            return work(*args, **kwargs)

    return with_fields


def is_clean(text: str) -> bool:
    """Whether there is certainly no secret in a text that somebody sent."""
    return _redaction.is_clean(text)


def fields() -> Mapping[str, Any]:
    """What stands on every line here and now."""
    return _fields.get()


def collect(lines: Iterable[bytes], name: str) -> threading.Thread:
    """Writes what another program prints as lines of ours, from a thread that ends with it."""

    def work() -> None:
        for line in lines:
            with suppress(Exception):
                if text := line.decode("utf-8", "replace").strip():
                    _write(plain_line(text, name))

    thread = threading.Thread(target=work, name=f"lines of {name}", daemon=True)
    thread.start()
    return thread


def plain_line(text: str, name: str) -> str:
    """A line that another program printed, as one of ours in JSON: with the fields that it has, where it is JSON."""
    try:
        line = orjson.loads(text)
    except ValueError:
        line = {"event": text}
    if not isinstance(line, dict):
        line = {"event": text}
    level = str(line.pop("level", "info")).lower()
    if level not in LEVELS:
        level = "info"
    logger = str(line.pop("logger", None) or name)
    moment = line.pop("timestamp", None)
    made = _finished(level, logger, line)
    if isinstance(moment, str) and _MOMENT.fullmatch(moment):
        made["timestamp"] = moment
    return as_json(made)


# Making a line ------------------------------------------------------------------------------------------------------


def _from_structlog(logger: Any, method: str, event: Any) -> tuple[tuple[str], dict[str, Any]]:
    """The last processor: the whole line is made here, where it was said; what is left is to write it.

    What other handlers see of it, such as Dagster's, is as clean as the line itself.
    """
    try:
        given = dict(event)
        text = given.pop("event", "")
        positional = given.pop("positional_args", ())
        given["event"] = _interpolated(text, positional)
        line = _finished("error" if method == "exception" else method, logger.name, given)
    except Exception as error:
        line = _unmade("error", str(getattr(logger, "name", "")), error)
    return (_as_message(line),), {"extra": {_LINE: line}}


def _from_stdlib(record: logging.LogRecord) -> dict[str, Any]:
    """A line of another library's, or of Dagster's own log of a run."""
    given: dict[str, Any] = {"event": record.getMessage()}
    if record.exc_info:
        given["exc_info"] = record.exc_info
    meta = getattr(record, "dagster_meta", None)
    if isinstance(meta, Mapping):
        given |= {"event": meta.get("orig_message") or given["event"], "step": meta.get("step_key")}
        given |= {"run_id": meta.get("run_id"), "job": meta.get("job_name")}
        if happened := meta.get("dagster_event"):
            given["kind"] = str(getattr(happened, "event_type_value", ""))
    return _finished(record.levelname.lower(), record.name, given)


def _interpolated(text: Any, args: tuple[Any, ...]) -> str:
    if not args:
        return str(text)
    try:
        return str(text) % (args[0] if len(args) == 1 and isinstance(args[0], Mapping) else args)
    except Exception:
        return str(text)


def _finished(level: str, name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The line's fields in their order, without secrets and without what nobody sees."""
    around = _fields.get()
    line: dict[str, Any] = {
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": level,
        "logger": _redaction.name(name),
        "event": "",
    }
    failed = exception_in(given.pop("exc_info", None))
    given.pop("stack_info", None)
    for key, value in (*around.items(), *given.items()):
        called = _redaction.name(str(key))
        if value is not None and called not in FIXED and (called in line or len(line) < _MOST_FIELDS):
            line[called] = _plain(value)
    if failed is not None:
        line[EXCEPTION] = traceback_of(failed)
    return _clean(line)


def _clean(line: dict[str, Any]) -> dict[str, Any]:
    texts = [value for key, value in line.items() if isinstance(value, str) and key not in FIXED]
    is_clean = _redaction.is_clean(NEWLINE.join(texts))
    for key, value in line.items():
        if isinstance(value, str) and key not in FIXED:
            if not is_clean:
                value = _redaction.cleaned(value)
            keep, most = (NEWLINE, LONGEST_TRACEBACK) if key == EXCEPTION else ("", 0)
            line[key] = visible(shortened(value, most) if most else shortened(value), keep=keep)
    return line


def _plain(value: Any) -> Any:
    """What a field holds as JSON knows it."""
    if isinstance(value, str | bool | int | float):
        return str(value) if isinstance(value, str) or _redaction.is_secret(str(value)) else value
    if isinstance(value, BaseException):
        return told(value)
    return str(value)


def _unmade(level: str, name: str, error: BaseException) -> dict[str, Any]:
    return {
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": level,
        "logger": name,
        "event": f"a line could not be made ({type(error).__name__})",
    }


# Writing it ---------------------------------------------------------------------------------------------------------


class _StandardError(logging.Handler):
    """Writes each line at once to what standard error is at that moment; what cannot be written is dropped."""

    def __init__(self, level: int) -> None:
        super().__init__(level)

    def filter(self, record: logging.LogRecord) -> bool:
        """Of other libraries only what is wrong; of Dagster's processes nothing that they write themselves."""
        top = record.name.partition(".")[0]
        if top in _DAGSTERS and logging.getLogger(top).handlers:
            return False
        return record.levelno >= logging.WARNING or top in _TALKATIVE

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises: a full disk or a closed terminal is nothing that the work should end with."""
        try:
            _write(self.format(record))
        except Exception:
            return

    def format(self, record: logging.LogRecord) -> str:
        """The line as it is written, without its end."""
        line = getattr(record, _LINE, None)
        try:
            line = line if isinstance(line, dict) else _from_stdlib(record)
            return as_json(line) if _form == JSON else as_text(line)
        except Exception as error:
            return as_json(_unmade(record.levelname.lower(), record.name, error))


def _write(line: str) -> None:
    stream = sys.stderr
    if stream is None:
        return
    try:
        number = stream.fileno()
    except (OSError, ValueError, AttributeError):
        stream.write(f"{line}\n")
        return
    # Past the stream's buffer: what could not be written is not tried again at the end of the process, which would
    # then end with an error of its own; and lines of several threads and processes stay whole.
    content = f"{line}\n".encode("utf-8", "replace")
    while content:
        content = content[_written(number, content) :]


def _written(number: int, content: bytes) -> int:
    return os.write(number, content)


def _as_message(line: dict[str, Any]) -> str:
    """The line as other handlers show it: the sentence, and the fields that were given with it."""
    own = _fields.get()
    rest = [key for key in line if key not in (*FIXED, "event") and key not in own]
    text = str(line["event"])
    if rest:
        text += f" ({', '.join(f'{key}={line[key]}' for key in rest)})"
    # Nothing in it is a place for an argument.
    return text


# What nobody caught -------------------------------------------------------------------------------------------------


def _thread_failed(given: threading.ExceptHookArgs) -> None:
    if given.exc_value is not None and not issubclass(given.exc_type, SystemExit):
        name = given.thread.name if given.thread else "unknown"
        structlog.get_logger(__name__).error("a thread ended unexpectedly", thread=name, exc_info=given.exc_value)


def _process_failed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    structlog.get_logger(__name__).critical("the process ended unexpectedly", exc_info=error)


# Before anybody says where logs go they reach the standard library's loggers, as clean as later.
structlog.configure(
    processors=[structlog.stdlib.filter_by_level, _from_structlog],
    wrapper_class=structlog.stdlib.BoundLogger,
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger
