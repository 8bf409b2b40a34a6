"""A key or a prompt stands in no error, no log and no representation, whatever a vendor sends back."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from sophia_assets.control.store import ControlStore
from sophia_assets.llm.interface import ModelError, NoModelAnswered
from sophia_assets.llm.sdk_provider import Access, Heard
from sophia_assets_tests.llm.scripted_server import ScriptedServer, reset, scripted_server, send, stall
from sophia_assets_tests.llm.stand_ins import Place
from sophia_assets_tests.llm.vendors import KEY, PROMPT, SECRET_PROMPT, VENDORS, Vendor, http, loaded


@pytest.fixture(params=VENDORS, ids=lambda vendor: vendor.name)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return loaded(request.param)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as serving:
        yield serving


def everything(error: BaseException) -> str:
    """All that a log, a traceback or somebody's debugger may show of an error, short of what it is for."""
    shown = [str(error), repr(error), *traceback.format_exception(error)]
    if error.__cause__ or error.__context__:
        shown += [everything(each) for each in (error.__cause__, error.__context__) if each]
    shown += [repr(value) for name, value in vars(error).items() if name != "partial"]
    return "\n".join(shown)


def id_of(key: str) -> str:
    """The key as a request's id, so far as a header holds it."""
    return key.partition("\n")[0].encode().decode("latin-1")


@pytest.mark.parametrize("key", [KEY, "sk-CANARY\nX-Injected: yes", "sk-CANARY-ключ", "sk-CANARY "])
@pytest.mark.parametrize("what", ["status", "header", "stream", "cut", "reset", "stall", "html"])
def test_neither_key_nor_prompt_is_told(
    vendor: Vendor, server: ScriptedServer, caplog: pytest.LogCaptureFixture, key: str, what: str
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("anthropic", "openai", "httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    echo = f"you sent {KEY} and {SECRET_PROMPT}"
    scripts = {
        "status": vendor.error(401, KEY, echo),
        "header": vendor.error(429, "rate_limit_error", echo, {vendor.id_header: id_of(key), "retry-after": KEY}),
        "stream": vendor.stream(vendor.error_event(KEY, echo)),
        "cut": vendor.stream(vendor.delta(echo)),
        "reset": [reset()],
        "stall": [stall()],
        "html": [send(http(500, echo.encode()))],
    }
    server.play(scripts[what])
    provider = vendor.asked_at(server.url, key=key)
    with pytest.raises(ModelError) as raised:
        provider.complete(PROMPT, seconds=0.3)
    assert "CANARY" not in everything(raised.value) + repr(provider) + str(provider)
    assert "CANARY" not in caplog.text
    assert not any("CANARY" in repr(record.__dict__) for record in caplog.records)


def test_what_a_request_comes_to_tells_neither(
    vendor: Vendor, server: ScriptedServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    store = ControlStore.at(tmp_path / "control.db")
    server.play(vendor.error(401, "invalid_api_key", f"{KEY} {SECRET_PROMPT}"))
    place = Place(store, vendor.asked_at(server.url))
    with pytest.raises(NoModelAnswered) as raised:
        place.complete()
    circuit = place.circuit(vendor.name)
    assert "CANARY" not in everything(raised.value) + caplog.text + repr(circuit)
    store.close()


def test_representations_hold_neither() -> None:
    assert "CANARY" not in repr(Access("http://127.0.0.1", KEY))
    heard = Heard()
    heard.add(SECRET_PROMPT)
    assert "CANARY" not in repr(heard)
