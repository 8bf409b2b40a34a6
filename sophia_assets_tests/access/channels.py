"""Every way in which a reader can ask, as one function each: what came back, as text, and how it ended.

Belongs here: real channels over one served home. Does not belong here: what must not come back.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
import requests
from click.testing import CliRunner
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from sophia_assets.access.principal import EVERY_ROW, RowScope
from sophia_assets.cli import main
from sophia_assets.definitions import build_definitions
from sophia_assets_tests.web.serving import Served

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_LATENCY = re.compile(r'("latency_ms": ?)"?[\d.]+"?')
_STATUS = re.compile(r'<article class="answer ([a-z]+)"')


@dataclass(frozen=True)
class Reader:
    """Somebody who asks: a user with a role, limited to accounts or not."""

    name: str
    role: str
    rows: RowScope = EVERY_ROW


@dataclass(frozen=True)
class Reply:
    """How a question ended, and everything that came back."""

    status: str
    text: str


Channel = Callable[[Served, Reader, str, Sequence[str]], Reply]


def by_api(site: Served, reader: Reader, question: str, earlier: Sequence[str] = ()) -> Reply:
    """POST /api/chat."""
    body = {"query": question, "context": {"conversation": list(earlier)}}
    response = requests.post(f"{site.address}/api/chat", json=body, headers=_bearer(site, reader), timeout=60)
    return _replied(response.json(), response.text)


def by_stream(site: Served, reader: Reader, question: str, earlier: Sequence[str] = ()) -> Reply:
    """POST /api/chat/stream."""
    body = {"query": question, "context": {"conversation": list(earlier)}}
    response = requests.post(f"{site.address}/api/chat/stream", json=body, headers=_bearer(site, reader), timeout=60)
    events = [json.loads(line[5:]) for line in response.text.splitlines() if line.startswith("data:")]
    found = next((event for event in events if isinstance(event, dict) and "status" in event), {})
    return _replied(found, response.text)


def by_page(site: Served, reader: Reader, question: str, earlier: Sequence[str] = ()) -> Reply:
    """The form of the page, as without scripts."""
    site.token(reader.name, reader.role, reader.rows)
    browser = _browsers.get((site.port, reader.name)) or site.browser(reader.name, reader.role)
    _browsers[site.port, reader.name] = browser
    form = [("csrf_token", str(browser.headers["X-CSRF-Token"])), ("question", question)]
    form += [("earlier", each) for each in earlier]
    response = browser.post(f"{site.address}/ask", data=form, timeout=60)
    assert response.status_code == 200, response.text[:500]
    found = _STATUS.search(response.text)
    # The page repeats what was asked.
    shown = response.text
    for said in (question, *earlier):
        shown = shown.replace(said, "")
    return Reply(found[1] if found else "none", shown)


def by_cli(site: Served, reader: Reader, question: str, earlier: Sequence[str] = ()) -> Reply:
    """`sophia ask --as ROLE --json`."""
    arguments = ["ask", question, "--as", reader.role, "--json"]
    for each in earlier:
        arguments += ["--after", each]
    environment = {"SOPHIA_HOME": str(site.services.home.path)}
    done = CliRunner().invoke(main, arguments, env=environment, prog_name="sophia")
    return _replied(json.loads(done.stdout), done.stdout)


def by_op(site: Served, reader: Reader, question: str, earlier: Sequence[str] = ()) -> Reply:
    """`question_job`, with the metadata that the UI shows."""
    job = _jobs.get(site.port)
    if job is None:
        resource = dg.ResourceDefinition.hardcoded_resource(site.services)
        job = build_definitions({"services": resource}, site.services.home).resolve_job_def("question_job")
        _jobs[site.port] = job
    config = {"question": question, "role": reader.role, "conversation": list(earlier)}
    run_config = {**_QUIET, "ops": {"answer_question": {"config": config}}}
    result = job.execute_in_process(run_config=run_config, raise_on_error=True)
    event = next(event for event in result.all_events if event.is_successful_output)
    shown = {name: str(entry.value) for name, entry in event.step_output_data.metadata.items()}
    answer = result.output_for_node("answer_question")
    return _replied(answer, json.dumps([answer, shown]))


def by_mcp(site: Served, reader: Reader, question: str, earlier: Sequence[str] = ()) -> Reply:
    """The tool `ask`, over HTTP."""

    async def call() -> str:
        import httpx2

        headers = _bearer(site, reader)
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(f"{site.address}/mcp", http_client=http)) as client,
        ):
            result = await client.call_tool("ask", {"question": question, "earlier": list(earlier)})
            return "".join(getattr(part, "text", "") for part in result.content)

    text = asyncio.run(call())
    return _replied(json.loads(text), text)


#: Every channel by its name; those that know no users but roles are asked by readers without limits alone.
CHANNELS: Mapping[str, Channel] = {
    "api": by_api,
    "stream": by_stream,
    "page": by_page,
    "cli": by_cli,
    "op": by_op,
    "mcp": by_mcp,
}
KNOWS_USERS = frozenset({"api", "stream", "page", "mcp"})
_browsers: dict[tuple[int, str], requests.Session] = {}
_jobs: dict[int, dg.JobDefinition] = {}


def _bearer(site: Served, reader: Reader) -> dict[str, str]:
    return {"Authorization": f"Bearer {site.token(reader.name, reader.role, reader.rows)}"}


def _replied(answer: Mapping[str, object], text: str) -> Reply:
    # How long it took may happen to be any figure.
    return Reply(str(answer.get("status", "none")), _LATENCY.sub(r"\g<1>0", text))
