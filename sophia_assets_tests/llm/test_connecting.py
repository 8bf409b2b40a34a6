"""From settings to language models: real wire, real circuits, real ledger, real flags."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sophia_assets.control.breaker import State
from sophia_assets.errors import ConfigurationError
from sophia_assets.home import Home
from sophia_assets.llm.interface import BudgetSpent, Completion, Deadline, FailureKind, NoModelAnswered
from sophia_assets.services import Services
from sophia_assets.settings import load_settings
from sophia_assets_tests.llm.scripted_server import Connection, ScriptedServer, scripted_server
from sophia_assets_tests.llm.vendors import ANTHROPIC, KEY, OPENAI, PROMPT, loaded

OTHER_KEY = "sk-OTHER-0123456789"


@pytest.fixture
def anthropic() -> Iterator[ScriptedServer]:
    with scripted_server(loaded(ANTHROPIC).answer()) as server:
        yield server


@pytest.fixture
def openai() -> Iterator[ScriptedServer]:
    with scripted_server(loaded(OPENAI).answer()) as server:
        yield server


def services(path: Path, sandbox: dict[str, str] | None = None, **settings: str) -> Services:
    return Services(load_settings({"SOPHIA_HOME": str(path), **settings}), Home(path), sandbox_env=sandbox)


def live(path: Path, anthropic: ScriptedServer, openai: ScriptedServer, **settings: str) -> Services:
    given = {
        "SOPHIA_WRITER": "anthropic",
        "ANTHROPIC_API_KEY": KEY,
        "ANTHROPIC_BASE_URL": anthropic.url,
        "OPENAI_API_KEY": OTHER_KEY,
        "OPENAI_BASE_URL": f"{openai.url}/v1",
    }
    return services(path, None, **(given | settings))


def complete(place: Services, user: str = "facts") -> Completion:
    return place.language_models.complete(
        replace(PROMPT, user=user), key="daily 2026-11-20", deadline=Deadline.after(60.0)
    )


def test_the_writer_that_is_set_is_asked_and_the_other_stands_in(
    tmp_path: Path, anthropic: ScriptedServer, openai: ScriptedServer
) -> None:
    place = live(tmp_path, anthropic, openai)
    assert complete(place, "1").provider == "anthropic"
    anthropic.play(ANTHROPIC.error(529, "overloaded_error"))
    completion = complete(place, "2")
    assert (completion.provider, completion.calls) == ("openai", 2)
    assert completion.cost_usd > 0
    assert anthropic.received[0].headers["authorization"] == f"Bearer {KEY}"
    assert openai.received[0].headers["authorization"] == f"Bearer {OTHER_KEY}"
    place.close()


def test_the_same_request_is_answered_once(tmp_path: Path, anthropic: ScriptedServer, openai: ScriptedServer) -> None:
    place = live(tmp_path, anthropic, openai)
    assert not complete(place).from_cache
    kept = complete(place)
    assert kept.from_cache and kept.cost_usd == 0 and len(anthropic.received) == 1
    place.close()


def test_a_rollout_that_is_taken_back_is_not_asked(
    tmp_path: Path, anthropic: ScriptedServer, openai: ScriptedServer
) -> None:
    place = live(tmp_path, anthropic, openai)
    place.flags.set("anthropic.rollout", 0, "ada", "a test")
    assert complete(place).provider == "openai"
    place.flags.set("openai.rollout", 0, "ada", "a test")
    with pytest.raises(NoModelAnswered):
        complete(place)
    assert anthropic.received == []
    place.close()


def test_a_budget_of_nothing_asks_nobody(tmp_path: Path, anthropic: ScriptedServer, openai: ScriptedServer) -> None:
    place = live(tmp_path, anthropic, openai, SOPHIA_LLM_DAILY_BUDGET_USD="0")
    with pytest.raises(BudgetSpent):
        complete(place)
    assert anthropic.received == openai.received == []
    place.close()


def test_a_renewed_key_is_tried_though_the_old_one_was_refused(
    tmp_path: Path, anthropic: ScriptedServer, openai: ScriptedServer
) -> None:
    anthropic.play(ANTHROPIC.error(401, "authentication_error"))
    place = live(tmp_path, anthropic, openai)
    for user in ("1", "2"):
        assert complete(place, user).provider == "openai"
    assert len(anthropic.received) == 1 and place.circuits.get("anthropic").state is State.OPEN
    place.close()
    anthropic.play(ANTHROPIC.answer())
    renewed = live(tmp_path, anthropic, openai, ANTHROPIC_API_KEY="sk-RENEWED")
    assert complete(renewed, "3").provider == "anthropic"
    assert renewed.circuits.get("anthropic").state is State.CLOSED
    renewed.close()


def test_the_sandbox_is_found_where_it_is_announced_and_no_live_key_is_sent_there(
    tmp_path: Path, anthropic: ScriptedServer
) -> None:
    sandbox = {"ANTHROPIC_BASE_URL": anthropic.url, "ANTHROPIC_API_KEY": "sandbox-anthropic-key"}
    place = services(
        tmp_path, sandbox, SOPHIA_WRITER="anthropic", SOPHIA_ANTHROPIC_MODE="sandbox", ANTHROPIC_API_KEY=KEY
    )
    assert complete(place).provider == "anthropic"
    assert anthropic.received[0].headers["authorization"] == "Bearer sandbox-anthropic-key"
    place.close()


def test_a_sandbox_that_does_not_run_is_a_failure_that_says_so(tmp_path: Path) -> None:
    place = services(tmp_path, {}, SOPHIA_WRITER="anthropic")
    with pytest.raises(NoModelAnswered, match="the sandbox's stand-in is not running") as raised:
        complete(place)
    assert {failure.kind for failure in raised.value.failures} == {FailureKind.CONNECTION}
    place.close()


def test_a_live_provider_is_not_stood_in_for_by_a_sandboxed_one(tmp_path: Path, anthropic: ScriptedServer) -> None:
    anthropic.play(ANTHROPIC.error(500))
    with scripted_server(OPENAI.answer()) as stand_in:
        place = services(
            tmp_path,
            {"OPENAI_BASE_URL": f"{stand_in.url}/v1", "OPENAI_API_KEY": "sandbox-openai-key"},
            SOPHIA_WRITER="anthropic",
            ANTHROPIC_API_KEY=KEY,
            ANTHROPIC_BASE_URL=anthropic.url,
        )
        with pytest.raises(NoModelAnswered):
            complete(place)
        assert stand_in.received == []
        place.close()


def test_the_offline_writer_has_nobody_to_ask(tmp_path: Path) -> None:
    place = services(tmp_path)
    with pytest.raises(NoModelAnswered, match="no language model may be asked"):
        complete(place)
    place.close()


@pytest.mark.parametrize("key", ["sk with blanks", "sk-ключ", "sk\tkey"])
def test_a_key_that_no_header_holds_is_refused_without_being_repeated(tmp_path: Path, key: str) -> None:
    place = services(tmp_path, SOPHIA_WRITER="openai", OPENAI_API_KEY=key)
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY") as raised:
        _ = place.language_models
    assert key not in str(raised.value)
    place.close()


def test_looking_does_not_import_the_vendors_libraries() -> None:
    code = (
        "import sys, sophia_assets.llm.connecting as _;"
        "print([name for name in ('anthropic', 'openai', 'httpx2', 'bpe_openai', 'dagster') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


def test_an_interrupt_ends_a_call_at_once_with_its_connection_and_its_entry(
    tmp_path: Path, anthropic: ScriptedServer, openai: ScriptedServer
) -> None:
    def interrupt(connection: Connection) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        connection.wait_for_close()

    anthropic.play(ANTHROPIC.stream(ANTHROPIC.delta("two words"), interrupt))
    place = live(tmp_path, anthropic, openai)
    threads = set(threading.enumerate())
    # A worker of a spread test run ignores interrupts.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            complete(place)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert anthropic.hung_up.acquire(timeout=2)
    left = [each.name for each in threading.enumerate() if each not in threads]
    # What the recorder holds is written a few seconds later, whoever has been interrupted.
    assert not [name for name in left if name != "recorder" and not name.startswith("scripted")]
    with place.control.reading() as connection:
        rows = connection.exec_driver_sql("SELECT state, outcome FROM llm_calls").all()
    assert [tuple(row) for row in rows] == [("ended", "interrupted")]
    place.close()
