"""The settings of the assistant: who phrases its answers, and how long that may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sophia_assets.errors import ConfigurationError
from sophia_assets.settings import reading
from sophia_assets.settings.llm import OFFLINE, LlmSettings

PREFIX = "SOPHIA_ASSISTANT_"
WRITER = f"{PREFIX}WRITER"
DEADLINE = f"{PREFIX}DEADLINE_SECONDS"
LLM = "llm"


@dataclass(frozen=True)
class AssistantSettings:
    """Whether language models phrase answers (`writer` is `llm`) or code alone does (`offline`).

    `deadline_seconds` bounds the phrasing of one answer; what is not done by then is said in code's own words.
    """

    writer: str = OFFLINE
    deadline_seconds: float = 2.0

    @property
    def uses_models(self) -> bool:
        """Whether a model is asked at all."""
        return self.writer == LLM


def read_assistant(environment: Mapping[str, str], llm: LlmSettings) -> AssistantSettings:
    """The settings of the assistant; who writes follows the briefings where it is not set.

    Raises ConfigurationError naming the setting, its value and what is allowed.
    """
    for name in environment:
        if name.startswith(PREFIX) and name not in (WRITER, DEADLINE):
            raise ConfigurationError(f"{name} is set, which is no setting", remedy=f"Use one of {WRITER}, {DEADLINE}")
    writer = reading.choice(environment, WRITER, (OFFLINE, LLM), LLM if llm.chain else OFFLINE)
    if writer == LLM and not llm.chain:
        raise ConfigurationError(
            f"{WRITER} is llm, but no language model may be asked",
            remedy=f"Set SOPHIA_WRITER=anthropic or openai, or {WRITER}=offline",
        )
    return AssistantSettings(writer, reading.number(environment, DEADLINE, 2.0, 0.3, 30.0))
