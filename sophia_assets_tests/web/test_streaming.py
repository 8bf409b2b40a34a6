"""Answers as events: in order, whole, and none before it was checked."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from sophia_assets.errors import SophiaError
from sophia_assets_tests.web.serving import Echoing, Served


def _events(response: requests.Response) -> list[tuple[str, Any]]:
    """The events of a stream, by the rules of server-sent events."""
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    found = []
    for block in response.content.decode().split("\n\n"):
        fields = [line.partition(": ")[::2] for line in block.split("\n") if line and not line.startswith(":")]
        if fields:
            names = dict(fields)
            found.append((names["event"], json.loads(names["data"])))
    return found


@pytest.mark.parametrize(("path", "accept"), [("/api/chat/stream", "*/*"), ("/api/chat", "text/event-stream")])
def test_a_stream_tells_what_was_understood_then_the_answer_then_that_it_is_done(
    site: Served, path: str, accept: str
) -> None:
    response = requests.post(
        site.address + path,
        json={"query": "line\u2028one\nline two", "context": {"conversation": ["before"]}},
        headers={**site.bearer(), "Accept": accept},
        timeout=30,
    )
    events = _events(response)
    assert [name for name, _ in events] == ["understood", "answer", "done"]
    assert events[1][1]["response"] == "You asked: line\u2028one\nline two"
    assert events[1][1]["conversation"] == ["before", "line\u2028one\nline two"]


def test_a_failure_on_the_way_is_one_event_without_anything_of_the_answer(
    site: Served, echoing: Echoing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: object) -> None:
        raise SophiaError("/var/secret/place is gone")

    monkeypatch.setattr(echoing, "ask", fails)
    response = requests.post(f"{site.address}/api/chat/stream", json={"query": "x"}, headers=site.bearer(), timeout=30)
    events = _events(response)
    assert [name for name, _ in events] == ["error"]
    assert "secret" not in response.text
    assert set(events[0][1]["error"]) == {"code", "message", "remedy"}


def test_a_stream_needs_a_login_like_everything_else(site: Served) -> None:
    response = requests.post(f"{site.address}/api/chat/stream", json={"query": "x"}, timeout=30)
    assert response.status_code == 401
