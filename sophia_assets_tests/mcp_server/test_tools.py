"""The tools over the protocol itself: a real client, a real server process or a real port."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from sophia_assets.home import Home
from sophia_assets_tests.finished_home import copied_home, services_of

T = TypeVar("T")
SOPHIA = Path(sys.executable).with_name("sophia")


@pytest.fixture(scope="module")
def home(finished_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    return copied_home(finished_home, tmp_path_factory.mktemp("tools") / "var")


@pytest.fixture(scope="module")
def tokens(home: Home) -> dict[str, str]:
    """A user per role."""
    services = services_of(home)
    try:
        return {role: services.users.add(role, role, by="test") for role in ("executive", "engineering_leader")}
    finally:
        services.close()


@asynccontextmanager
async def client(home: Home, *arguments: str, **settings: str) -> AsyncIterator[Client]:
    """A client whose server is `sophia mcp` as a process of its own."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    server = StdioServerParameters(
        command=str(SOPHIA),
        args=["mcp", *arguments],
        env={**kept, "SOPHIA_HOME": str(home.path), **settings},
        cwd=str(home.path.parent),
    )
    async with Client(server, read_timeout_seconds=60) as connected:
        yield connected


def within(home: Home, work: Callable[[Client], Awaitable[T]], *arguments: str, **settings: str) -> T:
    """What `work` does with a client."""

    async def run() -> T:
        async with client(home, *arguments, **settings) as connected:
            return await work(connected)

    return asyncio.run(run())


async def called(connected: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """A tool's answer; of a failure its one line under `error`."""
    result = await connected.call_tool(tool, arguments)
    text = "".join(getattr(part, "text", "") for part in result.content)
    return {"error": text} if result.is_error else dict(json.loads(text))


def test_every_tool_says_what_it_does_and_that_it_only_reads(home: Home, tokens: dict[str, str]) -> None:
    async def listed(connected: Client) -> Any:
        return (await connected.list_tools()).tools

    tools = within(home, listed, SOPHIA_TOKEN=tokens["executive"])
    names = {tool.name for tool in tools}
    assert names == {"ask", "read_briefing", "data_freshness", "find_metrics", "figure_evidence"}
    assert all(tool.description and tool.annotations.read_only_hint for tool in tools)


def test_an_executives_assistant_asks_reads_and_sees_the_evidence(home: Home, tokens: dict[str, str]) -> None:
    async def conversation(connected: Client) -> None:
        answer = await called(connected, "ask", question="What are bookings this quarter?")
        assert answer["status"] == "answered"
        evidence = await called(connected, "figure_evidence", evidence=answer["citations"][0]["evidence"], limit=5)
        assert evidence["total_rows"] >= len(evidence["rows"]) > 0
        briefing = await called(connected, "read_briefing")
        assert briefing["bottom_line"]
        follow_up = await called(
            connected, "ask", question="And last month?", earlier=["What are bookings this quarter?"]
        )
        assert follow_up["status"] == "answered"
        assert (await called(connected, "data_freshness"))["status"] == "answered"
        assert (await called(connected, "find_metrics", search="win rate"))["found"] >= 1

    within(home, conversation, SOPHIA_TOKEN=tokens["executive"])


def test_a_role_sees_no_more_here_than_elsewhere(home: Home, tokens: dict[str, str]) -> None:
    async def conversation(connected: Client) -> None:
        assert (await called(connected, "ask", question="What is MRR?"))["status"] == "denied"
        evidence = {"metric": "mrr", "start": "2026-11-20", "end": "2026-11-20", "period_key": "as_of"}
        assert "error" in await called(connected, "figure_evidence", evidence=evidence)
        names = {each["name"] for each in (await called(connected, "find_metrics"))["metrics"]}
        assert "open_bugs" in names
        assert "mrr" not in names

    within(home, conversation, SOPHIA_TOKEN=tokens["engineering_leader"])


def test_what_is_wrong_with_a_call_is_told_in_one_line(home: Home, tokens: dict[str, str]) -> None:
    async def conversation(connected: Client) -> None:
        for tool, arguments in (
            ("read_briefing", {"day": "yesterday"}),
            ("read_briefing", {"day": "1999-01-01"}),
            ("figure_evidence", {"evidence": {"metric": "nothing"}}),
            ("figure_evidence", {"evidence": {}}),
        ):
            error = (await called(connected, tool, **arguments))["error"]
            assert error
            assert "Traceback" not in error

    within(home, conversation, SOPHIA_TOKEN=tokens["executive"])


@pytest.mark.parametrize("settings", [{}, {"SOPHIA_TOKEN": "sophia_wrong"}])
def test_without_a_token_in_force_or_a_role_nothing_is_served(home: Home, settings: dict[str, str]) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    environment = {**kept, "SOPHIA_HOME": str(home.path), **settings}
    done = subprocess.run([SOPHIA, "mcp"], env=environment, cwd=home.path.parent, capture_output=True, text=True)
    assert done.returncode != 0
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "sophia_wrong" not in done.stderr
