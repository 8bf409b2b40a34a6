"""A prompt as writers make them, and the settings of the models, for tests of what counts and pays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sophia_assets.llm.interface import Prompt
from sophia_assets.settings.llm import LlmSettings, read_llm

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"text": {"type": "string"}, "score": {"type": "integer"}},
    "required": ["text", "score"],
    "additionalProperties": False,
}
PROMPT = Prompt(
    purpose="briefing.write",
    version="1",
    system="You write one sentence from the facts that you are given.",
    user="<facts>\nid|metric|value\nf1|bookings|$1.24M\n</facts>",
    schema_name="briefing_draft",
    schema=SCHEMA,
    max_output_tokens=1_000,
)


def prompt(**changes: Any) -> Prompt:
    """The prompt with other fields."""
    return replace(PROMPT, **changes)


def llm_settings(**environment: str) -> LlmSettings:
    """Settings as they are read from an environment; the keys are set, so that both providers are live."""
    return read_llm({"ANTHROPIC_API_KEY": "a", "OPENAI_API_KEY": "o", **environment})
