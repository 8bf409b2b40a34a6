"""The log in JSON while a test runs, and everything as it was afterwards."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sophia_assets.settings.logs import LogSettings
from sophia_assets.telemetry import logs
from sophia_assets.telemetry.redaction import Redaction


@contextmanager
def log_in_json(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lines from INFO on, without knowing the secrets of other tests: those may be plain words in this one."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    hooks = threading.excepthook, sys.excepthook
    monkeypatch.setattr(logs, "_redaction", Redaction())
    logs.configure(LogSettings("json", "info"), {})
    yield
    logs.configure(LogSettings("console", "warning"), {})
    root.handlers[:] = handlers
    root.setLevel(level)
    threading.excepthook, sys.excepthook = hooks
