"""A line of the log as text: JSON for programs, and a form for people.

Belongs here: that alone. Does not belong here: what a line holds (`logs`).
"""

from __future__ import annotations

import sys
from typing import Any, Final

import orjson

from sophia_assets.plain_text import NEWLINE

FIXED: Final = ("timestamp", "level", "logger")
"""What every line begins with, made by nobody but the log."""
EXCEPTION: Final = "exception"


def as_json(line: dict[str, Any]) -> str:
    """A line for a program; what JSON does not know is text."""
    try:
        return orjson.dumps(line, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError):
        plain = {str(key): value if isinstance(value, bool | float) else str(value) for key, value in line.items()}
        return orjson.dumps({key: _encodable(value) for key, value in plain.items()}).decode()


def _encodable(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def as_text(line: dict[str, Any]) -> str:
    """A line for people: the time of day, how bad it is, what happened, and what is known about it."""
    rest = {key: value for key, value in line.items() if key not in (*FIXED, "event", EXCEPTION)}
    known = " ".join(f"{key}={_shown(value)}" for key, value in rest.items())
    level = line["level"]
    if level in _COLOURS and _is_terminal():
        level = f"{_COLOURS[level]}{level:<8}\x1b[0m"
    text = f"{line['timestamp'][11:19]} {level:<8} {line['event']}{'  ' if known else ''}{known}"
    if EXCEPTION in line:
        # Set off, so that none of its lines looks like one of the log's.
        text += "".join(f"\n    | {part}" for part in line[EXCEPTION].split(NEWLINE))
    return text


_COLOURS = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31;1m"}


def _is_terminal() -> bool:
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):
        return False


def _shown(value: Any) -> str:
    text = str(value)
    return f"{text!r}" if " " in text or "=" in text or not text else text
