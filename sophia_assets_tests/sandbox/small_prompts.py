"""Prompts for the toy model, made by the platform's own builder, and what is read out of its answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson

from sophia_assets.insight.briefing import build_briefing
from sophia_assets.insight.handles import Handles
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.insight.prompting import CRITICISM_SCHEMA, DRAFT_SCHEMA, MAX_PROMPT_TOKENS, Prompts
from sophia_assets.insight.slots import SlotError, fill
from sophia_assets.insight.verification import Finding, Verifier
from sophia_assets.insight.writing import BriefingRequest, DraftSentence
from sophia_assets.llm.interface import Prompt
from sophia_assets.sandbox.language.prompt import Given
from sophia_assets_tests.insight.variations import varied_request, verifier_for

__all__ = ["CRITICISM_SCHEMA", "DRAFT_SCHEMA", "Asked", "asked_of"]


@dataclass(frozen=True)
class Asked:
    """A request with the prompt for its draft, and what it takes to judge an answer."""

    request: BriefingRequest
    prompts: Prompts
    verifier: Verifier

    @property
    def prompt(self) -> Prompt:
        """The prompt for a draft."""
        return self.prompts.writing()

    @property
    def given(self) -> Given:
        """The prompt as a model gets it."""
        return given(self.prompt)

    @property
    def handles(self) -> Handles:
        """The handles of the prompt."""
        return self.prompts.handles

    def drafted(self, sentence: Mapping[str, str]) -> DraftSentence:
        """A model's sentence as the platform takes it."""
        return DraftSentence(self.handles.to_slots(sentence["text"]), self.handles.story_id(sentence["story"]))

    def shown(self, sentence: Mapping[str, str]) -> str:
        """The sentence with its slots filled. Raises SlotError."""
        return fill(self.drafted(sentence).text, self.request.facts, self.request.stories).text

    def findings(self, sentence: Mapping[str, str]) -> list[Finding]:
        """What verification has against a sentence, before and after its slots are filled."""
        drafted = self.drafted(sentence)
        findings = self.verifier.draft_sentence(drafted)
        if findings:
            return findings
        try:
            filled = fill(drafted.text, self.request.facts, self.request.stories)
        except SlotError as error:
            return [Finding(0, 0, drafted.text, "slot", str(error))]
        return self.verifier.text(filled.text, filled.fact_ids, drafted.story_id)


def given(prompt: Prompt) -> Given:
    """A prompt as a model gets it."""
    return Given(prompt.system, prompt.user)


@cache
def asked_of(seed: int, most_tokens: int = MAX_PROMPT_TOKENS) -> Asked:
    """The sample company with other figures, and its prompt."""
    request = build_briefing(varied_request(seed), OfflineWriter()).request
    return Asked(request, Prompts(request, lambda text: len(text) // 3, most_tokens), verifier_for(request))


def sentences(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """(section, sentence) of each sentence in a draft's JSON."""
    draft: dict[str, Any] = orjson.loads(text)
    for sentence in draft["bottom_line"]:
        yield "bottom_line", sentence
    for section in draft["sections"]:
        for sentence in section["sentences"]:
            yield section["key"], sentence
