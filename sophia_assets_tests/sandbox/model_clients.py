"""The vendors' own SDKs, pointed at the stand-ins, without any retry of theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sophia_assets_tests.sandbox.clients import Client
from sophia_assets_tests.sandbox.small_company import Served, served, small_company
from sophia_assets_tests.sandbox.small_prompts import DRAFT_SCHEMA

if TYPE_CHECKING:
    from anthropic import Anthropic
    from openai import OpenAI

CLAUDE = "claude-sonnet-5-5"
GPT = "gpt-5.5"
TIMEOUT_S = 20.0


@contextmanager
def served_models(*faults: str, limits: bool = True) -> Iterator[Served]:
    """A sandbox whose company uses one system only; the language models are there all the same."""
    company = small_company(gong=None, snowflake=None, slack=None, linear=None)
    with served(company, faults=faults, limits=limits) as running:
        yield running


def anthropic_client(env: Mapping[str, str], **options: Any) -> Anthropic:
    """Anthropic's SDK."""
    import anthropic

    given = {"api_key": env["ANTHROPIC_API_KEY"], "base_url": env["ANTHROPIC_BASE_URL"]}
    return anthropic.Anthropic(**{**given, "max_retries": 0, "timeout": TIMEOUT_S, **options})


def openai_client(env: Mapping[str, str], **options: Any) -> OpenAI:
    """OpenAI's SDK."""
    import openai

    given = {"api_key": env["OPENAI_API_KEY"], "base_url": env["OPENAI_BASE_URL"]}
    return openai.OpenAI(**{**given, "max_retries": 0, "timeout": TIMEOUT_S, **options})


def play(control: Client, *faults: str) -> None:
    """Have the sandbox play these faults and no others."""
    control.delete("/_control/faults")
    for fault in faults:
        answer = control.post("/_control/faults", json={"fault": fault})
        assert answer.status_code == 200, answer.text


def usage(control: Client) -> dict[str, dict[str, int]]:
    """What the vendors would bill."""
    found: dict[str, dict[str, int]] = control.get("/_control/usage").json()
    return found


def last_call(control: Client, system: str) -> dict[str, Any]:
    """The newest call of a vendor."""
    found: dict[str, Any] = control.get("/_control/usage/calls").json()[system][-1]
    return found


def for_anthropic(user: str, schema: Mapping[str, Any] | None = DRAFT_SCHEMA, **more: Any) -> dict[str, Any]:
    """Arguments of a message."""
    wanted = {} if schema is None else {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
    asked = {"model": CLAUDE, "max_tokens": 4_000, "messages": [{"role": "user", "content": user}]}
    return {**asked, **wanted, **more}


def for_responses(user: str, schema: Mapping[str, Any] | None = DRAFT_SCHEMA, **more: Any) -> dict[str, Any]:
    """Arguments of a response."""
    wanted = {} if schema is None else {"text": {"format": _named(schema)}}
    return {"model": GPT, "input": user, "max_output_tokens": 4_000, **wanted, **more}


def for_chat(user: str, schema: Mapping[str, Any] | None = DRAFT_SCHEMA, **more: Any) -> dict[str, Any]:
    """Arguments of a chat completion."""
    named = {} if schema is None else _named(schema)
    kind = {"type": named.pop("type", None), "json_schema": named}
    wanted = {} if schema is None else {"response_format": kind}
    asked = {"model": GPT, "messages": [{"role": "user", "content": user}], "max_completion_tokens": 4_000}
    return {**asked, **wanted, **more}


def _named(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "name": "briefing_draft", "schema": schema, "strict": True}
