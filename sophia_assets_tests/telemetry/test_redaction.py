"""A secret is taken out however it is written, and wherever on a line it stands."""

from __future__ import annotations

import json
import logging
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from urllib.parse import quote

import pytest
import structlog

from sophia_assets.settings.logs import LogSettings
from sophia_assets.telemetry import logs
from sophia_assets.telemetry.redaction import SECRET, Redaction

SECRETS = ["h9.(x)[y]+$z{2}^|\\d/", 'qu"o\\te\tTab-é-9', "zwölf-é€-Zeichen", "5f0a" * 16, "one line\nand another"]


def _written(secret: str) -> dict[str, str]:
    encoded = secret.encode()
    return {
        "as it is": secret,
        "in JSON": json.dumps({"a": [secret]}),
        "in JSON within JSON": json.dumps(json.dumps({"a": secret})),
        "as Python shows it": repr(secret),
        "as Python shows what it shows": repr(repr(secret)),
        "as bytes": repr(encoded),
        "as bytes within a list": repr([repr(encoded)]),
        "in an address": quote(secret, safe=""),
        "in an address in small letters": re.sub(r"%[0-9A-F]{2}", lambda one: one[0].lower(), quote(secret, safe="")),
        "in base 64": b64encode(encoded).decode(),
        "in base 64 for addresses": urlsafe_b64encode(encoded).decode(),
        "in hex": encoded.hex(),
    }


@pytest.mark.parametrize("secret", SECRETS)
def test_every_way_to_write_a_secret_is_known(secret: str) -> None:
    redaction = Redaction()
    redaction.learn([secret])
    for way, text in _written(secret).items():
        assert SECRET in redaction.cleaned(text), way


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is written to the log, in the form for people; the log is as it was afterwards."""
    written: list[str] = []
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    monkeypatch.setattr(logs, "_write", written.append)
    monkeypatch.setattr(logs, "_redaction", Redaction())
    monkeypatch.setattr("sys.excepthook", None)
    monkeypatch.setattr("threading.excepthook", None)
    logs.configure(LogSettings("console", "info"), {"SOPHIA_AUDIT_KEY": SECRETS[3], "LINEAR_API_KEY": "998877665544"})
    yield written
    logs.configure(LogSettings("console", "warning"), {})
    root.handlers[:] = handlers
    root.setLevel(level)


def test_names_of_fields_and_loggers_and_numbers_hold_no_secret(lines: list[str]) -> None:
    log = structlog.get_logger("sophia_assets.names")
    log.warning("a field", **{SECRETS[3]: 1})
    log.warning("a number", number=998877665544, other=7)
    logging.getLogger(f"sophia_assets.{SECRETS[3]}").warning("a logger")
    assert len(lines) == 3
    assert not [line for line in lines if SECRETS[3] in line or "998877665544" in line]
    assert "other=7" in lines[1]


def test_the_name_of_a_field_forges_neither_a_line_nor_its_beginning(lines: list[str]) -> None:
    names = ["a\n12:00:00 error    forged", "a\r", "a\u2028b", "a\x1b[2J", "lev\x00el", "timestamp\u200b"]
    structlog.get_logger("sophia_assets.names").warning("said", **dict.fromkeys(names, "given"))
    (line,) = lines
    assert line.splitlines() == [line] and "\x1b" not in line
    assert line[9:16] == "warning"


@pytest.mark.parametrize("field", ["timestamp", "level", "logger", "anything"])
@pytest.mark.parametrize("text", [SECRETS[3], f"2026-11-23T{SECRETS[3]}", "\x1b[2J\nforged"])
def test_no_field_of_another_programs_line_is_taken_as_it_is(lines: list[str], field: str, text: str) -> None:
    told = logs.plain_line(json.dumps({"event": "said", field: text, text: 1}), "a program")
    read = json.loads(told)
    assert SECRETS[3] not in told and "\\u001b" not in told and "\\n" not in told
    assert read["level"] == "info" and read["timestamp"][:2] == "20"
    kept = logs.plain_line('{"timestamp": "2026-11-23T01:02:03.456Z", "level": "ERROR", "event": "x"}', "a program")
    assert json.loads(kept) | {"logger": ""} == {
        "timestamp": "2026-11-23T01:02:03.456Z", "level": "error", "logger": "", "event": "x"
    }  # fmt: skip
    assert lines == []
