"""Models that answer as a test says, and drafts in a model's JSON."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sophia_assets.insight.candidates import find_stories
from sophia_assets.insight.llm_writer import LlmWriter
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.insight.prompting import Prompts
from sophia_assets.insight.writing import BriefingRequest, Draft
from sophia_assets.llm.interface import Completion, Deadline, ModelError, Prompt, Tokens

Content = dict[str, Any]
#: What a model answers: its JSON, an error to raise, or a function of the prompt that gives one of these.
Answer = Content | Exception | Callable[[Prompt], "Content | Exception"]

WRITE, CRITICISE, REVISE = "briefing.write", "briefing.criticise", "briefing.revise"
NO_CRITICISM: Content = {"criticisms": []}


class ScriptedModels:
    """Answers each purpose with the next of its answers; the last one stays."""

    def __init__(self, provider: str = "anthropic", **answers: Answer | Sequence[Answer]) -> None:
        given: dict[str, Any] = {"write": {}, "criticise": NO_CRITICISM, "revise": {}} | answers
        self._answers: dict[str, list[Any]] = {
            f"briefing.{purpose}": list(each) if isinstance(each, (list, tuple)) else [each]
            for purpose, each in given.items()
        }
        self._provider = provider
        self.prompts: list[Prompt] = []
        self.deadlines: list[Deadline] = []
        self.failures: tuple[ModelError, ...] = ()

    def complete(self, prompt: Prompt, *, key: str, deadline: Deadline) -> Completion:
        self.prompts.append(prompt)
        self.deadlines.append(deadline)
        answers = self._answers[prompt.purpose]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        content = answer(prompt) if callable(answer) else answer
        if isinstance(content, Exception):
            raise content
        return Completion(
            provider=self._provider,
            model=f"{self._provider}-1",
            content=content,
            tokens=Tokens(input=100, output=10),
            cost_usd=Decimal("0.25"),
            calls=1 + len(self.failures),
            failures=self.failures,
        )

    def purposes(self) -> list[str]:
        """What was asked, in order."""
        return [prompt.purpose for prompt in self.prompts]


def words(text: str) -> int:
    """A count of tokens for tests: quick, and in proportion to the text."""
    return len(text) // 4 + 1


def writer(models: ScriptedModels, seconds: float = 60.0, **more: Any) -> LlmWriter:
    """The writer under test, with models that answer by a script."""
    return LlmWriter(models, seconds, "anthropic", **({"count": words} | more))


def with_stories(request: BriefingRequest) -> BriefingRequest:
    """The request as `build_briefing` gives it to a writer."""
    return replace(request, stories=tuple(find_stories(request.facts, request.date, request.owners)))


def prompts_of(request: BriefingRequest, most_tokens: int = 50_000) -> Prompts:
    """The prompts of a request, as the writer builds them."""
    return Prompts(with_stories(request), words, most_tokens)


def true_content(request: BriefingRequest) -> Content:
    """What a truthful model answers: the deterministic writer's draft, in handles."""
    prompts = prompts_of(request)
    return as_content(prompts, OfflineWriter().draft(with_stories(request)))


def as_content(prompts: Prompts, draft: Draft) -> Content:
    """A draft as a model's JSON."""

    def listed(sentences: Iterable[Any]) -> list[Content]:
        return [
            {"text": prompts.handles.to_handles(each.text), "story": prompts.handles.of_story(each.story_id)}
            for each in sentences
        ]

    return {
        "bottom_line": listed(draft.bottom_line),
        "sections": [
            {"key": section.key, "sentences": listed(section.sentences)}
            for section in draft.sections
            if section.sentences
        ],
    }


def section_of(content: Mapping[str, Any], key: str) -> list[Content]:
    """The sentences of one section, to be changed in place."""
    if key == "bottom_line":
        return content["bottom_line"]  # type: ignore[no-any-return]
    return next(section["sentences"] for section in content["sections"] if section["key"] == key)


def changed(content: Content, section: str, place: int, text: str) -> Content:
    """The content with one sentence's text replaced."""
    new = copy.deepcopy(content)
    section_of(new, section)[place]["text"] = text
    return new


def criticism(section: str, sentence: int, principle: str = "helpful", problem: str = "Say more.") -> Content:
    """A critique with one criticism."""
    return {
        "criticisms": [{"section": section, "sentence": sentence, "principle": principle, "problem": problem}],
    }


def everything_in(prompt: Prompt) -> str:
    """All text of a prompt, its schema included."""
    return "\n".join([prompt.system, prompt.user, json.dumps(prompt.schema)])
